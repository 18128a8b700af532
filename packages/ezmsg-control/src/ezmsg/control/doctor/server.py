"""The graph server: does it answer, how soon, and which versions do all who are connected speak?"""

import time
from collections.abc import Iterator

from attrs import frozen

from ezmsg.control.connection.announcements import running_graphs
from ezmsg.control.doctor.examination import Examination, Surroundings
from ezmsg.control.doctor.findings import Finding, fail, ok, warn
from ezmsg.control.graph.operations import take_peers
from ezmsg.control.rendering.quantities import counted
from ezmsg.protocol.addresses import Address
from ezmsg.protocol.errors import UnknownMessage
from ezmsg.protocol.messages.service import ConnectedPeer
from ezmsg.protocol.revisions import CURRENT, PACKAGE_VERSION, Revision

_SLOW_S = 0.5


@frozen
class ServerRecord:
    """What was seen of the server: nothing but ``failure`` if it was not reached.

    ``peers`` is ``None`` if the server does not tell, ``up_s`` if nothing says since when it runs. ``authority`` is
    the file by which it was checked, if it speaks TLS.
    """

    address: Address | None
    named: bool
    failure: str
    took_s: float = 0.0
    revision: Revision = CURRENT
    package: str = PACKAGE_VERSION
    peers: tuple[ConnectedPeer, ...] | None = None
    up_s: float | None = None
    authority: str = ""


def judge(record: ServerRecord) -> Iterator[Finding]:
    """Yield whether there is a server, and who speaks what."""
    if record.failure:
        # Where nobody named an address, perhaps nothing is meant to run.
        verdict = fail if record.named else warn
        yield verdict(f"no graph server: {record.failure}")
        return
    up = "" if record.up_s is None else f"; up {_duration(record.up_s)}"
    tls = f"; by TLS, as {record.authority} proves" if record.authority else ""
    took = f"{1000 * record.took_s:.1f} ms"
    answered = f"server {record.address} answers in {took}; protocol {record.revision}{up}{tls}"
    if record.took_s > _SLOW_S:
        yield warn(f"{answered}: that is late", "ezmsg process, and the load of its machine")
    else:
        yield ok(answered)
    if record.package != PACKAGE_VERSION:
        yield _other_version(f"the server runs ezmsg-protocol {record.package}, this command {PACKAGE_VERSION}")
    if record.peers is not None:
        yield from _judge_peers(record.peers, record.revision)


def _judge_peers(peers: tuple[ConnectedPeer, ...], revision: Revision) -> Iterator[Finding]:
    odd = [peer for peer in peers if peer.package != PACKAGE_VERSION]
    speaking = sum(peer.revision.major == revision.major for peer in peers)
    if not odd:
        yield ok(f"protocol {revision.major} is spoken by {speaking} of {counted(len(peers), 'peer')}")
    for peer in odd:
        where = f"pid {peer.pid} on {peer.host}" if peer.pid is not None else f"client {peer.client_id}"
        yield _other_version(f"{where} runs ezmsg-protocol {peer.package}, this command {PACKAGE_VERSION}")


def _other_version(text: str) -> Finding:
    return warn(f"{text}: they understand each other, but may not be able to do the same", "ezmsg --version, there")


def _duration(seconds: float) -> str:
    minutes, rest = divmod(int(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    words = (f"{hours} h" if hours else "", f"{minutes} m" if hours or minutes else "", f"{rest} s")
    return " ".join(word for word in words if word)


async def _gather(surroundings: Surroundings) -> ServerRecord:
    connection, address = surroundings.connection, surroundings.address
    if connection is None:
        return ServerRecord(address, surroundings.named, surroundings.failure)
    try:
        peers = tuple(await take_peers(connection, surroundings.timeout))
    except UnknownMessage:
        peers = None
    began = [each.start_time for each in running_graphs() if each.address == address]
    return ServerRecord(
        address,
        surroundings.named,
        "",
        surroundings.took_s,
        connection.revision,
        connection.server_package,
        peers,
        time.time() - began[0] if began else None,
        "" if connection.tls is None else connection.tls.authority,
    )


SERVER = Examination("the graph server", _gather, judge)
