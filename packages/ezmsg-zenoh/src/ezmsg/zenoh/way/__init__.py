"""The way to a graph server by its name: streams of bytes over Zenoh, from clients to the server and back.

The control client and the graph server enter, by an entry point; it uses the process's `session`.
"""
