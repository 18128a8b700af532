"""The graph of topics itself: edges with owners, and the order that refuses a cycle.

Client and server enter, for both need it; it uses `errors` alone.
"""
