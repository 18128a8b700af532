"""TLS 1.3, by the standard library: which files, whom they prove, and the bytes between a socket and a protocol.

The client's connection, the server's listener and the data plane's links enter, and only where somebody asked for
TLS, as this is what imports `ssl`; it uses `errors` and what it is handed, and never a socket of its own.
"""
