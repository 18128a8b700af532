"""What a command finds around it: installed distributions, what they declare, and a terminal that obeys controls.

Every distribution enters; it uses the standard library alone.
"""
