"""What users send, as bytes and back: the codec, its encodings, views that may only be read.

`channels`, `transports` and `pubsub` enter; it uses `support` and `errors`.
"""
