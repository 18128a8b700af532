"""ezmsg.core."""
