"""``ezmsg zenoh``: configuration files for the hosts of a graph, and a router for them.

The command enters, through `verbs`, which it finds by an entry point. It asks `hosts` whose certificates there are,
and `keys` how keys are written; it uses nothing of the transport's.
"""
