"""Everything of the data plane that belongs to one event loop: its endpoints, its channels, its sockets.

It tells the graph server who is here, and applies the routes that the server decides. It outlives its connection
to the server: channels that are open go on.
"""

import asyncio
import logging
import os
from collections.abc import Callable, Iterator, Mapping
from typing import Any, Self
from uuid import UUID, uuid4

from ezmsg.control.connection import sharing
from ezmsg.control.connection.client import ControlConnection
from ezmsg.control.connection.discovery import find_address
from ezmsg.core.channels.channel import Channel, Receiver
from ezmsg.core.errors import InvalidOption, PeerLost
from ezmsg.core.profiling.registry import REGISTRY
from ezmsg.core.pubsub.admission import Admission
from ezmsg.core.pubsub.declaring import Declaring
from ezmsg.core.pubsub.links import Links
from ezmsg.core.pubsub.opening import OPEN_TIMEOUT_S, Opener
from ezmsg.core.pubsub.peers import Peer
from ezmsg.core.pubsub.plugs import Plugs
from ezmsg.core.pubsub.rings import Rings
from ezmsg.core.pubsub.roles import Feeding, Hearing
from ezmsg.core.pubsub.routes import Routes
from ezmsg.core.support.platform import PASSES_DESCRIPTORS
from ezmsg.core.transports.handing_over import Inbox
from ezmsg.core.transports.in_process import LocalChannel, LocalSender
from ezmsg.core.transports.link import Link
from ezmsg.core.transports.link_sender import LinkSender
from ezmsg.core.transports.listening import LOOPBACK, is_everywhere, listen_for_segments, own_hosts
from ezmsg.core.transports.mailbox import Mailbox
from ezmsg.core.transports.plug import Fed
from ezmsg.core.transports.segments import sweep
from ezmsg.core.transports.sender import Sender
from ezmsg.protocol.addresses import Address, AddressType
from ezmsg.protocol.errors import EzmsgError
from ezmsg.protocol.messages import channels as ch
from ezmsg.protocol.messages.endpoints import (
    ApplyRoutes,
    AwaitReleases,
    Contact,
    DeclarePublisher,
    DeclareSubscriber,
    PausePublishing,
    ReportCut,
    ResumePublishing,
    RoutesApplied,
    Source,
    Withdraw,
)
from ezmsg.protocol.messages.sessions import Done
from ezmsg.protocol.wire.tls.files import TlsFiles

logger = logging.getLogger("ezmsg")

FAREWELL_TIMEOUT_S = 1.0
"""How long an endpoint that leaves waits to hear that the server knows, in seconds."""

ACCEPT_AGAIN_S = 1.0
"""How long segments wait to be accepted when file descriptors have run out, in seconds."""

_exchanges: dict[UUID, "Exchange"] = {}
"""The exchanges of this process, by which a publisher is known to be in it."""

if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_exchanges.clear)


class Exchange:
    """One event loop's publishers and subscribers of one graph server, and how they are joined to others."""

    def __init__(self, connection: ControlConnection) -> None:
        self.id = uuid4()
        self.publishers: dict[UUID, Feeding] = {}
        self.mailbox = Mailbox(asyncio.get_running_loop())
        self._connection = connection
        self._declaring = Declaring(connection.request)
        self._loop = asyncio.get_running_loop()
        self._users = 0
        self._subscribers: dict[UUID, Hearing] = {}
        self._contact: Contact | None = None
        self._listens_on = ""
        self._keeps_to_host = False  # as nobody on another host could check its publishers
        self._told_that_it_keeps = False
        self._segments: Inbox | None = None
        self._own_addresses: dict[UUID, Address] = {}
        self._plugs = Plugs(self)
        self._offers: dict[UUID, Mapping[str, bytes]] = {}  # of the publishers that ask for another transport
        self._links = Links(self.id, self._on_control, self._on_link_lost)
        self._rings = Rings(self.id, lambda: self._opener.receive_segments())
        self._admission = Admission(self.publishers, self._rings)
        self._opener: Opener
        self._routes = Routes(self._open, self._close, self._drain)
        self._reports: set[asyncio.Task[None]] = set()
        self._starting: asyncio.Task[None] | None = None
        self._undeclare: Callable[[], None] = lambda: None

    # --- its life -----------------------------------------------------------------------------------------

    @classmethod
    async def acquire(cls, address: AddressType | None = None) -> Self:
        """Return this event loop's exchange for a graph server, made if there is none; :meth:`release` it.

        :raises ServerUnreachable: if no graph server answers.
        """
        connection = await sharing.acquire(find_address(address))
        exchange = cls._of(connection)
        if exchange is not None:
            exchange._users += 1
            await sharing.release(connection)  # the exchange has its own share
        else:
            exchange = cls(connection)
            exchange._users = 1
            exchange._starting = asyncio.ensure_future(exchange._start())
            _exchanges[exchange.id] = exchange
        try:
            assert exchange._starting is not None
            if not _is_there(exchange._starting):
                await asyncio.shield(exchange._starting)
        except BaseException:
            await exchange.release()
            raise
        return exchange

    @classmethod
    def _of(cls, connection: ControlConnection) -> Self | None:
        # A copy, because other threads add and remove theirs.
        for exchange in list(_exchanges.values()):
            if exchange._loop.is_closed():  # its users forgot to release it
                _exchanges.pop(exchange.id, None)
            if exchange._connection is connection and isinstance(exchange, cls):
                return exchange
        return None

    async def release(self) -> None:
        """Give the exchange back; the last of its users closes it."""
        self._users -= 1
        if self._starting is not None and not self._starting.done():
            await asyncio.wait([self._starting])
        if self._users or _exchanges.pop(self.id, None) is None:
            return
        self._undeclare()
        # Who comes from here on gets an exchange of its own on the same connection, with these handlers its own.
        for message_class in (ApplyRoutes, PausePublishing, ResumePublishing, AwaitReleases):
            self._connection.answer(message_class, None)
        if self._segments is not None:
            self._loop.remove_reader(self._segments.listener)
            self._segments.close()
        if self._reports:
            await asyncio.wait(self._reports, timeout=FAREWELL_TIMEOUT_S)
        await self._routes.close()
        await self._plugs.close()
        await self._links.close()
        await sharing.release(self._connection)

    async def _start(self) -> None:
        connection = self._connection
        if PASSES_DESCRIPTORS:
            self._segments = Inbox(listen_for_segments(self.id))
        else:
            sweep()
        self._opener = Opener(
            self._links,
            connection.client_id,
            self._segments,
            self._rings,
            self._plugs,
            self._routes.move,
            self._routes.given_up,
        )
        if self._segments is not None:
            self._loop.add_reader(self._segments.listener, self._on_segments, self._segments)
        connection.answer(ApplyRoutes, self._apply_routes)
        connection.answer(PausePublishing, self._pause)
        connection.answer(ResumePublishing, self._resume)
        connection.answer(AwaitReleases, self._sync)
        # As widely as the server: who gets to it from another host is to get to its publishers, too.
        host = connection.server_host if is_everywhere(connection.server_host) else connection.local_host
        if connection.tls is not None:
            host = self._secure(connection.tls, host)
        try:
            link, at = await self._links.listen(host)
        except OSError:  # such as where there is no IPv6, of which the server listens on every address
            link, at = await self._links.listen(LOOPBACK if self._keeps_to_host else connection.local_host)
        self._listens_on = at.host
        self._contact = self._reached_at(link, at)
        self._undeclare = connection.declare(self._say_again)

    def _secure(self, files: TlsFiles, host: str) -> str:
        """Let links to and from other hosts go by TLS, as the server does; return where to listen.

        :raises TlsUnusable: if the files cannot be used.
        :raises CertificateRefused: if subscribers would refuse the certificate.
        """
        from ezmsg.core.transports.tls import LinkTls

        self._links.tls = LinkTls(files)
        self._keeps_to_host = not (self._links.tls.certificate or _is_loopback(host))
        return LOOPBACK if self._keeps_to_host else host

    def _say_again(self) -> Iterator[object]:
        """Yield the requests that make a server know who is here; the channels have gone on without it."""
        self._routes.hurry()
        for publisher in self.publishers.values():
            yield self._declaration(publisher)
        for subscriber in self._subscribers.values():
            yield DeclareSubscriber(subscriber.id, subscriber.topic, self._routes.heard_by(subscriber))

    # --- endpoints ----------------------------------------------------------------------------------------

    async def join_publisher(self, publisher: Feeding) -> None:
        """Declare a publisher; return when those who are to hear it do.

        :raises EzmsgError: if the server refuses it.
        :raises InvalidOption: if its own TCP address cannot be bound, or there is no such transport.
        :raises TransportUnusable: if the transport cannot be used.
        """
        await self._listen_for(publisher)
        try:
            offers = await self._plugs.offers(publisher, publisher.options.transport)
        except BaseException:  # whatever interrupts it: the port is for others again
            self._stop_listening_for(publisher)
            raise
        if offers:
            self._offers[publisher.id] = offers
        self.publishers[publisher.id] = publisher
        REGISTRY.add_publisher(publisher)
        try:
            await self._declaring.declare(self._declaration(publisher))
        except BaseException:
            self._forget_publisher(publisher)
            await self._tell_withdrawn(publisher.id)  # it may have been declared, and only the answer is missing
            raise

    async def leave_publisher(self, publisher: Feeding) -> None:
        """Withdraw a publisher and give back its share of the exchange."""
        self._forget_publisher(publisher)
        await self._tell_withdrawn(publisher.id)
        await self.release()

    def cut_off(self, publisher: Feeding, sender: Sender, reason: str) -> None:
        """Feed a channel no more whose other end does not answer, and let those who follow the graph know."""
        if isinstance(sender, LinkSender):
            self._admission.cut_off(publisher, sender, reason)
        else:
            publisher.detach(sender)
            sender.cut(reason)
            sender.abandon()
        task = asyncio.ensure_future(self._report_cut(publisher, reason))
        self._reports.add(task)
        task.add_done_callback(self._reports.discard)

    async def _report_cut(self, publisher: Feeding, reason: str) -> None:
        try:
            await self._connection.request(ReportCut(publisher.id, reason), timeout=FAREWELL_TIMEOUT_S, wait=False)
        except EzmsgError as error:
            logger.debug("The graph server was not told that %s cut a subscriber off: %s", publisher.topic, error)

    def _forget_publisher(self, publisher: Feeding) -> None:
        del self.publishers[publisher.id]
        REGISTRY.remove_publisher(publisher)
        self._admission.forget(publisher)
        if self._offers.pop(publisher.id, None) is not None:
            self._plugs.withdraw(publisher)
        self._stop_listening_for(publisher)

    def _stop_listening_for(self, publisher: Feeding) -> None:
        address = self._own_addresses.pop(publisher.id, None)
        if address is not None:
            self._links.stop_listening(address)

    async def join_subscriber(self, subscriber: Hearing) -> None:
        """Declare a subscriber; return when it hears whom it is to hear.

        :raises EzmsgError: if the server refuses it.
        """
        self._subscribers[subscriber.id] = subscriber
        REGISTRY.add_subscriber(subscriber)
        try:
            await self._declaring.declare(DeclareSubscriber(subscriber.id, subscriber.topic))
        except BaseException:
            del self._subscribers[subscriber.id]
            REGISTRY.remove_subscriber(subscriber)
            self._routes.drop_receiver(subscriber)
            await self._tell_withdrawn(subscriber.id)
            raise

    async def leave_subscriber(self, subscriber: Hearing) -> None:
        """Withdraw a subscriber and give back its share of the exchange."""
        del self._subscribers[subscriber.id]
        REGISTRY.remove_subscriber(subscriber)
        self._routes.drop_receiver(subscriber)
        await self._tell_withdrawn(subscriber.id)
        await self.release()

    @property
    def server(self) -> Address:
        """Where the graph server is, or was."""
        return self._connection.address

    @property
    def client_id(self) -> UUID:
        """As whom the server knows this process."""
        return self._connection.client_id

    @property
    def fed(self) -> Mapping[UUID, Fed]:
        """The publishers, as a transport sees them."""
        return self.publishers

    def heard_by(self, subscriber: Receiver) -> list[UUID]:
        """Return the ids of the publishers that a subscriber hears; any thread may ask."""
        return self._routes.heard_by(subscriber)

    def peers_of(self, subscriber: Receiver) -> list[Peer]:
        """Return the publishers that a subscriber hears, or is about to, and how that stands."""
        return self._routes.peers_of(subscriber)

    async def _tell_withdrawn(self, endpoint_id: UUID) -> None:
        try:
            await self._connection.request(Withdraw(endpoint_id), timeout=FAREWELL_TIMEOUT_S, wait=False)
        except EzmsgError as error:
            logger.debug("The graph server was not told that %s left: %s", endpoint_id, error)

    async def _listen_for(self, publisher: Feeding) -> None:
        """Listen on the publisher's own TCP address, if it wants one."""
        host, port = publisher.options.host, publisher.options.port
        if self._keeps_to_host and not self._told_that_it_keeps:
            self._told_that_it_keeps = True
            logger.warning(
                "%s and all that this process publishes can be heard on this host alone: the graph speaks TLS, and "
                "there is no certificate here. `ezmsg server certificates` makes one; put it beside the token.",
                publisher.topic,
            )
        if host is None and port is None:
            return
        tls = self._links.tls
        if tls is not None and not tls.certificate and host is not None and not _is_loopback(host):
            reason = "the graph speaks TLS, and there is no certificate here by which others could check it"
            raise InvalidOption(option="host", value=host, reason=reason)
        host = host or self._listens_on
        try:
            self._own_addresses[publisher.id] = await self._links.listen_tcp(host, port)
        except OSError as error:
            raise InvalidOption(option="host, port", value=f"{host}, {port}", reason=str(error)) from error

    def _declaration(self, publisher: Feeding) -> DeclarePublisher:
        contact = self._contact
        assert contact is not None
        address = self._own_addresses.get(publisher.id)
        if address is not None:
            contact = self._reached_at(contact.link, address)
        return DeclarePublisher(
            publisher.id,
            publisher.topic,
            contact,
            publisher.secret,
            force_tcp=publisher.options.force_tcp,
            allow_local=publisher.options.allow_local,
            offers=dict(self._offers.get(publisher.id, {})),
        )

    def _reached_at(self, link: str | None, address: Address) -> Contact:
        """Return how this event loop is reached that listens at an address."""
        certificate = b"" if self._links.tls is None else self._links.tls.certificate
        if not is_everywhere(address.host):
            return Contact(self.id, link, *address, certificate=certificate)
        host = self._connection.local_host
        return Contact(self.id, link, host, address.port, own_hosts(), everywhere=True, certificate=certificate)

    # --- what the server asks -----------------------------------------------------------------------------

    async def _apply_routes(self, message: ApplyRoutes) -> Done | RoutesApplied:
        removed: dict[UUID, list[Receiver]] = {}
        away: set[UUID] = set()
        added: list[tuple[Source, Receiver]] = []
        for change in message.changes:
            subscriber = self._subscribers.get(change.subscriber_id)
            if subscriber is None:
                continue  # it has left in the meantime, and the server is about to hear of it
            for publisher_id in change.removed:
                removed.setdefault(publisher_id, []).append(subscriber)
            away.update(change.away)
            added += [(source, subscriber) for source in change.added]
        waiting: dict[asyncio.Future[object], UUID] = {}
        for publisher_id, receivers in removed.items():
            for awaited in self._routes.remove(publisher_id, receivers, away=publisher_id in away):
                waiting[asyncio.ensure_future(awaited)] = publisher_id
        for source, receiver in added:
            waiting[asyncio.ensure_future(self._routes.add(source, receiver))] = source.publisher_id
        if not waiting:
            return Done()
        done, pending = await asyncio.wait(waiting, timeout=message.wait_s)
        for future in done:
            future.result()
        return RoutesApplied(sorted({waiting[future] for future in pending})) if pending else Done()

    async def _pause(self, _: PausePublishing) -> Done:
        for publisher in self.publishers.values():
            publisher.pause()
        return Done()

    async def _resume(self, _: ResumePublishing) -> Done:
        for publisher in self.publishers.values():
            publisher.resume()
        return Done()

    async def _sync(self, _: AwaitReleases) -> Done:
        for publisher in self.publishers.values():
            publisher.pause()
        # For as long as it takes: how long that may be, the server knows from who asked it.
        await asyncio.gather(*(publisher.window.wait_returned() for publisher in self.publishers.values()))
        return Done()

    # --- channels -----------------------------------------------------------------------------------------

    async def _open(self, source: Source, receivers: list[Receiver]) -> Channel:
        home = _exchanges.get(source.contact.exchange_id)
        if home is not None and source.allow_local and not source.force_tcp:
            return await self._open_local(home, source, receivers)
        return await self._opener.open(source, receivers)

    def _close(self, channel: Channel) -> None:
        self._opener.close(channel)

    async def _drain(self, channel: Channel) -> None:
        await self._opener.drain(channel)

    async def _open_local(self, home: "Exchange", source: Source, receivers: list[Receiver]) -> LocalChannel:
        channel = LocalChannel(source.publisher_id, source.topic, receivers)
        attached: asyncio.Future[None] = self._loop.create_future()

        def attach() -> None:
            publisher = home.publishers.get(source.publisher_id)
            if publisher is not None and not attached.done():
                strict = publisher.options.strict_views
                sender = LocalSender(publisher.window, channel, home.mailbox, self.mailbox, strict_views=strict)
                sender.exchange_id = self.id
                channel.num_buffers = publisher.window.size
                channel.detach = lambda: _run_on(home, self, lambda: publisher.detach(sender))
                publisher.attach(sender)
            _run_on(self, home, lambda: _finish(attached))

        if not _run_on(home, self, attach):
            raise ConnectionResetError("the publisher's event loop is closed")
        if not attached.done():
            async with asyncio.timeout(OPEN_TIMEOUT_S):  # that loop may be there, and not be running
                await attached
        return channel

    def _on_segments(self, inbox: Inbox) -> None:
        self._opener.receive_segments()
        if inbox.starved:  # no descriptor is left to accept with; who waits would wake us for ever
            self._loop.remove_reader(inbox.listener)
            self._loop.call_later(ACCEPT_AGAIN_S, self._read_segments_again, inbox)

    def _read_segments_again(self, inbox: Inbox) -> None:
        if inbox.listener.fileno() >= 0:
            self._loop.add_reader(inbox.listener, self._on_segments, inbox)

    def _on_control(self, link: Link, message: Any) -> None:
        match message:
            case ch.LinkHello():
                self._links.greeted(link, message)
            case ch.OpenChannel():
                if self._admission.open(link, message):
                    self._links.known(link)
            case ch.ChannelProof():
                if self._admission.prove(link, message):
                    self._links.proved(link)
            case ch.CloseChannel():
                self._admission.close(link, message)
            case ch.ChannelEndSeen():
                self._admission.end_seen(link, message)
            case ch.ChannelChallenge() | ch.ChannelOpened() | ch.ChannelRefused():
                self._opener.answer(link, message)
            case ch.ChannelLeaky():
                self._admission.leaky(link, message)
            case ch.ChannelForm():
                self._opener.hear_form(link, message)
            case ch.ChannelLeakyHeard():
                self._opener.leaky_heard(link, message)
            case ch.ChannelCut():
                cut = self._opener.cut(link, message)
                if cut is not None:
                    self._routes.move(cut)
            case ch.RingOffered():
                self._rings.offered(link)
            case ch.RingTaken():
                self._rings.taken(link)
            case ch.RingFollows():
                self._rings.follows(link)
            case ch.SegmentNamed():
                self._opener.segment_named(link, message)
            case ch.MemoryNotShared():
                self._opener.not_shared(link, message)
            case ch.ChannelEnded():
                channel = self._opener.ended(link, message)
                if channel is not None:
                    self.channel_ended(channel)

    def _on_link_lost(self, link: Link) -> None:
        self._rings.lost(link)
        self._admission.lost(link)
        for channel in self._opener.lost(link):
            self.channel_lost(channel)

    def channel_ended(self, channel: Channel) -> None:
        """A publisher is closed, and everything it sent has come."""
        self._routes.ended(channel)
        self._opener.forget(channel)

    def channel_lost(self, channel: Channel) -> None:
        """A channel broke off; those who heard it are told, and it is opened again if its publisher lives."""
        channel.over.set()
        if channel.receivers:
            logger.warning("%s", PeerLost(topic=channel.topic, last_seq=channel.next_message - 1))
        for receiver in channel.receivers:
            receiver.lost(channel.publisher_id, channel.next_message - 1)
        self._routes.lost(channel)


def _is_loopback(host: str) -> bool:
    return Address(host, 0).is_loopback


def _run_on(target: Exchange, here: Exchange, call: Callable[[], object]) -> bool:
    """Run a call on another exchange's event loop, at once if it is this one; return False if that is closed."""
    if target is here or target._loop is here._loop:
        call()
        return True
    try:
        target.mailbox.post(lambda _: call(), None)
    except RuntimeError:
        return False
    return True


def _is_there(starting: asyncio.Task[None]) -> bool:
    return starting.done() and not starting.cancelled() and starting.exception() is None


def _finish(future: asyncio.Future[None]) -> None:
    if not future.done():
        future.set_result(None)
