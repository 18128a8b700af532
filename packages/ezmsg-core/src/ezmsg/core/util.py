"""A door: reading arguments lives in `ezmsg.core.support.arguments`; this path is kept for ezmsg 3's programs."""

from ezmsg.core.support.arguments import either_dict_or_kwargs, is_dict_like

__all__ = ["either_dict_or_kwargs", "is_dict_like"]
