"""The half of the server that touches the machine: addresses, listeners, links to clients, tokens, loops.

The server and `metrics` enter; it uses the types of `deciding`.
"""
