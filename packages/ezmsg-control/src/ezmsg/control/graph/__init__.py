"""What is asked of the graph as a whole: sessions, edges, snapshots, settings, and what changes in it.

`profiling`, the drawings and the command enter; it uses `connection` and, to route what a process answers,
`process`.
"""
