"""Units for every day: to hold messages up, let them through, log and replay them, and end a program.

Programs enter, through the doors beside this room; it uses the core, `codec` and `errors`.
"""
