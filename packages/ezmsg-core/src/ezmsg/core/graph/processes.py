"""Which units run together in one process.

A component gets a process of its own if the collection right above it lists it in ``process_components()`` (or
``run(process_components=...)`` does, at the top), or if its class is decorated with ``@process``. A listed
collection takes all those of its units along that are not separated again inside. Whatever nobody listed runs
together.
"""

from collections.abc import Collection as AbstractCollection
from collections.abc import Iterable

from ezmsg.core.errors import InvalidComponent
from ezmsg.core.graph.collection import Collection
from ezmsg.core.graph.component import Component
from ezmsg.core.graph.decorators import PROCESS_ATTR
from ezmsg.core.graph.unit import Unit


def group_units(components: Iterable[Component], listed: AbstractCollection[Component]) -> list[list[Unit]]:
    """Return the units of each process; those of the first one share a process because nobody listed them.

    If everything was listed, the first process is the first that was.

    :raises InvalidComponent: if a collection's ``process_components()`` does not return components.
    """
    separate, together = _split(components, _checked(listed, "process_components"))
    return [together, *separate] if together else separate


def _split(components: Iterable[Component], listed: list[object]) -> tuple[list[list[Unit]], list[Unit]]:
    separate: list[list[Unit]] = []
    together: list[Unit] = []
    for component in components:
        units: list[Unit] = []
        if isinstance(component, Unit):
            units = [component]
        elif isinstance(component, Collection):
            where = f"{component.address}.process_components()"
            inner, units = _split(component.components.values(), _checked(component.process_components(), where))
            separate += inner
        if _is_in(component, listed) or getattr(component, PROCESS_ATTR, False):
            separate += [units] if units else []
        else:
            together += units
    return separate, together


def _checked(listed: object, where: str) -> list[object]:
    if not isinstance(listed, Iterable):
        reason = (
            f"it has to be the components that get processes of their own and is {listed!r}; write (self.CHILD,)"
        )
        raise InvalidComponent(component=where, reason=reason)
    return list(listed)


def _is_in(component: Component, listed: list[object]) -> bool:
    return any(each is component for each in listed)
