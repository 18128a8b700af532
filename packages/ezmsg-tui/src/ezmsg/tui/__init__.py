"""The terminal application of ezmsg. So far this holds its place and its command, and no screen.

It looks at a graph through ``ezmsg.control`` alone: it must not import the data plane, the server or pickle.
"""

__all__: list[str] = []
