"""Which units and relays run together in one process.

A component gets a process of its own if the collection right above it lists it in ``process_components()`` (or
``run(process_components=...)`` does, at the top), or if its class is decorated with ``@process``. A listed
collection takes all those of its units along that are not separated again inside. A relay runs with what its
collection does not separate; if that is nothing, the relays have a process to themselves. Whatever nobody listed
runs together.
"""

from collections.abc import Collection as AbstractCollection
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from ezmsg.core.errors import InvalidComponent
from ezmsg.core.graph.collection import Collection
from ezmsg.core.graph.component import Component
from ezmsg.core.graph.decorators import PROCESS_ATTR
from ezmsg.core.graph.relays import Relay, ResolvedRelay, relays_of, resolve_relay
from ezmsg.core.graph.unit import Unit
from ezmsg.core.support.logs import logger

Group = list[Unit | Relay]
"""What shares a process."""


@dataclass(frozen=True)
class ProcessPlan:
    """What one process of a run does. It is handed to that process, pickled where it must be."""

    units: list[Unit]
    relays: list[ResolvedRelay]

    endless: bool = False
    """Whether it is never done by itself: in a program of relays alone, nobody else could tell."""

    ends_run: tuple[str, ...] = ()
    """The addresses of those of its units with whose last task the run ends."""

    transport: str | None = None
    """The transport of the streams that name none."""

    @property
    def addresses(self) -> list[str]:
        """The units', then the relays'; there is at least one."""
        return [unit.address for unit in self.units] + [relay.address for relay in self.relays]


def plan_processes(groups: Sequence[Group]) -> list[ProcessPlan]:
    """Return what each group's process does, with the options that relays have at this moment."""
    endless = not any(isinstance(each, Unit) for group in groups for each in group)
    return [
        ProcessPlan(
            units=[each for each in group if isinstance(each, Unit)],
            relays=[resolve_relay(each) for each in group if isinstance(each, Relay)],
            endless=endless,
        )
        for group in groups
    ]


def group_by_process(components: Iterable[Component], listed: AbstractCollection[Component]) -> list[Group]:
    """Return what each process runs; what the first one runs shares it because nobody listed it.

    If everything was listed, the first process is the first that was.

    :raises InvalidComponent: if a collection's ``process_components()`` does not return components.
    """
    separate, together = _split(components, _checked(listed, "process_components"), "process_components")
    return [together, *separate] if together else separate


def _split(
    components: Iterable[Component], listed: list[object], where: str, itself: Component | None = None
) -> tuple[list[Group], Group]:
    separate: list[Group] = []
    together: Group = []
    components = list(components)
    _warn_of_strangers(components, listed, where, itself)
    for component in components:
        group: Group = []
        if isinstance(component, Unit):
            group = [component]
        elif isinstance(component, Collection):
            where = f"{component.address}.process_components()"
            inside = _checked(component.process_components(), where)
            inner, group = _split(component.components.values(), inside, where, component)
            group += relays_of(component)
            separate += inner
        if _is_in(component, listed) or getattr(component, PROCESS_ATTR, False):
            separate += [group] if group else []
        else:
            together += group
    return separate, together


def _warn_of_strangers(
    components: list[Component], listed: list[object], where: str, itself: Component | None
) -> None:
    """Say what is listed without an effect."""
    for each in listed:
        if each is itself or any(each is component for component in components):
            continue
        if isinstance(each, Component):
            what = f"{each._label()}, which does not lie right inside; list what does, as self.CHILD"
        elif isinstance(each, type) and issubclass(each, Component):
            what = f"the class {each.__qualname__}; list what was made of it, as self.CHILD"
        else:
            what = f"{each!r}, which is no component"
        logger.warning("%s lists %s. It has no effect.", where, what)


def _checked(listed: object, where: str) -> list[object]:
    if not isinstance(listed, Iterable):
        reason = (
            f"it has to be the components that get processes of their own and is {listed!r}; write (self.CHILD,)"
        )
        raise InvalidComponent(component=where, reason=reason)
    return list(listed)


def _is_in(component: Component, listed: list[object]) -> bool:
    return any(each is component for each in listed)
