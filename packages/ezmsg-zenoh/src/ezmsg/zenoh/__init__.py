"""Messages of ezmsg beyond one machine, over Zenoh; used by its name as a transport, and not imported by programs."""
