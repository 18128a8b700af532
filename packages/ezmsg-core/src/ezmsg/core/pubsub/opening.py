"""The subscribers' side of the channel conversation: reaching a publisher, by the best way there is."""

import asyncio
import contextlib
import logging
import os
from collections.abc import Callable, Sequence
from typing import Any
from uuid import UUID

from ezmsg.core import errors
from ezmsg.core.channels.backpressure import MAX_NUM_BUFFERS
from ezmsg.core.channels.channel import Channel, Receiver
from ezmsg.core.messages.active import CODEC
from ezmsg.core.pubsub.links import Links
from ezmsg.core.pubsub.plugs import Plugs
from ezmsg.core.pubsub.rings import Rings
from ezmsg.core.transports.handing_over import Inbox
from ezmsg.core.transports.link import Link
from ezmsg.core.transports.segments import SegmentForm, map_descriptor, map_name
from ezmsg.core.transports.shared_memory_channel import SharedMemoryChannel
from ezmsg.core.transports.tcp import TcpChannel
from ezmsg.protocol.addresses import Address
from ezmsg.protocol.errors import EzmsgError
from ezmsg.protocol.messages.channels import (
    ChannelChallenge,
    ChannelCut,
    ChannelEnded,
    ChannelEndSeen,
    ChannelForm,
    ChannelLeakyHeard,
    ChannelOpened,
    ChannelProof,
    ChannelRefused,
    CloseChannel,
    MemoryNotShared,
    OpenChannel,
    SegmentNamed,
)
from ezmsg.protocol.messages.endpoints import Source
from ezmsg.protocol.wire import auth

logger = logging.getLogger("ezmsg")

OPEN_TIMEOUT_S = 5.0
"""How long reaching a publisher may take, in seconds."""

CONNECT_TIMEOUT_S = 4.0
"""How much of that the connection may take, shared out among the addresses that there are to try."""

CONNECT_AGAIN_S = 1.0
"""How long a host has to answer before it is asked anew, in seconds."""

SLOW_S = 0.8
"""After how long it is told that a publisher has not answered, in seconds: before others wait for this process."""

NO_DESCRIPTOR = "no file descriptor is left to take a segment with"
LINK_CLOSED = "the publisher's process closed the link"

MESSAGE_LIMIT = 2**36
"""The largest message, in bytes, that is taken over TCP from a publisher that proved itself."""


class Opener:
    """Opens channels to publishers of other processes."""

    def __init__(
        self,
        links: Links,
        client_id: UUID,
        segments: Inbox | None,
        rings: Rings,
        plugs: Plugs,
        on_apart: Callable[[Channel], None],
        on_given_up: Callable[[Channel], None],
    ) -> None:
        self._links = links
        self._rings = rings
        self._plugs = plugs
        self._client_id = client_id
        self._segments = segments
        self._on_apart = on_apart
        self._on_given_up = on_given_up
        self._exchange_of: dict[UUID, UUID] = {}  # by publisher
        self._resume_at: dict[UUID, int] = {}  # what a channel of shared memory could not bring
        self._told_slow: set[UUID] = set()
        self._stranded: set[tuple[Link, int]] = set()
        self._answers: dict[tuple[Link, int], asyncio.Future[Any]] = {}
        self._channels: dict[tuple[Link, int], SharedMemoryChannel | TcpChannel] = {}
        self._by_publisher: dict[UUID, tuple[SharedMemoryChannel, bytes]] = {}

    async def open(self, source: Source, receivers: list[Receiver]) -> Channel:
        """Open a channel to a publisher: by the link of this host if it leads there, by what it offers, or by TCP.

        :raises ChannelRefused: if the publisher does not want us, or does not hold the channel's key.
        :raises OSError: if nothing answers.
        :raises TimeoutError: if that takes too long.
        """
        try:
            async with asyncio.timeout(OPEN_TIMEOUT_S):
                return await self._open(source, receivers)
        except TimeoutError as error:
            where = self._links.whereabouts(source)
            raise TimeoutError(
                f"its publisher, in {where}, has not answered for {OPEN_TIMEOUT_S:g} s; see whether something "
                "blocks the event loop there"
            ) from error

    async def _open(self, source: Source, receivers: list[Receiver]) -> Channel:
        slow = asyncio.get_running_loop().call_later(SLOW_S, self._tell_slow, source)
        try:
            link = None if source.force_tcp else await self._links.to(source.contact)
            apart = ""
            if link is not None:
                try:
                    return await self._converse(link, source, receivers)
                except ConnectionError as error:  # they can connect, and no more; if it is dead, TCP will tell
                    apart = error.reason if isinstance(error, errors.MemoryApart) else str(error)
            # What a channel of shared memory could not bring, only TCP can take over.
            offered = source.offers and source.publisher_id not in self._resume_at
            channel = await self._plugs.open(source, receivers) if offered else None
            if channel is None:
                channel = await self._open_tcp(source, receivers)
            if apart:
                self._links.keep_apart(source.contact.exchange_id, apart)
            return channel
        finally:
            slow.cancel()

    async def _open_tcp(self, source: Source, receivers: list[Receiver]) -> Channel:
        """Open a channel at the first of the publisher's addresses where it is to be had.

        :raises ChannelRefused: if the publisher's process does not want us.
        :raises PublisherUnreachable: if it is not found at any of several addresses.
        """
        failures = {}
        addresses = source.contact.tcp_addresses
        for address in addresses:
            try:
                return await self._open_at(address, CONNECT_TIMEOUT_S / len(addresses), source, receivers)
            except errors.ChannelRefused as error:  # this address may be somebody else's here
                if len(addresses) == 1:
                    raise
                failures[str(address)] = error.reason
            except (OSError, ValueError) as error:  # ValueError: a host that the resolver cannot even encode
                failures[str(address)] = _why(error)
        raise errors.PublisherUnreachable(topic=source.topic, publisher=source.publisher_name, failures=failures)

    async def _open_at(
        self, address: Address, limit_s: float, source: Source, receivers: list[Receiver]
    ) -> Channel:
        link = await self._connect(address, source.contact.certificate, limit_s)
        try:
            return await self._converse(link, source, receivers)
        except BaseException:
            link.abort()  # a connection of one channel ends with it
            raise

    async def _connect(self, address: Address, certificate: bytes, limit_s: float) -> Link:
        """Connect, and ask anew each second: the operating system itself asks ever more rarely."""
        async with asyncio.timeout(limit_s):
            while True:
                with contextlib.suppress(TimeoutError):
                    async with asyncio.timeout(CONNECT_AGAIN_S):
                        return await self._links.connect_tcp(address, certificate)

    def _tell_slow(self, source: Source) -> None:
        """Say who is waited for, before the graph server says who waits."""
        if source.contact.exchange_id in self._told_slow:
            return
        self._told_slow.add(source.contact.exchange_id)
        logger.warning(
            "%s cannot be heard here yet: its publisher, in %s, has not answered for %g s. See whether something "
            "blocks the event loop there.",
            source.topic,
            self._links.whereabouts(source),
            SLOW_S,
        )

    async def _converse(self, link: Link, source: Source, receivers: list[Receiver]) -> Channel:
        number = link.next_number()
        try:
            return await self._agree(link, number, source, receivers)
        except BaseException:
            link.control(CloseChannel(number))
            if not link.same_host:
                link.close()
            raise

    async def _agree(self, link: Link, number: int, source: Source, receivers: list[Receiver]) -> Channel:
        nonce = os.urandom(auth.NONCE_SIZE)
        resume_at = None if link.same_host else self._resume_at.get(source.publisher_id)
        question = OpenChannel(number, source.publisher_id, self._client_id, nonce, resume_at)
        challenge = await self._ask(link, number, question, source.topic)
        if not isinstance(challenge, ChannelChallenge) or not auth.same(
            auth.server_proof(source.key, nonce, challenge.nonce), challenge.proof
        ):
            raise errors.ChannelRefused(topic=source.topic, reason="the publisher does not hold the channel's key")
        if not 0 < challenge.num_buffers <= MAX_NUM_BUFFERS:
            reason = f"its publisher says that it has {challenge.num_buffers} buffers"
            raise errors.ChannelRefused(topic=source.topic, reason=reason)
        link.trust()
        self._rings.expect(link, source.key)
        channel = self._make_channel(link, number, challenge.num_buffers, source, receivers)
        # From here on messages may come, perhaps together with the answer.
        link.heard[number] = channel
        self._channels[link, number] = channel
        try:
            proof = ChannelProof(number, auth.client_proof(source.key, nonce, challenge.nonce))
            await self._ask(link, number, proof, source.topic)
        except BaseException:
            self.forget(channel)
            self._on_given_up(channel)  # the answer, and messages behind it, may have come a moment too late
            raise
        if resume_at is not None:
            self._resume_at.pop(source.publisher_id, None)
        return channel

    def _make_channel(
        self, link: Link, number: int, num_buffers: int, source: Source, receivers: list[Receiver]
    ) -> SharedMemoryChannel | TcpChannel:
        if not link.same_host:
            link.reader.data_limit = MESSAGE_LIMIT  # now that we know who sends
            return TcpChannel(source.publisher_id, source.topic, receivers, link, number, num_buffers, CODEC)
        channel = SharedMemoryChannel(
            source.publisher_id,
            source.topic,
            receivers,
            link,
            number,
            num_buffers,
            CODEC,
            self.receive_segments,
            self._strand,
        )
        self._exchange_of[source.publisher_id] = source.contact.exchange_id
        self._by_publisher[source.publisher_id] = channel, source.key
        return channel

    async def _ask(self, link: Link, number: int, message: object, topic: str) -> object:
        if link.apart:
            raise errors.MemoryApart(reason=link.apart)
        if link.closed.done():
            raise link.refused or ConnectionResetError(LINK_CLOSED)
        answer = self._answers[link, number] = asyncio.get_running_loop().create_future()
        link.control(message)
        try:
            reply = await answer
        finally:
            del self._answers[link, number]
        if isinstance(reply, ChannelRefused):
            raise errors.ChannelRefused(topic=topic, reason=reply.reason)
        return reply

    # --- what the other end says --------------------------------------------------------------------------

    def answer(self, link: Link, message: ChannelChallenge | ChannelOpened | ChannelRefused) -> None:
        """Go on with the conversation that waits for this."""
        channel = self._channels.get((link, message.number))
        if channel is not None and isinstance(message, ChannelOpened):  # messages may follow at once
            channel.first_message = channel.next_message = message.next_message
        waiting = self._answers.get((link, message.number))
        if waiting is not None and not waiting.done():
            waiting.set_result(message)

    def ended(self, link: Link, message: ChannelEnded) -> Channel | None:
        """A publisher is closed, and everything it sent has been read; return its channel."""
        if (link, message.number) in self._stranded:  # what it sent is still to come over TCP
            return None
        link.control(ChannelEndSeen(message.number))
        channel = self._channels.get((link, message.number))
        if channel is not None:
            channel.next_message = message.next_message
        return channel

    def cut(self, link: Link, message: ChannelCut) -> Channel | None:
        """A publisher goes on without this process, which did not answer for too long; return the channel."""
        channel = self._channels.get((link, message.number))
        if channel is not None:
            self.forget(channel)
        return channel

    def hear_form(self, link: Link, message: ChannelForm) -> None:
        """A publisher says what messages to come have in common."""
        channel = self._channels.get((link, message.number))
        if channel is not None:
            channel.hear_form(message.form, message.content)

    def leaky_heard(self, link: Link, message: ChannelLeakyHeard) -> None:
        """A publisher knows whether it need wait for those who hear a channel."""
        channel = self._channels.get((link, message.number))
        if channel is not None:
            channel.leaky_heard()

    def segment_named(self, link: Link, message: SegmentNamed) -> None:
        """Map a segment that has a name."""
        channel = self._channels.get((link, message.number))
        if isinstance(channel, SharedMemoryChannel):
            form = SegmentForm(message.slots, message.slot_bytes)
            try:
                channel.add_segment(message.segment, map_name(message.name, form), form)
            except errors.SegmentRefused as error:
                channel.refuse_segment(error.reason)
            except EzmsgError as error:
                channel.refuse_segment(str(error))

    def not_shared(self, link: Link, message: MemoryNotShared) -> None:
        """The other end cannot share memory, on one channel or at all."""
        channel = self._channels.get((link, message.number))
        if isinstance(channel, SharedMemoryChannel):
            self._strand(channel, message.reason)
        elif message.number == 0 and not link.proven:
            link.apart = message.reason
            for key, waiting in self._answers.items():
                if key[0] is link and not waiting.done():
                    waiting.set_exception(errors.MemoryApart(reason=message.reason))

    def _strand(self, channel: SharedMemoryChannel, reason: str) -> None:
        """Let TCP bring what a channel of shared memory cannot, from its next message on.

        What comes on it all the same is neither read nor released, so that the publisher still has it.
        """
        key = next(key for key, known in self._channels.items() if known is channel)
        link, number = key
        link.heard[number] = _Stranded()
        self._stranded.add(key)
        self._resume_at[channel.publisher_id] = channel.next_message
        self._links.keep_apart(self._exchange_of[channel.publisher_id], reason)
        del self._channels[key]
        del self._by_publisher[channel.publisher_id]
        channel.over.set()
        self._on_apart(channel)

    def receive_segments(self) -> None:
        """Map the segments that were handed over by now, if the right ones did it."""
        if self._segments is None:
            return
        for segment in self._segments.take_all():
            try:
                channel, key = self._by_publisher.get(segment.publisher_id, (None, b""))
                if channel is None:
                    self._rings.handed(segment)
                    continue
                if not segment.is_from(key):
                    continue
                if segment.descriptor < 0:
                    channel.refuse_segment(NO_DESCRIPTOR)
                else:
                    memory = map_descriptor(segment.descriptor, segment.form)
                    channel.add_segment(segment.number, memory, segment.form)
            except (OSError, errors.SegmentRefused) as error:
                reason = error.reason if isinstance(error, errors.SegmentRefused) else str(error)
                if channel is not None:
                    channel.refuse_segment(reason)
            finally:
                if segment.descriptor >= 0:
                    os.close(segment.descriptor)
        if self._segments.starved:
            for channel, _ in self._by_publisher.values():
                channel.refuse_segment(NO_DESCRIPTOR)

    # --- ends -----------------------------------------------------------------------------------------------

    def close(self, channel: Channel) -> None:
        """Hear a publisher no more, from this moment on."""
        channel.leave()
        self.forget(channel)

    async def drain(self, channel: Channel) -> None:
        """Hear a publisher no more, after what it has sent by now."""
        channel.leave()
        await channel.over.wait()

    def forget(self, channel: Channel) -> None:
        """Keep nothing about a channel that is over."""
        channel.over.set()
        for link, number in [key for key, known in self._channels.items() if known is channel]:
            del self._channels[link, number]
            link.heard.pop(number, None)
        known = self._by_publisher.get(channel.publisher_id)
        if known is not None and known[0] is channel:
            del self._by_publisher[channel.publisher_id]
        self._exchange_of.pop(channel.publisher_id, None)

    def lost(self, link: Link) -> list[Channel]:
        """A link is gone; return the channels that were on it."""
        for key, waiting in self._answers.items():
            if key[0] is link and not waiting.done():
                waiting.set_exception(link.refused or ConnectionResetError(LINK_CLOSED))
        lost: list[Channel] = [channel for key, channel in self._channels.items() if key[0] is link]
        for channel in lost:
            self.forget(channel)
        self._stranded = {key for key in self._stranded if key[0] is not link}
        return lost


def _why(error: OSError | ValueError) -> str:
    if isinstance(error, TimeoutError):
        return "no answer, as from a firewall"
    return os.strerror(error.errno) if isinstance(error, OSError) and error.errno else str(error)


class _Stranded:
    """What a link hears for a channel that has moved to TCP."""

    def receive(self, message: int, segment: int, slot: int, size: int, body: bytes | memoryview) -> None:
        """Leave it to the other channel."""

    def receive_listed(self, first: int, segment: int, slots: Sequence[int], size: int) -> None:
        """Leave them to the other channel."""
