"""What a server keeps in files: how it is found, and a look at what dead ones have left.

The server enters; it uses `sockets` and `ezmsg.protocol`, and decides nothing about the graph.
"""
