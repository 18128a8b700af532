"""How messages cross from a publisher to a process: in process, through shared memory, over TCP.

Only `pubsub`, and the mailbox's users, enter; it uses `channels` and `messages`, and knows no endpoint.
"""
