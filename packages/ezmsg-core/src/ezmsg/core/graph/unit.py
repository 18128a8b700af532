"""A unit: a component that does something, in functions that a decorator joins to its streams.

The runtime makes a unit ready with :meth:`Unit.setup`, runs what its class tables list, and ends it with
:meth:`Unit.shutdown`. Which of the unit's streams a function means is told by `ezmsg.core.graph.bindings`.
"""

import inspect
from typing import Any, ClassVar

from ezmsg.core.errors import InvalidComponent, SettingsMissing, StateNotInitialized
from ezmsg.core.graph.checked_types import may_be_plain
from ezmsg.core.graph.component import Component
from ezmsg.core.graph.declarations import (
    called_with_message,
    decorated,
    main_function,
    see_that_they_can_be_called,
    warn_of_lost_functions,
)
from ezmsg.core.graph.decorators import TASK_ATTR, THREAD_ATTR
from ezmsg.core.graph.settings import Settings
from ezmsg.core.graph.state import fill_defaults, unset_fields
from ezmsg.core.graph.streams import Topic
from ezmsg.core.support.logs import logger


class Unit(Component):
    """The working part of a graph: subclass it, declare streams, decorate functions.

    ::

        class Scale(ez.Unit):
            SETTINGS = ScaleSettings            # an ez.Settings: self.SETTINGS.factor
            STATE = ScaleState                  # an ez.State: self.STATE.count

            INPUT = ez.InputStream(float)
            OUTPUT = ez.OutputStream(float)

            async def initialize(self) -> None:  # once, before any message
                self.STATE.count = 0

            @ez.subscriber(INPUT)
            @ez.publisher(OUTPUT)
            async def scale(self, value: float) -> AsyncIterator[tuple[ez.OutputStream[float], float]]:
                self.STATE.count += 1
                yield self.OUTPUT, self.SETTINGS.factor * value

            async def shutdown(self) -> None:    # once, however the run ends
                ez.logger.info("%d values", self.STATE.count)

    Make one with its settings, ``Scale(ScaleSettings(factor=2.0))`` or ``Scale(factor=2.0)``, and give it to
    :func:`run`, or declare it in a :class:`Collection`. A task raises ``ez.Complete`` when it is done, and
    ``ez.NormalTermination`` when the whole program is.
    """

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        for name, stream in cls.__streams__.items():
            if isinstance(stream, Topic):
                reason = (
                    f"{name} is of type {type(stream).__name__}, which belongs on a Collection; "
                    "a Unit has InputStream and OutputStream only"
                )
                raise InvalidComponent(component=cls.__qualname__, reason=reason)
        for name, value in vars(cls).items():
            if isinstance(value, Component):
                logger.warning(
                    "%s.%s is a component on a Unit, which has no components, so that it is never run. Declare "
                    "both on a Collection.",
                    *(cls.__qualname__, name),
                )
        see_that_they_can_be_called(cls)
        warn_of_lost_functions(cls)
        cls.__tasks__ = {name: called_with_message(func) for name, func in decorated(cls, TASK_ATTR).items()}
        cls.__threads__ = decorated(cls, THREAD_ATTR)
        cls.__main__ = main_function(cls)

    SHUTDOWN_TIMEOUT: ClassVar[float | None] = None
    """How many seconds :meth:`shutdown` may need, where that is more than others have: a recorder's, say."""

    def __init__(self, *args: Any, settings: Settings | None = None, **kwargs: Any) -> None:
        super().__init__(*args, settings=settings, **kwargs)

    @may_be_plain
    async def initialize(self) -> None:
        """Get ready, with the settings at hand: assign the state, open devices. May be a plain function too."""

    @may_be_plain
    async def shutdown(self) -> None:
        """Give back what :meth:`initialize` took. May be a plain function too."""

    async def setup(self) -> None:
        """Make the unit ready, in the process and on the loop where it will run; the runtime calls this once.

        :raises SettingsMissing: if nobody gave it settings.
        :raises StateNotInitialized: if a field of the state has no value after :meth:`initialize`.
        """
        self._check_settings()
        self._instantiate_state()
        initialized = self.initialize()
        if inspect.isawaitable(initialized):  # users write it as a plain function, too
            await initialized
        self._check_state()

    def _check_settings(self) -> None:
        if not self._settings_applied and self.SETTINGS is None:
            raise SettingsMissing(component=self._label(), settings_type=self.__settings_type__.__qualname__)

    def _instantiate_state(self) -> None:
        """Make the state, unless the unit's constructor did, and fill in what has a default."""
        if self.STATE is None:
            self.STATE = self.__state_type__()
        fill_defaults(self.STATE)

    def _check_state(self) -> None:
        for field in unset_fields(self.STATE):
            raise StateNotInitialized(component=self._label(), field=field)
