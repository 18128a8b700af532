"""The channels of publishers over Zenoh: what both ends say, in which order it counts, and what each end does.

Only `transport` enters; it uses the process's `session`, and of the core the plug that transports are.
"""
