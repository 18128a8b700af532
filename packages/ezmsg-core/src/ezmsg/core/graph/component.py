"""A component: settings, state and streams under one name; units and collections are its two kinds.

The class says what there is (`ezmsg.core.graph.declarations`), an instance holds its own copies of the streams
and its settings. It can be pickled, so that a unit can be made in one process and run in another; functions stay
on the class.
"""

from abc import ABCMeta
from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, ClassVar, cast

from ezmsg.core.errors import InvalidComponent
from ezmsg.core.graph.addressable import SEPARATOR, Addressable
from ezmsg.core.graph.declarations import declared, declared_type
from ezmsg.core.graph.generics import type_arguments
from ezmsg.core.graph.settings import Settings, check_it_is_no_settings_object, made_of
from ezmsg.core.graph.state import State
from ezmsg.core.graph.streams import Stream
from ezmsg.core.support.logs import logger

_NOTHING: Mapping[str, Any] = MappingProxyType({})


class Component(Addressable, metaclass=ABCMeta):
    """What units and collections have in common.

    Settings come as ``settings=``, else as the first positional argument if it is of the settings' type, else
    all arguments go to that type. A component made without any gets the defaults, or none where a field has no
    default: :meth:`apply_settings` brings them later.
    """

    if TYPE_CHECKING:
        # Assigned, because what is annotated here would be all that checkers believe of it in any subclass.
        SETTINGS = cast("Any", Settings)
        """In the class: the type of the settings. In an instance: its settings, ``None`` while there are none."""

        STATE = cast("Any", State)
        """In the class: the type of the state. In an instance: its state, ``None`` until the unit is set up."""

    _only_looked_at = False
    """Whether it got its place from `ExecutionContext.setup`, and may be placed there again to run."""

    __streams__: ClassVar[Mapping[str, Stream]] = _NOTHING
    __components__: ClassVar[Mapping[str, "Component"]] = _NOTHING
    __tasks__: ClassVar[Mapping[str, Callable[..., Any]]] = _NOTHING
    __threads__: ClassVar[Mapping[str, Callable[..., Any]]] = _NOTHING
    __main__: ClassVar[Callable[..., Any] | None] = None
    __settings_type__: ClassVar[type[Settings]] = Settings
    __state_type__: ClassVar[type[State]] = State

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        cls.__streams__ = declared(cls, Stream)
        # Set only where declared, so that everybody else finds the nearest declaration by inheritance.
        if settings_type := declared_type(cls, "SETTINGS", Settings):
            cls.__settings_type__ = settings_type
        if state_type := declared_type(cls, "STATE", State):
            cls.__state_type__ = state_type

    def __init__(self, *args: Any, settings: Settings | None = None, **kwargs: Any) -> None:
        super().__init__()
        self.SETTINGS = None
        self.STATE = None
        self._settings_applied = False
        self._times_applied = 0
        self._components: dict[str, Component] = {}
        arguments = type_arguments(type(self))
        self._streams = {name: stream._bound(name, arguments) for name, stream in self.__streams__.items()}
        for name, stream in self._streams.items():
            setattr(self, name, stream)
        given = self._settings_from(args, settings, kwargs)
        if given is not None:
            self.apply_settings(given)

    def __repr__(self) -> str:
        inside = vars(self).get("_components") or vars(self).get("_streams") or self.__streams__
        place = SEPARATOR.join([*(self._location or ()), self._name or "without a name"])
        settings = "" if vars(self).get("SETTINGS") is not None else ", no settings yet"
        return f"<{type(self).__name__} {place}: {', '.join(inside) or 'no streams'}{settings}>"

    def _settings_from(
        self, args: tuple[Any, ...], settings: Settings | None, kwargs: dict[str, Any]
    ) -> Settings | None:
        settings_type = self.__settings_type__
        if settings is not None:
            return settings
        if args and isinstance(args[0], settings_type):
            return args[0]
        if args or kwargs:
            check_it_is_no_settings_object(self._label(), settings_type, args)
            return made_of(self._label(), settings_type, args, kwargs)
        try:
            return settings_type()
        except TypeError:  # a field without a default: somebody will call apply_settings
            return None

    def apply_settings(self, settings: Settings) -> None:
        """Take ``settings`` in place of those it has; before the graph runs, often in a collection's ``configure``.

        Settings of another type are taken too, for they may look the same, and reported in the log.
        """
        if not isinstance(settings, self.__settings_type__):
            expected, got = self.__settings_type__.__qualname__, type(settings).__qualname__
            logger.warning("%s takes settings of type %s and was given %s.", self._label(), expected, got)
        self.SETTINGS = settings
        self._settings_applied = True
        self._times_applied += 1

    def _set_location(self, location: list[str] | None = None) -> None:
        if "_streams" not in vars(self):
            reason = (
                "its __init__ does not call that of its base; begin it with super().__init__(...), and pass on the "
                "settings"
            )
            raise InvalidComponent(component=type(self).__qualname__, reason=reason)
        super()._set_location(location)
        if self._name is None:
            self._set_name()
        inside = [*self.location, self.name]
        for stream in self._streams.values():
            stream._set_location(inside)
        for name, component in self._components.items():
            if component._name is None:
                component._set_name(name)
            component._set_location(inside)

    @property
    def streams(self) -> dict[str, Stream]:
        """Its own streams, by attribute name."""
        return self._streams

    @property
    def components(self) -> "dict[str, Component]":
        """Its children, by attribute name; a unit has none."""
        return self._components

    @property
    def tasks(self) -> dict[str, Callable[..., Any]]:
        """The functions of its class that are tasks, publishers or subscribers, by name; not bound to it."""
        return dict(self.__tasks__)

    @property
    def threads(self) -> dict[str, Callable[..., Any]]:
        """The functions of its class that run in threads, by name; not bound to it."""
        return dict(self.__threads__)

    @property
    def main(self) -> Callable[..., Any] | None:
        """The function of its class that runs on the main thread; not bound to it."""
        return type(self).__main__
