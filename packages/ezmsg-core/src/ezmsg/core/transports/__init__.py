"""How messages cross from a publisher to a process: in process, through shared memory, over TCP."""
