"""ezmsg.graphserver."""
