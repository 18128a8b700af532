"""What the command of ezmsg 3 did, one module for each kind; `command_line` is the way in.

Only the doors and `__main__` enter; every room of `ezmsg.core` may be used.
"""
