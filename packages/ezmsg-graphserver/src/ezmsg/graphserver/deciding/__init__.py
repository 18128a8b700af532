"""The half of the server that decides: pure, without a socket, a clock or an `await`; facts in, effects out.

The server and its performer enter, `sockets` and `metrics` read its types; it uses `ezmsg.protocol` alone.
"""
