"""What the class of a component declares: its streams, tasks, children, and the types of its settings and state.

Read once, when the class is made, into tables on the class (``__streams__``, ``__tasks__``, ...) that tools and
the runtime use. Only component classes are looked at: a plain mixin's streams and tasks are not gathered. The
nearest class wins, as with any attribute, but what is overridden by something of another kind stays declared: a
method without a decorator does not take a task away.
"""

import inspect
import sys
from collections.abc import Callable
from typing import Any, TypeVar

from ezmsg.core.errors import SecondMain
from ezmsg.core.graph.addressable import Addressable
from ezmsg.core.graph.decorators import MAIN_ATTR
from ezmsg.core.support.logs import logger

T = TypeVar("T")


def declared(cls: type, kind: type[T]) -> dict[str, T]:
    """Return the attributes of ``cls`` and its component bases that are instances of ``kind``, bases first."""
    return {
        name: value
        for klass in _component_classes(cls)
        for name, value in vars(klass).items()
        if isinstance(value, kind)
    }


def decorated(cls: type, mark: str) -> dict[str, Callable[..., Any]]:
    """Return the functions of ``cls`` and its component bases that carry the attribute ``mark``, bases first."""
    return {name: value for klass in _component_classes(cls) for name, value in _marked(klass, mark).items()}


def main_function(cls: type) -> Callable[..., Any] | None:
    """Return the main function of a class: its own, else the one that it inherits.

    :raises SecondMain: if there are two to choose from.
    """
    own = list(_marked(cls, MAIN_ATTR).values())
    inherited = [main for base in cls.__bases__ if (main := getattr(base, "__main__", None)) is not None]
    mains = list(dict.fromkeys(own or inherited))
    if len(mains) > 1:
        raise SecondMain(component=cls.__qualname__, mains=[each.__qualname__ for each in mains])
    return mains[0] if mains else None


def declared_type(cls: type, attribute: str, root: type) -> type | None:
    """Return the class that ``cls`` itself assigns to ``attribute``, or annotates it with; ``None`` if neither.

    A class that is no subclass of ``root`` is reported in the log and taken nevertheless.
    """
    chosen = vars(cls).get(attribute)
    if isinstance(chosen, root):
        chosen = type(chosen)
    if chosen is None:
        chosen = _annotated_type(cls, attribute)
    if chosen is None:
        return None
    if not isinstance(chosen, type):
        logger.error("%s.%s is %r and has no effect: assign a class.", cls.__qualname__, attribute, chosen)
        return None
    if not issubclass(chosen, root):
        logger.error(
            "%s.%s is %s, which must be a subclass of ezmsg.core.%s: write class %s(ez.%s).",
            *(cls.__qualname__, attribute, chosen.__qualname__, root.__name__, chosen.__name__, root.__name__),
        )
    return chosen


def _annotated_type(cls: type, attribute: str) -> object | None:
    try:
        annotation = inspect.get_annotations(cls).get(attribute)
    except NameError:  # annotations are evaluated late from Python 3.14 on, and may name what is not there yet
        return None
    if annotation is None:
        return None
    found = _named(cls, annotation) if isinstance(annotation, str) else annotation
    name = getattr(found, "__qualname__", annotation)
    logger.warning(
        "%s annotates %s. Assign it instead: write `%s = %s`, not `%s: %s`.",
        *(cls.__qualname__, attribute, attribute, name, attribute, name),
    )
    return found


def _named(cls: type, dotted: str) -> object | None:
    """Look up an annotation that is text, as ``from __future__ import annotations`` makes them all."""
    first, *rest = dotted.split(".")
    found = {**vars(sys.modules[cls.__module__]), **vars(cls)}.get(first)
    for name in rest:
        found = getattr(found, name, None)
    return found


def _component_classes(cls: type) -> list[type]:
    return [klass for klass in reversed(cls.__mro__) if issubclass(klass, Addressable)]


def _marked(cls: type, mark: str) -> dict[str, Callable[..., Any]]:
    return {
        name: value
        for name, value in vars(cls).items()
        if callable(value) and not isinstance(value, type) and getattr(value, mark, False) is True
    }
