"""A picture of the whole graph in other forms: compact, encoded once for many, as JSON; and its topics.

Client, server and readers of stored snapshots enter; it uses `wire` and `model`.
"""
