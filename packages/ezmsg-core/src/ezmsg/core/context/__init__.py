"""The graph as a program holds it: a session with publishers and subscribers, and what its operator asks.

Who runs or serves programs enters (`runtime`, `blocking`, `commands`); it uses `pubsub` and the control plane.
"""
