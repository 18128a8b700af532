"""A door: the steady rate lives in `ezmsg.util.units.rate`; this is where programs import it from."""

from ezmsg.util.units.rate import Rate

__all__ = ["Rate"]
