"""What is known about a graph, as text for people. Pure: values in, lines out."""
