"""ezmsg.protocol."""
