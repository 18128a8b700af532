"""What every worker needs first of all, made ready once by the process that forks them, and not by each of them."""

from collections.abc import Iterable

from ezmsg.core.graph.processes import ProcessPlan
from ezmsg.core.messages import decoding
from ezmsg.core.messages.active import CODEC
from ezmsg.core.pubsub import admission, options, routes
from ezmsg.core.runtime import tasks, words
from ezmsg.core.runtime.loops import find_loop
from ezmsg.core.transports import handing_over, segments
from ezmsg.protocol import announcement
from ezmsg.protocol.declared import write_modules
from ezmsg.protocol.messages import channels, endpoints, envelopes, handshake, processes, sessions
from ezmsg.protocol.wire import connection_events
from ezmsg.protocol.wire.codec import prepare

_FIRST = (
    handshake.Hello,
    handshake.Challenge,
    handshake.Proof,
    handshake.Welcome,
    envelopes.Request,
    envelopes.Reply,
    endpoints.DeclarePublisher,
    endpoints.DeclareSubscriber,
    endpoints.DeclareEndpoints,
    endpoints.Joined,
    endpoints.ApplyRoutes,
    processes.RegisterProcess,
    sessions.Done,
    channels.LinkHello,
    channels.OpenChannel,
    channels.ChannelChallenge,
    channels.ChannelProof,
    channels.ChannelOpened,
    channels.ChannelEnded,
    channels.ChannelEndSeen,
    channels.CloseChannel,
    endpoints.Withdraw,
)
"""The messages that every worker exchanges."""

_OWN = (
    admission,
    announcement,
    connection_events,
    decoding,
    handing_over,
    options,
    routes,
    segments,
    tasks,
    words,
)
"""Where the other classes are that every worker makes."""


_OF_THEIR_OWN = ("builtins", "numpy", "typing")
"""Whose classes need no encoding that somebody brings."""


def warm_up(plans: Iterable[ProcessPlan]) -> None:
    """Import what is imported late, write classes, and find the codec's ways for messages."""
    find_loop()
    kinds = [stream.msg_type for plan in plans for unit in plan.units for stream in unit.streams.values()]
    for kind in {kind for kind in kinds if isinstance(kind, type)}:
        if kind.__module__ not in _OF_THEIR_OWN:
            CODEC.prepare(kind)
    write_modules(_OWN)
    prepare(_FIRST)
