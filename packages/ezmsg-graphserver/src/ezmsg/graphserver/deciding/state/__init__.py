"""What the server knows, a module per noun; nothing here awaits, reads a clock or touches a socket.

`conversations` and `graph_state` enter; it uses `effects` and `ezmsg.protocol`.
"""
