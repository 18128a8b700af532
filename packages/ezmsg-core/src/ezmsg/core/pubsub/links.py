"""The sockets of an exchange: one link for each process of this host, one connection for each TCP channel."""

import asyncio
import logging
import os
from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING, Any, cast
from uuid import UUID

from ezmsg.core.errors import MemoryApart
from ezmsg.core.pubsub.rings import RINGS
from ezmsg.core.transports.accepting import Accepting, Acceptor, Factory
from ezmsg.core.transports.busy_wait import wait_from_environment
from ezmsg.core.transports.link import Link
from ezmsg.core.transports.listening import connect_channel, connect_link, listen_for_channels, listen_for_links
from ezmsg.protocol.addresses import Address
from ezmsg.protocol.messages.channels import LinkHello
from ezmsg.protocol.messages.endpoints import Contact, Source
from ezmsg.protocol.wire.presence.lease import LEASE_S
from ezmsg.protocol.wire.presence.strangers import Strangers

if TYPE_CHECKING:
    from ezmsg.core.transports.tls import LinkTls

logger = logging.getLogger("ezmsg")

CLOSE_TIMEOUT_S = 1.0

LOOK_S = 0.5
"""Seconds between two looks whether other hosts acknowledge what they are sent."""

SILENT_LIMIT = 100
KNOWING_LIMIT = 100
"""How many peers may be here that came to us and have proved nothing yet: without, and with the knowledge of a
publisher of ours, which a stranger does not have. They count apart, and so do those that we came to."""


class Links:
    """Listens, connects, and finds the link to a process that there already is."""

    def __init__(
        self,
        exchange_id: UUID,
        on_control: Callable[[Link, Any], None],
        on_lost: Callable[[Link], None],
    ) -> None:
        self.tls: LinkTls | None = None  # in a graph whose server speaks TLS
        self._hello = LinkHello(exchange_id, os.getpid(), RINGS)
        self._on_control = on_control
        self._on_lost = on_lost
        self._busy_wait_s = 0.0
        self._all: set[Link] = set()
        self._ours: set[Link] = set()  # those that this side connected
        self._to: dict[UUID, Link] = {}
        self._apart: set[UUID] = set()  # those on this host that share no memory with this exchange
        self._connecting: dict[UUID, asyncio.Task[Link | None]] = {}
        self._silent: Strangers[Link] = Strangers(SILENT_LIMIT)
        self._knowing: Strangers[Link] = Strangers(KNOWING_LIMIT)
        self._servers: list[Accepting] = []
        self._own: dict[Address, Accepting] = {}
        self._looking: asyncio.TimerHandle | None = None

    async def listen(self, host: str) -> tuple[str, Address]:
        """Listen for both kinds; return this exchange's link address and its address for TCP.

        :raises OSError: if the host's address cannot be bound.
        :raises InvalidOption: if an environment variable has an impossible value.
        """
        self._busy_wait_s = wait_from_environment()
        tcp = await self.listen_tcp(host, None)
        server, address = await listen_for_links(self._hello.exchange_id, lambda: self._arrived(same_host=True))
        self._servers.append(server)
        return address, tcp

    async def listen_tcp(self, host: str, port: int | None) -> Address:
        """Listen for TCP channels at an address of a publisher's own.

        :raises OSError: if it cannot be bound.
        """
        arrive = partial(self._arrived, same_host=False)
        factory = arrive if self.tls is None else self.tls.accepts(arrive)
        server, port = await listen_for_channels(factory, host, port)
        self._servers.append(server)
        address = Address(host, port)
        self._own[address] = server
        return address

    def stop_listening(self, address: Address) -> None:
        """Give up an address; connections that were made there stay."""
        server = self._own.pop(address)
        self._servers.remove(server)
        server.close()

    async def to(self, contact: Contact) -> Link | None:
        """Return the link to a process of this host, made if there is none.

        ``None`` if it is on another host, or shares no memory with this one.
        """
        if contact.exchange_id in self._apart:
            return None
        link = self._to.get(contact.exchange_id)
        if link is not None or contact.link is None:
            return link
        task = self._connecting.get(contact.exchange_id)
        if task is None:
            task = asyncio.ensure_future(self._connect(contact))
            self._connecting[contact.exchange_id] = task
            task.add_done_callback(lambda _: self._connecting.pop(contact.exchange_id, None))
        return await asyncio.shield(task)

    async def connect_tcp(self, address: Address, certificate: bytes) -> Link:
        """Make a connection for one channel.

        :param certificate: by what the publisher has to prove itself, if it speaks TLS.
        :raises OSError: if nobody answers, or the two sides do not speak the same.
        """
        made: list[Link] = []

        def make() -> Link:
            made.append(self._new(same_host=False))
            return made[-1]

        await connect_channel(*address, self._factory(make, address, certificate))
        return self._greet(made[-1])

    def _factory(self, make: Callable[[], Link], address: Address, certificate: bytes) -> Factory:
        if self.tls is not None and certificate:
            return self.tls.connects(make, address, certificate)
        if certificate:
            raise ConnectionRefusedError("it speaks TLS alone, and this process has joined its graph openly")
        if self.tls is not None and not address.is_loopback:
            raise ConnectionRefusedError("it has no certificate, and the graph speaks TLS")
        return make

    async def _connect(self, contact: Contact) -> Link | None:
        assert contact.link is not None
        try:
            protocol = await connect_link(contact.link, lambda: self._new(same_host=True))
        except MemoryApart as error:
            self.keep_apart(contact.exchange_id, error.reason)
            return None
        if protocol is None:
            return None
        link = self._greet(cast(Link, protocol))
        # The other side may have connected at the same moment; then both sockets serve.
        return self._to.setdefault(contact.exchange_id, link)

    def whereabouts(self, source: Source) -> str:
        """Return in words which process a publisher is in, as far as that is known here."""
        link = self._to.get(source.contact.exchange_id)
        pid = None if link is None else link.peer_pid
        if pid is not None:
            return f"process {pid} of this host"
        name = f"{source.publisher_name}, " if source.publisher_name else ""
        return f"the process {name}at {' or '.join(map(str, source.contact.tcp_addresses))}"

    def keep_apart(self, exchange_id: UUID, reason: str) -> None:
        """Remember that a process of this host is only to be reached over TCP, and say so once."""
        if exchange_id not in self._apart:
            self._apart.add(exchange_id)
            link = self._to.get(exchange_id)
            who = "another one" if link is None or link.peer is None else f"process {link.peer.pid}"
            what = "This process and %s of this host cannot share memory, and talk over TCP from now on: %s"
            logger.warning(what, who, reason)

    def greeted(self, link: Link, hello: LinkHello) -> None:
        """The other end says who it is."""
        if link.peer is not None:
            return
        link.peer = hello
        if link not in self._ours:
            link.control(self._hello)

    def known(self, link: Link) -> None:
        """The other end knows a publisher of ours, and is about to prove that it may hear it."""
        if self._silent.leave(link):
            link.be_patient()
            self._turn_away(self._knowing.enter(link, link.origin))

    def proved(self, link: Link) -> None:
        """The other end holds a channel's key, so it may be believed who it is."""
        self._forget_stranger(link)
        if link.same_host and link.peer is not None:
            self._to.setdefault(link.peer.exchange_id, link)

    def _greet(self, link: Link) -> Link:
        self._ours.add(link)
        link.control(self._hello)
        return link

    def _new(self, *, same_host: bool) -> Link:
        return self._kept(Link(self._on_control, self._lost, same_host=same_host, busy_wait_s=self._busy_wait_s))

    def _kept(self, link: Link) -> Link:
        self._all.add(link)
        if not link.same_host and self._looking is None:
            self._looking = asyncio.get_running_loop().call_later(LOOK_S, self._look)
        return link

    def _look(self) -> None:
        """See whether hosts are gone; while there is nobody beyond this one, nobody looks."""
        self._looking = None
        far = [link for link in self._all if not link.same_host]
        for link in far:
            if link.host_gone(LEASE_S):
                logger.warning("A channel to %s was given up, which acknowledges nothing any more.", link.origin)
                link.abort()
        if far:
            self._looking = asyncio.get_running_loop().call_later(LOOK_S, self._look)

    def _arrived(self, *, same_host: bool) -> Link:
        wait_s = self._busy_wait_s
        return self._kept(
            Link(self._on_control, self._lost, same_host=same_host, busy_wait_s=wait_s, on_stranger=self._admit)
        )

    def _admit(self, link: Link) -> None:
        self._turn_away(self._silent.enter(link, link.origin))

    def _turn_away(self, stranger: Link | None) -> None:
        if stranger is not None:
            logger.debug("A link was closed: others want its place, and its peer has proved nothing so far.")
            stranger.abort()

    def _forget_stranger(self, link: Link) -> None:
        self._silent.leave(link)
        self._knowing.leave(link)

    def _lost(self, link: Link) -> None:
        self._forget_stranger(link)
        self._all.discard(link)
        self._ours.discard(link)
        for peer in [peer for peer, known in self._to.items() if known is link]:
            del self._to[peer]
        self._on_lost(link)

    async def close(self) -> None:
        """Stop listening and close every socket; bounded."""
        for server in self._servers:
            server.close()
            if isinstance(server, Acceptor):
                await server.wait_closed()
        for task in self._connecting.values():
            task.cancel()
        if self._looking is not None:
            self._looking.cancel()
        links = list(self._all)
        for link in links:
            link.close()
        if links:
            _, stuck = await asyncio.wait([link.closed for link in links], timeout=CLOSE_TIMEOUT_S)
            if stuck:  # a peer that does not read
                for link in links:
                    link.abort()
                await asyncio.wait(stuck, timeout=CLOSE_TIMEOUT_S)
