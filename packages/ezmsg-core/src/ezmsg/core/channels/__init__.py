"""A channel from one publisher to one event loop, its window of slots, its leases and the queue where they wait.

Transports and endpoints enter, for this is what they share; it uses `messages` and `profiling`, and moves no byte.
"""
