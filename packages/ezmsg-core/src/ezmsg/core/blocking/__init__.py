"""Publishing and subscribing without asyncio: calls that wait. Programs import this as :mod:`ezmsg.core.sync`."""
