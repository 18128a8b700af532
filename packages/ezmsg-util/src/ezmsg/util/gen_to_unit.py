"""A door: units made of functions live in `ezmsg.util.generators`; this is where programs import them from."""

from ezmsg.util.generators.unit_of_function import args_to_settings, args_to_state, gen_to_unit

__all__ = ["args_to_settings", "args_to_state", "gen_to_unit"]
