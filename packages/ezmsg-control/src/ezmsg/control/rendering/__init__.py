"""What is known about a graph, as text for people: values in, lines out, and the one service that draws.

The command and `ezmsg.core` enter; it may use every room but the command.
"""
