"""Messages of ezmsg beyond one machine, over Zenoh. It is used by its name; programs import nothing here."""

__all__: list[str] = []
