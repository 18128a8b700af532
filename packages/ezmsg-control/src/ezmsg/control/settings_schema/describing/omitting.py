"""What is too large for the control plane is told as its kind, its shape and a digest, and left out.

The owner of a value has it all the same. How such a form looks is said in `fields.omissions`.
"""

import contextlib
import hashlib
from collections.abc import Iterator
from typing import Any

from ezmsg.control.settings_schema.fields.omissions import OMITTED, in_words
from ezmsg.control.settings_schema.fields.scalars import is_array
from ezmsg.control.settings_schema.sources.reading import describe_value
from ezmsg.protocol.wire.plain import pack

PART_LIMIT = 64 * 1024
"""The largest part of a value that is told: one array, one text; in bytes."""

VALUE_LIMIT = 256 * 1024
"""The largest value that is told, in bytes."""

_DIGEST_BYTES = 16


def omission(value: object) -> dict[str, Any]:
    """Return what is told in place of a value: equal values give equal forms, and others different ones."""
    form = _outline(value)
    with contextlib.suppress(Exception):  # protects a registration from what a user's class may do
        form["digest"] = _digest(value)
    return form


def omission_in_words(value: object) -> str:
    """Return the same for people, without the digest."""
    return f"{in_words(_outline(value))}, too large to be shown"


def _outline(value: Any) -> dict[str, Any]:
    form: dict[str, Any] = {OMITTED: type(value).__name__}
    if is_array(value):
        return {**form, "dtype": value.dtype.str, "shape": list(value.shape)}
    try:
        return {**form, "shape": [len(value)]}
    except Exception:  # noqa: BLE001  it has no length, or fails over it
        return form


def _digest(value: Any) -> str:
    digest = hashlib.blake2b(digest_size=_DIGEST_BYTES)
    for part in _content(value):
        digest.update(part)
    return digest.hexdigest()


def _content(value: Any) -> Iterator[Any]:
    """Yield the bytes of a value, those of a large array without a copy."""
    if is_array(value):
        yield repr((value.dtype.str, value.shape)).encode()
        viewed = value.flags.c_contiguous and value.nbytes and value.dtype.kind in "biuf"
        yield value.data.cast("B") if viewed else value.tobytes()
    elif (description := describe_value(value)) is not None:
        for each in description.fields:
            yield each.name.encode()
            yield from _content(getattr(value, each.name, None))
    else:
        yield pack(value)
