"""What travels in our own form: arrays of plain elements, and attributes that msgpack carries exactly."""

from typing import Any

PLAIN_KINDS = "biufcSUmM"
"""Kinds of dtypes whose elements are nothing but their bytes."""

_PLAIN = {type(None), bool, int, float, str, bytes}


class NotPlain(Exception):
    """Something cannot be carried in this way."""


def plain(value: Any) -> Any:
    """Return a value that comes out of msgpack as it went in.

    :raises NotPlain: if there is something in it that does not.
    """
    cls = type(value)
    if cls is dict:
        for name, each in value.items():
            if type(name) not in _PLAIN:
                raise NotPlain
            plain(each)
    elif cls is list:
        for each in value:
            plain(each)
    elif cls not in _PLAIN:
        raise NotPlain
    return value
