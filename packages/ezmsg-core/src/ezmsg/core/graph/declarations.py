"""What the class of a component declares: its streams, tasks, children, and the types of its settings and state.

Read once, when the class is made, into tables on the class (``__streams__``, ``__tasks__``, ...) that tools and
the runtime use. Only component classes are looked at: a plain mixin's streams and tasks are not gathered. The
nearest class wins, as with any attribute, but what is overridden by something of another kind stays declared: a
method without a decorator does not take a task away.
"""

import functools
import inspect
import sys
from collections.abc import Callable
from typing import Any, TypeVar

from ezmsg.control.settings_schema.fields.kinds import is_record_type
from ezmsg.core.errors import InvalidComponent, InvalidDecoration, SecondMain
from ezmsg.core.graph.addressable import Addressable
from ezmsg.core.graph.decorators import MAIN_ATTR, PUBLISHES_ATTR, SUBSCRIBES_ATTR, TASK_ATTR, THREAD_ATTR
from ezmsg.core.graph.settings import Settings
from ezmsg.core.support.logs import logger

T = TypeVar("T")

_DECORATORS = {
    SUBSCRIBES_ATTR: "subscriber",
    PUBLISHES_ATTR: "publisher",
    TASK_ATTR: "task",
    MAIN_ATTR: "main",
    THREAD_ATTR: "thread",
}


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


def refuse_what_only_units_have(cls: type) -> None:
    """See that a class that runs nothing itself declares nothing to run, and no state.

    :raises InvalidComponent: if it does.
    """
    for name, value in vars(cls).items():
        if (decorator := _decorator_of(value)) is not None:
            reason = f"{name} is decorated with @{decorator}, and a Collection runs nothing; write it in a Unit"
            raise InvalidComponent(component=cls.__qualname__, reason=reason)
    if "STATE" in vars(cls) or "STATE" in inspect.get_annotations(cls):
        reason = "it has a STATE, which only a Unit has; keep what is to be remembered in one of its units"
        raise InvalidComponent(component=cls.__qualname__, reason=reason)
    for name in ("initialize", "shutdown"):  # said, and not refused: it may be a function of the program's own
        if inspect.isfunction(vars(cls).get(name)):
            logger.warning(
                "%s.%s() is called by nobody, as %s is a Collection, which runs nothing. Write it in one of its "
                "units.",
                *(cls.__qualname__, name, cls.__qualname__),
            )


def see_that_they_can_be_called(cls: type) -> None:
    """See that the decorated functions in the body of a class can be called as they will be.

    :raises InvalidDecoration: if one takes more or less than the unit, and a message if it subscribes.
    """
    for name, value in vars(cls).items():
        if (decorator := _decorator_of(value)) is None:
            continue
        function = f"{cls.__qualname__}.{name}"
        if isinstance(value, classmethod | staticmethod):
            reason = f"it would be called with the unit; leave @{type(value).__name__} out"
            raise InvalidDecoration(decorator=decorator, function=function, reason=reason)
        if isinstance(value, type) or not callable(value):
            continue
        subscribes = hasattr(value, SUBSCRIBES_ATTR)
        if not takes(value, 1) and not (subscribes and takes(value, 2)):
            wanted = f"def {name}(self, message)" if subscribes else f"def {name}(self)"
            hint = "" if subscribes or not takes(value, 2) else ". Only one with @subscriber is given a message"
            reason = f"it would be called as {wanted}, and cannot be; write it so{hint}"
            raise InvalidDecoration(decorator=decorator, function=function, reason=reason)


def takes(func: Callable[..., Any], count: int) -> bool:
    """Return whether a function can be called with so many arguments, as far as it says what it takes."""
    try:
        signature = inspect.signature(func)
    except (ValueError, TypeError):  # a built-in one, or one that is wrapped by something strange
        return True
    try:
        signature.bind(*[None] * count)
    except TypeError:
        return False
    return True


def called_with_message(func: Callable[..., Any]) -> Callable[..., Any]:
    """Return a subscriber that can be called with a message, also if it asks for none."""
    if not hasattr(func, SUBSCRIBES_ATTR) or takes(func, 2):
        return func

    @functools.wraps(func)
    def call(unit: Any, _: Any) -> Any:
        return func(unit)

    return call


def warn_of_lost_functions(cls: type) -> None:
    """Say what a class inherits from a base that is no component: nobody looks for tasks there."""
    for base in cls.__bases__:
        if issubclass(base, Addressable):
            continue
        for klass in base.__mro__:
            for name, value in vars(klass).items():
                if (decorator := _decorator_of(value)) is not None:
                    logger.warning(
                        "%s inherits %s with @%s from %s, which is no Unit, so that it is never run. Derive %s "
                        "from ez.Unit.",
                        *(cls.__qualname__, name, decorator, klass.__qualname__, klass.__qualname__),
                    )


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

    A class that is no subclass of ``root`` is taken, and reported in the log; but settings may be of any type whose
    fields can be listed: a dataclass, or a class of attrs, pydantic or param.
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
    if not issubclass(chosen, root) and not (root is Settings and is_record_type(chosen)):
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


def _decorator_of(value: object) -> str | None:
    """Return which decorator makes a function run, if one does."""
    value = value.__func__ if isinstance(value, classmethod | staticmethod) else value
    for mark, decorator in _DECORATORS.items():
        if not isinstance(value, type) and getattr(value, mark, None):
            return decorator
    return None


def _marked(cls: type, mark: str) -> dict[str, Callable[..., Any]]:
    return {
        name: value
        for name, value in vars(cls).items()
        if callable(value) and not isinstance(value, type) and getattr(value, mark, False) is True
    }
