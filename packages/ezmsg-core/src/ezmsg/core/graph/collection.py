"""A collection: components under one roof, and the edges between them.

It holds copies of the components that its class declares, so that ``self.CHILD`` in :meth:`Collection.network`
and :meth:`Collection.configure` is this collection's own. It runs nothing itself.
"""

import collections.abc
import copy
import warnings
from collections.abc import Iterable
from typing import Any

from ezmsg.core.errors import InvalidComponent
from ezmsg.core.graph.component import Component
from ezmsg.core.graph.declarations import declared, refuse_what_only_units_have
from ezmsg.core.graph.settings import Settings
from ezmsg.core.graph.streams import InputStream, OutputStream, Stream
from ezmsg.core.support.copying import uncopyable_words
from ezmsg.core.support.wording import described

NetworkDefinition = Iterable[tuple[Stream | str, Stream | str]]
"""Edges, each from one stream or topic to another."""


class Collection(Component):
    """Components joined into one: declare them in the class body, join them in :meth:`network`.

    ::

        class Pipeline(ez.Collection):
            SETTINGS = PipelineSettings

            INLET = ez.InputTopic(float)         # what the outside connects to
            SCALE = Scale()
            STORE = Store()

            def configure(self) -> None:         # before anything runs
                self.SCALE.apply_settings(ScaleSettings(factor=self.SETTINGS.factor))

            def network(self) -> ez.NetworkDefinition:
                return (
                    (self.INLET, self.SCALE.INPUT),
                    (self.SCALE.OUTPUT, self.STORE.INPUT),
                )

            def process_components(self):
                return (self.STORE,)             # gets a process of its own
    """

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        cls.__components__ = declared(cls, Component)
        refuse_what_only_units_have(cls)
        for name, value in vars(cls).items():
            if isinstance(value, InputStream | OutputStream):
                _warn_of_stream(cls.__qualname__, name, value)

    def __init__(self, *args: Any, settings: Settings | None = None, **kwargs: Any) -> None:
        super().__init__(*args, settings=settings, **kwargs)
        for name, component in self.__components__.items():
            self._components[name] = _copied(component, f"{type(self).__qualname__}.{name}")
            setattr(self, name, self._components[name])

    def configure(self) -> None:
        """Give the children their settings; called from the outermost collection inwards, before anything runs."""

    def network(self) -> NetworkDefinition:
        """Return the edges inside: pairs of streams, topics, or texts and enum members that name topics."""
        return ()

    def process_components(self) -> collections.abc.Collection[Component]:
        """Return the children that shall have a process of their own; by default none has."""
        return (self,)


def _copied(component: Component, where: str) -> Component:
    try:
        return copy.deepcopy(component)
    except Exception as error:  # what copying any object of the user's may raise
        reason = (
            f"a collection has copies of its components, and {uncopyable_words(component, where)} "
            f"({described(error)}); make it in initialize() and keep it in the STATE, or give it a __deepcopy__"
        )
        raise InvalidComponent(component=where, reason=reason) from error


def _warn_of_stream(collection: str, name: str, stream: Stream) -> None:
    kind = type(stream).__name__
    side = "Input" if isinstance(stream, InputStream) else "Output"
    warnings.warn(
        f"{collection}.{name} is an {kind}, on a Collection. That will not work for ever: write {side}Topic, or "
        f"{side}Relay to have messages published again.",
        FutureWarning,
        stacklevel=4,  # this function, __init_subclass__, ABCMeta.__new__, and then the class statement
    )
