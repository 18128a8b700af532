"""The endpoints that programs hold, and what joins them: publishers, subscribers, the exchange, routes, links.

`context` and everything above enters; it uses `transports`, `channels`, `messages` and `profiling`.
"""
