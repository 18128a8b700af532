"""Publishing and subscribing without asyncio: calls that wait.

Programs enter by the door :mod:`ezmsg.core.sync`; it uses `context`, `pubsub`, `channels` and the loops of
`runtime`.
"""
