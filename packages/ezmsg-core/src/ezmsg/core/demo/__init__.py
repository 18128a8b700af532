"""The demonstration: a recorded heart, filtered, its beats found, live on one screen.

Only the commands enter; it uses `graph` and `runtime`, as any user's program does.
"""
