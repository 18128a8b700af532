"""What is known about a graph, in forms that other programs read. Pure: values in, plain data out."""
