"""Which of a unit's own streams a function or a declaration means.

A decorator sees the declaration in the class body, shared by all instances and by all subclasses; the runtime
needs the instance's copy, with its address. They are matched by name, so a subclass that declares a stream anew
gives its inherited functions the new one.
"""

from collections.abc import Callable
from typing import Any

from ezmsg.core.graph.component import Component
from ezmsg.core.graph.decorators import PUBLISHES_ATTR, SUBSCRIBES_ATTR
from ezmsg.core.graph.streams import InputStream, OutputStream, Stream


def bound_stream(component: Component, stream: Stream) -> Stream | None:
    """Return the component's own copy of ``stream``, which may be that copy; ``None`` if it has none."""
    return None if stream._name is None else component.streams.get(stream._name)


def subscription_of(component: Component, func: Callable[..., Any]) -> InputStream | None:
    """Return the stream whose messages ``func`` is called with; ``None`` if it is no subscriber."""
    declaration = getattr(func, SUBSCRIBES_ATTR, None)
    stream = None if declaration is None else bound_stream(component, declaration)
    return stream if isinstance(stream, InputStream) else None


def publications_of(component: Component, func: Callable[..., Any]) -> list[OutputStream]:
    """Return the streams on which ``func`` publishes, in the order of its decorators from below upwards."""
    streams = (bound_stream(component, declaration) for declaration in getattr(func, PUBLISHES_ATTR, ()))
    return [stream for stream in streams if isinstance(stream, OutputStream)]


def unbound_streams(component: Component, func: Callable[..., Any]) -> list[Stream]:
    """Return the declarations that ``func`` names and ``component`` does not have; normally none."""
    named = [*getattr(func, PUBLISHES_ATTR, ()), getattr(func, SUBSCRIBES_ATTR, None)]
    return [each for each in named if each is not None and bound_stream(component, each) is None]
