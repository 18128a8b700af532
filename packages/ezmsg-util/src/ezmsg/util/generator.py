"""A door: generators and their unit live in `ezmsg.util.generators`; this is where programs import them from."""

from ezmsg.util.generators.consuming import compose, consumer
from ezmsg.util.generators.unit import Gen, GenState

__all__ = ["Gen", "GenState", "compose", "consumer"]
