"""What is known about a graph, in forms that other programs read; pure: values in, plain data out.

Only the command enters; it uses `errors` and the types of `ezmsg.protocol`.
"""
