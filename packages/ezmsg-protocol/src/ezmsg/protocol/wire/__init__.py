"""From bytes to frames to messages and back, and the two sides' state machine, without a socket.

Whoever speaks the protocol enters, and `snapshots`; it uses `messages`, `model` and `errors`.
"""
