"""The way to a graph server by its name: streams of bytes over Zenoh, from clients to the server and back."""
