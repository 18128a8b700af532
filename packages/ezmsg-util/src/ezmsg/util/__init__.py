"""What programs use beside the core: :mod:`ezmsg.util.profiler`. Import the modules themselves, nothing is here."""

__all__: list[str] = []
