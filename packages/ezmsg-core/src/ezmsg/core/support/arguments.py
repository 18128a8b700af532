"""Arguments given as a mapping or by keyword: ezmsg 3's programs import it; nothing of ours does."""

from collections.abc import Mapping
from typing import Any, TypeGuard, TypeVar

from ezmsg.core.errors import InvalidOption

__all__ = ["either_dict_or_kwargs", "is_dict_like"]

T = TypeVar("T")


def is_dict_like(value: Any) -> TypeGuard[Mapping[Any, Any]]:
    """Return whether a value has keys and can be indexed with them."""
    return hasattr(value, "keys") and hasattr(value, "__getitem__")


def either_dict_or_kwargs(
    pos_kwargs: Mapping[str, T] | None, kw_kwargs: Mapping[str, T], func_name: str
) -> Mapping[str, T]:
    """Return the arguments that a function was given, either as a mapping or by keyword.

    :raises InvalidOption: if there are both, or the first is no mapping.
    """
    if not pos_kwargs and (pos_kwargs is None or is_dict_like(pos_kwargs)):
        return kw_kwargs
    if not is_dict_like(pos_kwargs):
        raise InvalidOption(option=f"{func_name}(...)", value=repr(pos_kwargs), reason="it must be a mapping")
    if kw_kwargs:
        reason = "give a mapping or keyword arguments, not both"
        raise InvalidOption(option=f"{func_name}(...)", value=repr(pos_kwargs), reason=reason)
    return pos_kwargs
