"""What the server knows, a module per noun. Nothing here awaits, reads a clock or touches a socket."""
