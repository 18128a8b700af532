"""The only I/O: a feed of facts from the server to the model, and what performs intents through it.

The application enters; it uses `model` and `ezmsg.control`. It starts no server, and no trace that nobody wants.
"""
