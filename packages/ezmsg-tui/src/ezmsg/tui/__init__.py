"""ezmsg.tui."""
