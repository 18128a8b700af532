"""The subscribers' end: what arrives is put in order, and the publisher is told what has come and what is held."""

import asyncio
import os
from collections.abc import Callable
from typing import Any

import zenoh

from ezmsg.core.channels.backpressure import MAX_NUM_BUFFERS
from ezmsg.core.channels.channel import Receiver
from ezmsg.core.channels.whole import WholeChannel
from ezmsg.core.errors import ChannelRefused
from ezmsg.core.messages.active import CODEC
from ezmsg.core.transports.plug import Home
from ezmsg.protocol.messages.endpoints import Source
from ezmsg.protocol.wire import auth
from ezmsg.zenoh.channels.frames import Head, from_anybody, heads_from_bytes, refusal_key, to_bytes
from ezmsg.zenoh.channels.messages import Ask, Challenge, Held, Opened, Prove, Refused, Sent
from ezmsg.zenoh.channels.reception import Reception
from ezmsg.zenoh.keys import Keys, new_channel
from ezmsg.zenoh.session import Sending, called, congestion
from ezmsg.zenoh.signing import derived, masked

GONE = "the publisher's process is gone"

SAID_S = (0.0, 0.2, 1.0, 5.0)
"""When a publisher that is back is told how it stands here: any of it may be lost, and it may have forgotten us."""

ASK_AGAIN_S = 0.2
"""After how many seconds an open question is put again."""

TOLD_PARTS = 2
"""Of a publisher's buffers that are not kept here for long, one part in so many may be free without its knowing,"""

LET_GO_S = 0.002
"""until nothing has come for so long, in seconds: the answer to a message is not to wait for the word that it was
let go, nor the next message for many of them."""

LET_GO_LOOKS = 10
"""After how many such times it is told in any case."""

EARLY_LIMIT = 32
"""How many messages wait for the answer that opens the channel; what is more is asked for again."""

Post = Callable[[Callable[[Any], object], Any], None]
Arrived = tuple[Head, bytes]


class ZenohChannel(WholeChannel):
    """A publisher that is heard over Zenoh."""

    kind = "ZENOH"

    def __init__(self, hearing: "Hearing", num_buffers: int) -> None:
        source = hearing.source
        super().__init__(source.publisher_id, source.topic, hearing.receivers, num_buffers, CODEC)
        self._hearing = hearing

    def release(self, token: int) -> None:
        self._hearing.release(token)

    def leave(self) -> None:
        self._hearing.leave()


class Hearing:
    """One channel's end, from its first question to its last release."""

    def __init__(
        self,
        session: "zenoh.Session",
        sending: Sending,
        home: Home,
        source: Source,
        keys: Keys,
        receivers: list[Receiver],
        post: Post,
        lease_s: float,
        on_over: "Callable[[Hearing], None]",
    ) -> None:
        self.source = source
        self.receivers = receivers
        self._id = new_channel(home.client_id)
        self._refusal_key = refusal_key(source.key, self._id)
        self._loop = asyncio.get_running_loop()
        self._opened: asyncio.Future[Opened] = self._loop.create_future()
        self._channel: ZenohChannel | None = None
        self._reception: Reception[Arrived] | None = None
        self._home = home
        self._keys = keys
        self._session = session
        self._sending = sending
        self._post = post
        self._lease_s = lease_s
        self._on_over = on_over
        self._nonce = os.urandom(auth.NONCE_SIZE)
        self._question: object = Ask(home.id, self._nonce)
        self._key = b""
        self._data_key = b""
        self._early: list[tuple[bytes, bytes]] = []  # messages that came before the answer
        self._numbers: dict[int, int] = {}  # of what is held, by token
        self._telling = False
        self._let_go = 0  # since it was told last
        self._kept = 0  # of the messages that are held: how many may be so for long
        self._delivering = False
        self._letting: asyncio.TimerHandle | None = None
        self._has_come = False  # something, since it was looked at last
        self._looks = 0  # how often since it was told last
        self._left = False  # the publisher has heard that we leave
        self._closed = False
        self._asking: asyncio.TimerHandle | None = None
        self._missed: asyncio.TimerHandle | None = None
        # What is small and finds no room is lost, and said again.
        self._inward = session.declare_publisher(keys.inward(self._id), congestion_control=congestion(waits=False))
        self._entities: list[Any] = [
            session.declare_subscriber(keys.outward(self._id), called(self._on_word)),
            session.declare_subscriber(keys.data, called(self._on_data)),
            session.liveliness().declare_subscriber(keys.alive, called(self._on_presence), history=True),
            session.liveliness().declare_token(keys.token(self._id)),
            self._inward,
        ]

    # --- opening ----------------------------------------------------------------------------------------------

    async def open(self) -> ZenohChannel:
        """Ask until the publisher feeds the channel.

        :raises ChannelRefused: if it does not want to, or does not hold the channel's key.
        """
        self._ask()
        opened = await self._opened
        if self._closed:
            raise ConnectionResetError(GONE)
        return self._begin(opened)

    def _ask(self) -> None:
        self._asking = self._loop.call_later(ASK_AGAIN_S, self._ask)
        self._say(self._question, b"")

    def _say(self, message: object, secret: bytes) -> None:
        data = to_bytes(message, secret)
        self._sending.send(len(data), lambda waits: self._put_patiently(data) if waits else self._inward.put(data))

    def _put_patiently(self, data: bytes) -> None:
        self._session.put(self._keys.inward(self._id), data, congestion_control=congestion(waits=True))

    def _prove(self, challenge: Challenge) -> None:
        key = self.source.key
        proof = auth.server_proof(key, self._nonce, challenge.nonce)
        if not isinstance(self._question, Ask) or not auth.same(proof, challenge.proof):
            return  # it comes once more, or from somebody else
        self._key = derived(key, self._nonce, challenge.nonce)
        self._question = Prove(auth.client_proof(key, self._nonce, challenge.nonce))
        self._say(self._question, b"")

    def _be_refused(self, refused: Refused) -> None:
        if not self._opened.done():
            self._opened.set_exception(ChannelRefused(topic=self.source.topic, reason=refused.reason))
        elif self._reception is not None and self._reception.leaving and self._channel is not None:
            self._channel.over.set()  # it has heard that we leave, and only its answer was lost
            self.close()
        else:
            self._lose()

    def _begin(self, opened: Opened) -> ZenohChannel:
        """Deliver from now on: whoever waits for the channel has it, and knows of what it brings."""
        if not 0 < opened.num_buffers <= MAX_NUM_BUFFERS:
            reason = f"its publisher says that it has {opened.num_buffers} buffers"
            raise ChannelRefused(topic=self.source.topic, reason=reason)
        self._data_key = masked(opened.data_key, self._key)
        self._reception = Reception(opened.next_message, opened.num_buffers)
        channel = self._channel = ZenohChannel(self, opened.num_buffers)
        channel.first_message = channel.next_message = opened.next_message
        early, self._early = self._early, []
        for came in early:
            self._loop.call_soon(self._take, came)
        return channel

    # --- what arrives -----------------------------------------------------------------------------------------

    def _on_word(self, sample: Any) -> None:
        head = sample.attachment
        if head is None:
            self._post(self._hear, sample.payload.to_bytes())
        else:
            self._post(self._take, (head.to_bytes(), sample.payload.to_bytes()))

    def _on_data(self, sample: Any) -> None:
        if sample.attachment is not None:
            self._post(self._take, (sample.attachment.to_bytes(), sample.payload.to_bytes()))

    def _hear(self, data: bytes) -> None:
        if self._closed:
            return
        message, key = from_anybody(data, self._key, self._refusal_key) or (None, b"")
        match message:
            case Challenge():
                self._prove(message)
            case Refused() if key == self._refusal_key:
                self._be_refused(message)
            case Opened() if key and key == self._key and not self._opened.done():
                self._stop_asking()
                self._opened.set_result(message)
            case Sent() if key and key == self._key:
                self._hear_sent(message)

    def _hear_sent(self, message: Sent) -> None:
        channel, reception = self._channel, self._reception
        if channel is None or reception is None:
            return
        if message.cut:
            self._lose()
        elif message.left:
            self._stop_asking()
            self._left = True
            channel.over.set()
            self._close_if_idle()
        else:
            reception.hear(message.next_message)
            self._tell()
            if message.ended and reception.next_message >= message.next_message and not channel.over.is_set():
                channel.next_message = message.next_message
                self._home.channel_ended(channel)
                self._close_if_idle()

    def _take(self, came: tuple[bytes, bytes]) -> None:
        reception, channel = self._reception, self._channel
        if self._closed:
            return
        if reception is None or channel is None:
            if len(self._early) < EARLY_LIMIT:
                self._early.append(came)
            return
        try:
            heads = heads_from_bytes(came[0], self._data_key)
        except ValueError:  # somebody else has put it there
            return
        payload, at = came[1], 0
        if sum([head.size for head in heads]) != len(payload):
            return
        self._has_come = self._delivering = True
        try:
            for head in heads:
                body = payload[at : at + head.size]  # itself, if it is all
                at += head.size
                if head.token < channel.num_buffers:
                    for due, due_body in reception.take(head.number, (head, body)):
                        self._deliver(channel, due, due_body)
        finally:
            self._delivering = False
        if reception.misses_some or self._is_much_let_go:
            self._tell_soon()

    def _deliver(self, channel: ZenohChannel, head: Head, body: bytes) -> None:
        number = self._numbers[head.token] = head.number
        if channel.over.is_set():
            self.release(head.token)
            return
        if head.content and head.form is not None:
            channel.hear_form(head.form, head.content)
        channel.hear(number, head.token, body)

    # --- what the publisher is told ---------------------------------------------------------------------------

    def release(self, token: int) -> None:
        """Nobody here holds a message any more."""
        if self._reception is not None and (number := self._numbers.pop(token, None)) is not None:
            self._reception.release(number)
            self._let_go += 1
            if self._is_much_let_go and not self._delivering:
                self._tell()
            elif self._letting is None:
                self._letting = self._loop.call_later(LET_GO_S, self._look)

    @property
    def _is_much_let_go(self) -> bool:
        """Whether the publisher should know what was let go: it may wait for that."""
        if self._channel is None:
            return False
        return self._let_go >= max(1, (self._channel.num_buffers - self._kept) // TOLD_PARTS)

    def leave(self) -> None:
        """Ask for no more; what is held is still released."""
        if self._reception is not None and not self._closed:
            self._reception.leaving = True
            self._leave()

    def _leave(self) -> None:
        self._stop_asking()
        self._tell()
        if not self._closed:
            self._asking = self._loop.call_later(ASK_AGAIN_S, self._leave)

    def _look(self) -> None:
        self._letting = None
        self._looks += 1
        if self._has_come and self._looks < LET_GO_LOOKS:
            self._has_come = False
            self._letting = self._loop.call_later(LET_GO_S, self._look)
        elif self._let_go:
            self._kept = len(self._numbers)  # nothing comes, and yet they are held
            self._tell()

    def _tell_soon(self) -> None:
        if not self._telling:
            self._telling = True
            self._loop.call_soon(self._tell_if_due)

    def _tell_if_due(self) -> None:
        if self._telling:
            self._tell()

    def _tell(self) -> None:
        self._telling = False
        self._let_go = self._looks = 0
        self._kept = min(self._kept, len(self._numbers))
        if self._reception is not None and not self._closed:
            self._say(self._reception.state(), self._key)
            self._close_if_idle()

    # --- who is there -----------------------------------------------------------------------------------------

    def _on_presence(self, sample: Any) -> None:
        self._post(self._note_presence, sample.kind == zenoh.SampleKind.PUT)

    def _note_presence(self, there: bool) -> None:
        if self._missed is not None:
            self._missed.cancel()
            self._missed = None
        if self._closed:
            return
        if there:
            for delay_s in SAID_S:
                self._loop.call_later(delay_s, self._tell)
        else:
            self._missed = self._loop.call_later(self._lease_s, self._lose)

    def _lose(self) -> None:
        channel = self._channel
        if channel is None:
            if not self._opened.done():
                self._opened.set_exception(ConnectionResetError(GONE))
        elif not channel.over.is_set():
            self._home.channel_lost(channel)
        self.close()

    def _close_if_idle(self) -> None:
        """Go when nothing more comes, nothing is held, and the publisher was told so."""
        channel, reception = self._channel, self._reception
        if channel is None or reception is None or not channel.over.is_set():
            return
        if not (self._numbers or self._telling or self._let_go or (reception.leaving and not self._left)):
            self.close()

    def _stop_asking(self) -> None:
        if self._asking is not None:
            self._asking.cancel()
            self._asking = None

    def give_up(self) -> None:
        """Close, whether it is open or not yet; the publisher is told, and need not wait to find out."""
        if self._key and not self._closed:
            self._say(Held(0, [], [], leaving=True, gone=True), self._key)
        self.close()

    def close(self) -> None:
        """Say nothing any more, and hear nothing."""
        if self._closed:
            return
        self._closed = True
        self._stop_asking()
        for timer in (self._missed, self._letting):
            if timer is not None:
                timer.cancel()
        if self._channel is not None:
            self._channel.over.set()
        for entity in self._entities:
            entity.undeclare()
        self._on_over(self)
