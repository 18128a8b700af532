"""What a server keeps in files: how it is found, what is to survive it, and what dead ones have left.

The server enters; it uses `sockets`, the effects of `deciding`, and `ezmsg.protocol`, and decides nothing.
"""
