"""What may stand at an end of an edge, which topic it means, and how edges lead over relays."""

import enum
from collections.abc import Iterable, Sequence

from ezmsg.core.errors import InvalidComponent, InvalidEndpoint
from ezmsg.core.graph.addressable import is_encodable
from ezmsg.core.graph.component import Component
from ezmsg.core.graph.relays import ResolvedRelay
from ezmsg.core.graph.streams import Stream
from ezmsg.protocol.graph.dag import DAG

Edge = tuple[str, str]
"""Two topics: the one that feeds, the one that is fed."""


def resolve_endpoint(endpoint: object, where: str) -> str:
    """Return the topic that ``endpoint`` means: a stream's address, a text as it is, an enum member's name.

    :param where: Whose connection it is, for the error.
    :raises InvalidEndpoint: if it is anything else, or a stream that has no address.
    """
    if isinstance(endpoint, Stream):
        if endpoint._name is None or endpoint._location is None:
            reason = (
                "it has no address; name a stream of a component of this graph, as in self.CHILD.OUTPUT, and of a "
                "component that was made, with CHILD = Child() and not CHILD = Child"
            )
            raise InvalidEndpoint(component=where, endpoint=repr(endpoint), reason=reason)
        return endpoint.address
    if isinstance(endpoint, enum.Enum):  # before text: a StrEnum's member means its name, too
        return endpoint.name
    if isinstance(endpoint, str):
        if not endpoint or not is_encodable(endpoint):
            reason = "a topic is a text of whole characters, and not empty"
            raise InvalidEndpoint(component=where, endpoint=repr(endpoint), reason=reason)
        return endpoint
    raise InvalidEndpoint(component=where, endpoint=repr(endpoint), reason=_why(endpoint))


def resolve_edges(edges: object, where: str) -> list[Edge]:
    """Return ``edges`` as pairs of topics, in their order.

    :raises InvalidComponent: if they are not pairs.
    :raises InvalidEndpoint: if an end of one is not an endpoint.
    """
    if not isinstance(edges, Iterable):
        reason = f"it has to be pairs of streams and is {edges!r}; return () if there are none"
        raise InvalidComponent(component=where, reason=reason)
    return [_resolve_edge(edge, where) for edge in edges]


def lead_over_relays(edges: Sequence[Edge], relays: Sequence[ResolvedRelay]) -> list[Edge]:
    """Return ``edges`` with every relay's bridge in between, then one for each relay that joins it to its address.

    At an entrance, what comes to the relay's address goes into the bridge, and who is fed by that address hears the
    other end of it. At an exit, what comes to the address goes into the bridge, whose other end feeds the address.

    :raises CyclicException: if messages could come back to where they started. Among edges the graph server would
        find that; over a bridge it cannot.
    """
    if relays:
        _check_acyclic(edges)
    feeding = {relay.address: relay.output_topic for relay in relays if not relay.at_exit}
    fed = {relay.address: relay.input_topic for relay in relays if relay.at_exit}
    led = [(feeding.get(from_topic, from_topic), fed.get(to_topic, to_topic)) for from_topic, to_topic in edges]
    return led + [_joined(relay) for relay in relays]


def _joined(relay: ResolvedRelay) -> Edge:
    return (relay.output_topic, relay.address) if relay.at_exit else (relay.address, relay.input_topic)


def _check_acyclic(edges: Iterable[Edge]) -> None:
    """Look at the edges as they were given, where a relay is one node: so the error has names that users know."""
    dag = DAG()
    for from_topic, to_topic in edges:
        dag.add_edge(from_topic, to_topic)


def _resolve_edge(edge: object, where: str) -> Edge:
    if not isinstance(edge, tuple | list) or len(edge) != 2:
        reason = f"{edge!r} is not an edge; write (FROM, TO), and a comma behind it if it is the only one"
        raise InvalidComponent(component=where, reason=reason)
    return resolve_endpoint(edge[0], where), resolve_endpoint(edge[1], where)


def _why(endpoint: object) -> str:
    expected = "give a stream, a text or an enum member"
    if isinstance(endpoint, Component):
        names = ", ".join(endpoint.streams) or "none"
        return f"it is a component; {expected}; its streams are: {names}"
    return f"it is of type {type(endpoint).__name__}; {expected}"
