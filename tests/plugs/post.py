"""A transport as another distribution may bring it: a connection for each channel, over TCP on this host.

It is here for the contract tests, and as the smallest example of what :mod:`ezmsg.core.transports.plug` asks for.
Each frame is its length, its kind and its fields; who opens a channel proves itself, in both directions.
"""

import asyncio
import os
import struct
from collections.abc import Callable
from hashlib import sha256
from typing import Any
from uuid import UUID

from attrs import frozen

from ezmsg.core.channels.channel import Receiver
from ezmsg.core.channels.whole import WholeChannel
from ezmsg.core.errors import ChannelRefused
from ezmsg.core.messages.active import CODEC
from ezmsg.core.messages.forms import Form
from ezmsg.core.transports.plug import Fed, Home, key_of
from ezmsg.core.transports.sender import Body, WholeSender
from ezmsg.protocol.messages.endpoints import Source
from ezmsg.protocol.wire.auth import same

HEAD = struct.Struct("<IB")
"""The bytes of what follows, and its kind."""

ASK, REFUSED, OPENED, FORM, MESSAGE, RELEASE, END, END_SEEN, LEAVE, LEFT, CUT = range(11)

CLOSE_S = 1.0


class Frames(asyncio.Protocol):
    """One connection: bytes to frames, and frames to bytes."""

    def __init__(
        self, on_frame: "Callable[[Frames, int, bytes], None]", on_lost: "Callable[[Frames], None]"
    ) -> None:
        self.end: Sender | PostChannel | None = None
        self.gone = asyncio.get_running_loop().create_future()
        self.proven = False
        self.waits = False  # what comes is left unread
        self._on_frame = on_frame
        self._on_lost = on_lost
        self._unread = b""
        self._transport: Any = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = transport

    def data_received(self, data: bytes) -> None:
        self._unread += data
        while len(self._unread) >= HEAD.size and not self.waits:
            size, kind = HEAD.unpack_from(self._unread)
            if not self.proven and size > 256:
                self.abort()
                return
            if len(self._unread) < HEAD.size + size:
                return
            body, self._unread = self._unread[HEAD.size : HEAD.size + size], self._unread[HEAD.size + size :]
            self._on_frame(self, kind, body)

    def read_on(self) -> None:
        self.waits = False
        self.data_received(b"")

    def connection_lost(self, _exc: Exception | None) -> None:
        self.gone.set_result(None)
        self._on_lost(self)

    def send(self, kind: int, *parts: bytes | memoryview) -> None:
        self._transport.write(HEAD.pack(sum(map(len, parts)), kind) + b"".join(parts))

    def close(self) -> None:
        if self._transport is not None:
            self._transport.close()

    def abort(self) -> None:
        if self._transport is not None:
            self._transport.abort()


class Sender(WholeSender):
    """The publisher's end of a channel."""

    kind = "POST"

    def __init__(self, publisher: Fed, frames: Frames) -> None:
        super().__init__(publisher.window)
        self.publisher = publisher
        self._frames = frames
        self._told: set[int] = set()
        self._end_seen = asyncio.Event()

    def send(self, number: int, token: int, body: Body) -> None:
        self.hold(number, token)
        self._frames.send(MESSAGE, struct.pack("<QI", number, token), *body)

    def tell(self, form: Form) -> None:
        if form.number not in self._told:
            self._told.add(form.number)
            self._frames.send(FORM, struct.pack("<Q", form.number), form.content)

    def cut(self, reason: str) -> None:
        self._frames.send(CUT, reason.encode())

    def end_seen(self) -> None:
        self._end_seen.set()

    async def end(self, next_message: int) -> int:
        self._frames.send(END, struct.pack("<Q", next_message))
        seen = asyncio.ensure_future(self._end_seen.wait())
        await asyncio.wait([seen, self._frames.gone], return_when=asyncio.FIRST_COMPLETED)
        seen.cancel()
        return 0 if self._end_seen.is_set() else self.held


class PostChannel(WholeChannel):
    """The subscribers' end of a channel."""

    kind = "POST"

    def __init__(self, source: Source, receivers: list[Receiver], num_buffers: int, frames: Frames) -> None:
        super().__init__(source.publisher_id, source.topic, receivers, num_buffers, CODEC)
        self._frames = frames

    def release(self, token: int) -> None:
        if not self._frames.gone.done():
            self._frames.send(RELEASE, struct.pack("<I", token))

    def leave(self) -> None:
        if not self._frames.gone.done():
            self._frames.send(LEAVE)


@frozen(eq=False)
class Opening:
    """What waits for a publisher's answer."""

    source: Source
    receivers: list[Receiver]
    nonce: bytes
    channel: asyncio.Future[PostChannel]


class Post:
    """The transport."""

    def __init__(self, home: Home) -> None:
        self._home = home
        self._starting: asyncio.Future[asyncio.Server] | None = None
        self._all: set[Frames] = set()
        self._opening: dict[Frames, Opening] = {}

    async def offer(self, publisher: Fed) -> bytes:
        if self._starting is None:
            loop = asyncio.get_running_loop()
            starting = loop.create_server(lambda: self._frames(self._serve), "127.0.0.1", 0)
            self._starting = asyncio.ensure_future(starting)
        server = await asyncio.shield(self._starting)  # who gives up waiting leaves nothing half made
        return str(server.sockets[0].getsockname()[1]).encode()

    def withdraw(self, publisher: Fed) -> None:
        """Nothing is kept of it."""

    async def open(self, source: Source, contact: bytes, receivers: list[Receiver]) -> PostChannel:
        loop = asyncio.get_running_loop()
        _, frames = await loop.create_connection(lambda: self._frames(self._hear), "127.0.0.1", int(contact))
        frames.proven = True  # whom the server names may say as much as it likes
        opening = self._opening[frames] = Opening(source, receivers, os.urandom(16), loop.create_future())
        ids = source.publisher_id.bytes + self._home.client_id.bytes + self._home.id.bytes
        frames.send(ASK, ids, opening.nonce, sha256(source.key + opening.nonce).digest())
        try:
            channel = frames.end = await opening.channel
        except BaseException:
            frames.abort()
            raise
        finally:
            del self._opening[frames]
        frames.read_on()  # only now, when whoever asked for the channel has it, and knows of what it brings
        return channel

    async def close(self) -> None:
        if self._starting is not None:
            (await self._starting).close()
        gone = [frames.gone for frames in self._all]
        for frames in list(self._all):
            frames.close()
        if gone:
            await asyncio.wait(gone, timeout=CLOSE_S)
        for frames in list(self._all):
            frames.abort()

    def _frames(self, on_frame: Callable[[Frames, int, bytes], None]) -> Frames:
        frames = Frames(on_frame, self._lost)
        self._all.add(frames)
        return frames

    # --- at the publisher's end -------------------------------------------------------------------------------

    def _serve(self, frames: Frames, kind: int, body: bytes) -> None:
        sender = frames.end
        if kind == ASK:
            self._admit(frames, body)
        elif not isinstance(sender, Sender):
            frames.abort()
        elif kind == RELEASE:
            sender.released(struct.unpack("<I", body)[0])
            self._close_if_idle(frames, sender)
        elif kind == END_SEEN:
            sender.end_seen()
        elif kind == LEAVE:
            sender.publisher.detach(sender)
            sender.end_seen()
            sender.closing = True
            frames.send(LEFT)
            self._close_if_idle(frames, sender)

    def _close_if_idle(self, frames: Frames, sender: Sender) -> None:
        if sender.closing and not sender.held:
            frames.close()

    def _admit(self, frames: Frames, body: bytes) -> None:
        publisher = self._home.fed.get(UUID(bytes=body[:16]))
        client_id, exchange_id, nonce = UUID(bytes=body[16:32]), UUID(bytes=body[32:48]), body[48:64]
        if publisher is None:
            frames.send(REFUSED, b"it has no such publisher (any more)")
            return
        key = key_of(publisher, client_id)
        if not same(body[64:], sha256(key + nonce).digest()):
            frames.send(REFUSED, b"the proof is wrong")
            frames.close()
            return
        frames.proven = True
        sender = Sender(publisher, frames)
        sender.exchange_id = exchange_id
        frames.end = sender
        state = struct.pack("<QI", publisher.next_message, publisher.window.size)
        frames.send(OPENED, state, sha256(nonce + key).digest())
        publisher.attach(sender)

    # --- at the subscribers' end ------------------------------------------------------------------------------

    def _hear(self, frames: Frames, kind: int, body: bytes) -> None:
        channel = frames.end
        opening = self._opening.get(frames)
        if kind in (OPENED, REFUSED) and opening is not None and not opening.channel.done():
            self._be_answered(frames, opening, kind, body)
        elif not isinstance(channel, PostChannel):
            frames.abort()
        elif kind == FORM:
            channel.hear_form(struct.unpack_from("<Q", body)[0], body[8:])
        elif kind == MESSAGE:
            self._deliver(channel, body)
        elif kind == END:
            channel.next_message = struct.unpack("<Q", body)[0]
            frames.send(END_SEEN)
            self._home.channel_ended(channel)
        elif kind == LEFT:
            channel.over.set()  # what is held will still be released
        elif kind == CUT:
            frames.close()

    def _be_answered(self, frames: Frames, opening: Opening, kind: int, body: bytes) -> None:
        source = opening.source
        if kind == REFUSED:
            opening.channel.set_exception(ChannelRefused(topic=source.topic, reason=body.decode()))
        elif not same(body[12:], sha256(opening.nonce + source.key).digest()):
            reason = "the publisher does not hold the channel's key"
            opening.channel.set_exception(ChannelRefused(topic=source.topic, reason=reason))
        else:
            next_message, num_buffers = struct.unpack_from("<QI", body)
            channel = PostChannel(source, opening.receivers, num_buffers, frames)
            channel.first_message = channel.next_message = next_message
            frames.waits = True
            opening.channel.set_result(channel)

    def _deliver(self, channel: PostChannel, body: bytes) -> None:
        number, token = struct.unpack_from("<QI", body)
        if channel.over.is_set():
            channel.release(token)
        else:
            channel.hear(number, token, body[12:])

    # --- at both ----------------------------------------------------------------------------------------------

    def _lost(self, frames: Frames) -> None:
        self._all.discard(frames)
        opening = self._opening.get(frames)
        if opening is not None and not opening.channel.done():
            opening.channel.set_exception(ConnectionResetError("the publisher's process closed the connection"))
        end = frames.end
        if isinstance(end, Sender):
            end.publisher.detach(end)
            end.abandon()
        elif isinstance(end, PostChannel) and not end.over.is_set():
            self._home.channel_lost(end)
