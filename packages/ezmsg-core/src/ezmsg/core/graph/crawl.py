"""From root components to plain data that can be run: addresses, edges, and what each process does.

Users' hooks are called in an order that programs rely on: every ``network()``, then every
``process_components()``, then every ``configure()``; each from the outside inwards. A collection that is
configured can therefore set its children's settings and its relays' options, but no longer its edges. Everything
that can be found wrong before anything runs is found here, and named with its address.
"""

from collections.abc import Callable, Iterable, Mapping
from collections.abc import Collection as AbstractCollection
from dataclasses import dataclass

from ezmsg.core.errors import InvalidComponent
from ezmsg.core.graph.addressable import check_name, is_encodable
from ezmsg.core.graph.advice import advice_on
from ezmsg.core.graph.bindings import unbound_streams
from ezmsg.core.graph.collection import Collection
from ezmsg.core.graph.component import Component
from ezmsg.core.graph.endpoints import Edge, lead_over_relays, resolve_edges
from ezmsg.core.graph.processes import ProcessPlan, group_by_process, plan_processes
from ezmsg.core.graph.streams import Stream
from ezmsg.core.graph.unit import Unit
from ezmsg.core.support.logs import logger


@dataclass(frozen=True)
class ResolvedGraph:
    """A program's graph, ready to be run."""

    root_name: str | None
    roots: dict[str, Component]
    """The root components, by the names they were given."""

    components: dict[str, Component]
    """All components by address, sorted."""

    units: dict[str, Unit]
    """Those that are units."""

    edges: list[Edge]
    """The connections that were given, then those of each collection from the outside inwards, then the relays'."""

    processes: list[ProcessPlan]
    """What each process does; the caller's own process runs the first. No process has nothing to do."""


def crawl_components(component: Component, callback: Callable[[Component], None] | None = None) -> list[Component]:
    """Return ``component`` and all below it, parents before children and the last child first."""
    found: list[Component] = []
    waiting = [component]
    while waiting:
        current = waiting.pop()
        found.append(current)
        if callback is not None:
            callback(current)
        waiting += current.components.values()
    return found


def resolve_graph(
    components: Mapping[str, Component],
    root_name: str | None = None,
    connections: Iterable[tuple[Stream | str, Stream | str]] | None = None,
    process_components: AbstractCollection[Component] | None = None,
    force_single_process: bool = False,
) -> ResolvedGraph:
    """Give every component its address, call the collections' hooks, and return what is to be run.

    :raises NameAlreadySet: if a component has a place in a graph already.
    :raises InvalidComponent: if something stands where only components, or pairs, can.
    :raises InvalidEndpoint: if an end of an edge is none.
    :raises SettingsMissing: if a unit has no settings after everything is configured.
    :raises CyclicException: if messages could go round over a relay.
    """
    _place(components, root_name)
    edges = resolve_edges(connections or (), "connections")
    crawled = [each for root in components.values() for each in crawl_components(root)]
    by_address = _by_address(crawled)
    collections = [each for each in crawled if isinstance(each, Collection)]
    for collection in collections:
        edges += resolve_edges(collection.network(), f"{collection.address}.network()")
    groups = group_by_process(components.values(), process_components or ())
    for collection in collections:
        collection.configure()
    for advice in advice_on(by_address, edges):
        logger.log(advice.level, "%s", advice.text)
    units = {address: each for address, each in by_address.items() if isinstance(each, Unit)}
    for unit in units.values():
        _check_unit(unit)
    if force_single_process and groups:
        groups = [[each for group in groups for each in group]]
    processes = plan_processes(groups)
    edges = lead_over_relays(edges, [relay for process in processes for relay in process.relays])
    return ResolvedGraph(root_name, dict(components), by_address, units, edges, processes)


def _place(components: Mapping[str, Component], root_name: str | None) -> None:
    location = [] if root_name is None else [root_name]
    if root_name is not None and not (isinstance(root_name, str) and is_encodable(root_name)):
        check_name("root_name", root_name)
    for name, component in components.items():
        if not isinstance(component, Component):
            made = isinstance(component, type) and issubclass(component, Component)
            hint = f"a class; make a component of it: {name}={component.__name__}(...)" if made else repr(component)
            reason = f"a graph is made of Units and Collections, and this is {hint}"
            raise InvalidComponent(component=str(name), reason=reason)
        if _was_only_looked_at(component, name, location):
            continue
        component._set_name(name)
        component._set_location(location)


def _was_only_looked_at(component: Component, name: str, location: list[str]) -> bool:
    """Return whether a component has this very place, from a look that a tool took at the graph before it runs."""
    looked_at, component._only_looked_at = component._only_looked_at, False
    return looked_at and (component._name, component._location) == (name, location)


def _by_address(components: Iterable[Component]) -> dict[str, Component]:
    by_address: dict[str, Component] = {}
    for component in components:
        if by_address.setdefault(component.address, component) is not component:
            reason = "two components have this address; give one of them another name"
            raise InvalidComponent(component=component.address, reason=reason)
    return dict(sorted(by_address.items()))


def _check_unit(unit: Unit) -> None:
    if type(unit).setup is Unit.setup:  # one of its own may bring the settings with it
        unit._check_settings()
    for name, func in unit.tasks.items():
        for stream in unbound_streams(unit, func):
            logger.warning("%s:%s is joined to %r, which is no stream of the unit.", unit.address, name, stream)
