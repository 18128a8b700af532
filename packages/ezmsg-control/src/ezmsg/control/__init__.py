"""ezmsg.control."""
