"""The form in which a value is told that is too large for the control plane: kind, shape and digest.

``{"$omitted": type, "dtype": of an array, "shape": [...], "digest": hex}``. No value can be made of it again.
"""

from collections.abc import Iterator, Mapping
from typing import Any

OMITTED = "$omitted"
"""The key that marks such a form; its value is the name of the type."""


def in_words(form: Mapping[str, Any]) -> str:
    """Return an omission as words such as ``ndarray <f8 of 64 x 5000``."""
    what = " ".join(str(form[key]) for key in (OMITTED, "dtype") if key in form)
    size = " x ".join(map(str, form.get("shape", ())))
    return f"{what}{f' of {size}' if size else ''}"


def is_omission(form: object) -> bool:
    """Return whether something says only that a value was left out."""
    return isinstance(form, Mapping) and OMITTED in form


def omissions(form: object, path: str = "") -> Iterator[tuple[str, Mapping[str, Any]]]:
    """Yield each omission inside a form, with its path."""
    if isinstance(form, Mapping):
        if is_omission(form):
            yield path, form
            return
        for name, each in form.items():
            yield from omissions(each, f"{path}.{name}" if path else str(name))
    elif isinstance(form, list | tuple):
        for n, each in enumerate(form):
            if isinstance(each, Mapping | list | tuple):
                yield from omissions(each, f"{path}[{n}]")
