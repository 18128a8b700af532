"""The publisher's end: each message is sent once for all who hear it over Zenoh, and again to who misses it."""

import asyncio
import contextlib
import logging
import os
from collections.abc import Callable
from typing import Any
from uuid import UUID

import zenoh

from ezmsg.core.messages.forms import Form
from ezmsg.core.transports.plug import Fed, key_of
from ezmsg.core.transports.sender import Body, WholeSender
from ezmsg.protocol.declared import declared
from ezmsg.protocol.wire import auth
from ezmsg.zenoh.channels.frames import HEAD_BYTES, Head, from_anybody, heads_to_bytes, refusal_key, to_bytes
from ezmsg.zenoh.channels.messages import Ask, Challenge, Held, Opened, Prove, Refused, Sent
from ezmsg.zenoh.channels.reception import released
from ezmsg.zenoh.errors import MessageStuck
from ezmsg.zenoh.keys import Keys, channel_of, client_of
from ezmsg.zenoh.session import DIRECT_BYTES, Sending, Session, called, congestion
from ezmsg.zenoh.signing import derived, masked

ASKING_LIMIT = 256
"""How many may be between question and proof; the oldest goes first."""

PROBE_FIRST_S = 0.1
PROBE_LONGEST_S = 1.0
"""After how many seconds without a word one who holds something is asked how it stands: first, and later."""

AGAIN_S = 0.5
"""How long what was sent again to one who misses it may take to come, in seconds."""

STREAM_S = 0.001
"""Messages that follow one another within so many seconds are a stream."""

OVERHEAD_BYTES = 64 * 1024
"""More than the key and the head of a message take."""

STUCK_TIMES = 6
"""After how often a message that somebody misses is told of: by then it has taken seconds."""

FORMS_TRUSTED = 32
"""Of how many forms it is relied on that they are known; the other end remembers more."""

logger = logging.getLogger("ezmsg")

Post = Callable[[Callable[[Any], object], Any], None]


class ZenohSender(WholeSender):
    """One event loop that hears the publisher: what it holds, and what it is told."""

    kind = "ZENOH"

    def __init__(self, feed: "Feed", channel: str, key: bytes, exchange_id: UUID) -> None:
        super().__init__(feed.publisher.window)
        self.feed = feed
        self.limit_bytes = feed.limit_bytes
        self.channel = channel
        self.key = key
        self.exchange_id = exchange_id
        self.forms: dict[int, None] = {}  # those that it has surely heard of, the oldest first
        self._teaching: list[tuple[int, int]] = []  # messages that bring a form, and the forms's numbers
        self.opened: Opened
        self.told = Sent(0)
        self.lost: asyncio.TimerHandle | None = None  # its token is gone, and it has this time to come back
        self.probe_s = PROBE_FIRST_S
        self.probe_at_s = 0.0
        self._end_seen = asyncio.Event()
        self._undelivered = 0
        self._again: dict[int, float] = {}  # when what was missed was sent again
        self._times: dict[int, int] = {}  # how often each of those that are held was sent

    def send(self, number: int, token: int, body: Body) -> None:
        self.hold(number, token)
        form = self.feed.send(number, token, body)
        if form is not None and form.number not in self.forms:
            self._teaching.append((number, form.number))
        self.feed.watch(self)

    def tell(self, form: Form) -> None:
        self.feed.form = form

    def unresponsive(self, silence_s: float) -> str:
        # Who is there may be busy, and is waited for, as over any transport.
        return "" if self.lost is None else "its session of Zenoh is gone"

    def cut(self, reason: str) -> None:
        self.say(Sent(self.feed.publisher.next_message, cut=reason))
        self.feed.forget(self)

    def released(self, token: int) -> None:
        number = self._held.get(token)
        if number is not None:
            super().released(token)
            self._times.pop(number, None)
            self.feed.let_go(number)

    def abandon(self) -> None:
        self._undelivered = self.held
        self._end_seen.set()
        for _, token in self.held_messages:
            self.released(token)

    def hear(self, held: Held) -> None:
        """Learn how it stands with those at the other end."""
        if held.gone:
            self.feed.give_up(self)
            return
        let_go = released(held, self.held_messages)
        for token in let_go:
            self.released(token)
        self.probe_at_s = 0.0
        if let_go:  # else it holds them, and may do so for long
            self.probe_s = PROBE_FIRST_S
        self._learn(held.next_message)
        self._send_again(held.missing)
        if self.told.ended and held.next_message >= self.told.next_message:
            self._end_seen.set()
        if held.leaving:
            self._leave()

    def _send_again(self, missing: list[int]) -> None:
        """Send what the other end misses, but not what may be on its way to it."""
        now_s = asyncio.get_running_loop().time()
        self._again = {number: sent_s for number, sent_s in self._again.items() if now_s - sent_s < AGAIN_S}
        held = set(self._held.values()) if missing else ()
        for number in missing:
            if number in held and number not in self._again:
                self._again[number] = now_s
                times = self._times[number] = self._times.get(number, 1) + 1
                self.feed.send_again(number, self, times)

    def _learn(self, next_message: int) -> None:
        """Whatever was told with a message that has come is known."""
        while self._teaching and self._teaching[0][0] < next_message:
            self.forms[self._teaching.pop(0)[1]] = None
        while len(self.forms) > FORMS_TRUSTED:
            del self.forms[next(iter(self.forms))]

    def _leave(self) -> None:
        if not self.closing:
            self.closing = True
            self.feed.publisher.detach(self)
            self._end_seen.set()
        self.say(Sent(self.feed.publisher.next_message, left=True))
        if not self.held:
            self.feed.forget(self)

    def say(self, told: Sent) -> None:
        """Let the other end know how it stands here."""
        self.told = told
        self.feed.tell(self.channel, told, self.key)

    async def end(self, next_message: int) -> int:
        """Wait until the other end has everything."""
        if self.closing:
            return 0
        self.say(Sent(next_message, ended=True))
        self.feed.watch(self)
        await self._end_seen.wait()
        return self._undelivered


class _Asking:
    """Somebody who has yet to prove that it may hear the publisher."""

    def __init__(self, publisher: Fed, client_id: UUID, ask: Ask) -> None:
        key = key_of(publisher, client_id)
        nonce = os.urandom(auth.NONCE_SIZE)
        self.exchange_id = ask.exchange_id
        self.expected = auth.client_proof(key, ask.nonce, nonce)
        self.challenge = Challenge(nonce, auth.server_proof(key, ask.nonce, nonce))
        self.key = derived(key, ask.nonce, nonce)


@declared(frozen=False)
class _UnderWay:
    """A message that somebody holds, as it is sent again to who misses it."""

    token: int
    body: Body
    size: int
    form: Form | None
    holders: int = 0


class Feed:
    """What one publisher has in Zenoh."""

    def __init__(self, opened: Session, publisher: Fed, keys: Keys, post: Post, lease_s: float) -> None:
        session = opened.zenoh
        self.limit_bytes = opened.limit_bytes - OVERHEAD_BYTES
        self.publisher = publisher
        self.form: Form | None = None
        self._keys = keys
        self._post = post
        self._lease_s = lease_s
        self.sending = Sending()  # of its own: one that is held up holds up no other
        self._session = session
        self._data_key = derived(publisher.secret, b"data")
        self._asking: dict[str, _Asking] = {}
        self._senders: dict[str, ZenohSender] = {}
        self._under_way: dict[int, _UnderWay] = {}  # the messages that somebody holds, by number
        self._together: list[tuple[Head, Body]] = []  # small messages that are about to be sent
        self._together_bytes = 0
        self._in_turn = False  # something was sent in this turn of the event loop
        self._flushed_s = -STREAM_S
        self._probing: asyncio.TimerHandle | None = None
        self._loop = asyncio.get_running_loop()
        # The event loop is never held up: what is small and finds no room is lost, and asked for by who misses it.
        self._small = session.declare_publisher(keys.data, congestion_control=zenoh.CongestionControl.DROP)
        self._large = session.declare_publisher(keys.data, congestion_control=zenoh.CongestionControl.BLOCK)
        liveliness = session.liveliness()
        self._entities: list[Any] = [
            liveliness.declare_subscriber(keys.token("*"), called(self._on_presence), history=True),
            session.declare_subscriber(keys.inward("*"), called(self._on_word)),
            liveliness.declare_token(keys.alive),
        ]

    # --- messages ---------------------------------------------------------------------------------------------

    def send(self, number: int, token: int, body: Body) -> Form | None:
        """Send a message, once for all who hear it; return its form."""
        known = self._under_way.get(number)
        if known is None:
            form, self.form = self.form, None
            known = self._under_way[number] = _UnderWay(token, body, sum(map(len, body)), form)
            told = form is None or all(form.number in sender.forms for sender in self._senders.values())
            self._send_soon(self._head(number, known, tell=not told), body)
        known.holders += 1
        return known.form

    def _send_soon(self, head: Head, body: Body) -> None:
        """Send the first message of a turn of the event loop at once, and small ones behind it together.

        In a stream the first one waits for the others, too: that is one sending for each turn.
        """
        size = head.size + HEAD_BYTES + len(head.content)
        if size > DIRECT_BYTES or not (self._in_turn or self._loop.time() - self._flushed_s < STREAM_S):
            self._flush()
            self._send_together([head], body)
        else:
            if self._together_bytes + size > DIRECT_BYTES:
                self._flush()
            self._together.append((head, body))
            self._together_bytes += size
        if not self._in_turn:
            self._in_turn = True
            self._loop.call_soon(self._end_turn)

    def _end_turn(self) -> None:
        self._in_turn = False
        self._flush()

    def _flush(self) -> None:
        together, self._together, self._together_bytes = self._together, [], 0
        if together:
            parts = [part for _, body in together for part in body]
            self._send_together([head for head, _ in together], parts)

    def _send_together(self, heads: list[Head], body: Body) -> None:
        self._flushed_s = self._loop.time()
        signed_heads = heads_to_bytes(heads, self._data_key)
        self.sending.send(
            sum(map(len, body)),
            lambda waits: (self._large if waits else self._small).put(joined(body), attachment=signed_heads),
        )

    def send_again(self, number: int, sender: ZenohSender, times: int) -> None:
        """Send a message to one who misses it, for the second time or the next."""
        known = self._under_way.get(number)
        if known is not None:
            if times == STUCK_TIMES:
                logger.warning("%s", MessageStuck(topic=self.publisher.topic, size=known.size, times=times))
            self._flush()
            self.sending.be_patient()
            head = heads_to_bytes([self._head(number, known, tell=True)], self._data_key)
            self._put(self._keys.outward(sender.channel), known.size, lambda: joined(known.body), head)

    def _head(self, number: int, message: "_UnderWay", *, tell: bool) -> Head:
        form = message.form
        content = form.content if form is not None and tell else b""
        return Head(number, message.token, message.size, None if form is None else form.number, content)

    def let_go(self, number: int) -> None:
        """One who held a message holds it no more."""
        message = self._under_way[number]
        message.holders -= 1
        if not message.holders:
            del self._under_way[number]

    def _put(self, key: str, size: int, payload: Callable[[], bytes], attachment: bytes | None = None) -> None:
        put = self._session.put
        self.sending.send(
            size,
            lambda waits: put(key, payload(), attachment=attachment, congestion_control=congestion(waits=waits)),
        )

    # --- the conversation -------------------------------------------------------------------------------------

    def tell(self, channel: str, message: object, key: bytes) -> None:
        """Say something to the other end of a channel, behind the messages that were sent."""
        self._flush()
        data = to_bytes(message, key)
        self._put(self._keys.outward(channel), len(data), lambda: data)

    def _on_word(self, sample: Any) -> None:
        self._post(self._hear, (channel_of(str(sample.key_expr)), sample.payload.to_bytes()))

    def _hear(self, came: tuple[str, bytes]) -> None:
        channel, data = came
        client_id = client_of(channel)
        if client_id is None:
            return
        sender = self._senders.get(channel)
        message, key = from_anybody(data, b"" if sender is None else sender.key) or (None, b"")
        match message:
            case Ask() if sender is None:
                self._challenge(channel, client_id, message)
            case Prove():
                self._admit(channel, client_id, message)
            case Held() if sender is not None and key:
                sender.hear(message)
            case _ if sender is None:  # it believes that it is heard here, as it was perhaps before it was away
                self._refuse(channel, client_id, "it does not know this channel (any more)")

    def _challenge(self, channel: str, client_id: UUID, ask: Ask) -> None:
        asking = self._asking.get(channel)
        if asking is None:
            if len(self._asking) >= ASKING_LIMIT:
                del self._asking[next(iter(self._asking))]
            asking = self._asking[channel] = _Asking(self.publisher, client_id, ask)
        self.tell(channel, asking.challenge, b"")

    def _admit(self, channel: str, client_id: UUID, message: Prove) -> None:
        sender = self._senders.get(channel)
        if sender is None:
            asking = self._asking.pop(channel, None)
            if asking is None or not auth.same(asking.expected, message.proof):
                self._refuse(channel, client_id, "the proof is wrong, or too many ask at a time")
                return
            sender = ZenohSender(self, channel, asking.key, asking.exchange_id)
            data_key = masked(self._data_key, asking.key)
            sender.opened = Opened(self.publisher.next_message, self.publisher.window.size, data_key)
            self._senders[channel] = sender
            self.publisher.attach(sender)
        self.tell(channel, sender.opened, sender.key)

    def _refuse(self, channel: str, client_id: UUID, reason: str) -> None:
        self.tell(channel, Refused(reason), refusal_key(key_of(self.publisher, client_id), channel))

    def forget(self, sender: ZenohSender) -> None:
        """One who heard the publisher is gone."""
        if self._senders.pop(sender.channel, None) is not None and sender.lost is not None:
            sender.lost.cancel()

    # --- who is there -----------------------------------------------------------------------------------------

    def _on_presence(self, sample: Any) -> None:
        there = sample.kind == zenoh.SampleKind.PUT
        self._post(self._note_presence, (channel_of(str(sample.key_expr)), there))

    def _note_presence(self, came: tuple[str, bool]) -> None:
        sender = self._senders.get(came[0])
        if sender is None:
            if not came[1]:  # it has given up; its proof may come behind this, and must not be believed then
                self._asking.pop(came[0], None)
            return
        if sender.lost is not None:
            sender.lost.cancel()
            sender.lost = None
        if came[1]:
            sender.say(sender.told if sender.told.ended else Sent(self.publisher.next_message))
        else:
            sender.lost = self._loop.call_later(self._lease_s, self.give_up, sender)

    def give_up(self, sender: ZenohSender) -> None:
        """Send to one less, of whom nothing will be heard any more."""
        self.publisher.detach(sender)
        self.forget(sender)
        sender.abandon()

    def watch(self, sender: ZenohSender) -> None:
        """Ask how it stands if one who holds something says nothing for a while."""
        if not sender.probe_at_s:
            sender.probe_at_s = self._loop.time() + sender.probe_s
        if self._probing is None:
            self._probing = self._loop.call_later(PROBE_FIRST_S, self._probe)

    def _probe(self) -> None:
        self._probing = None
        now_s = self._loop.time()
        waited_for = [sender for sender in self._senders.values() if sender.held or sender.told.ended]
        for sender in waited_for:
            if sender.probe_at_s and sender.probe_at_s <= now_s:
                sender.probe_s = min(2 * sender.probe_s, PROBE_LONGEST_S)
                sender.probe_at_s = now_s + sender.probe_s
                sender.say(sender.told if sender.told.ended else Sent(self.publisher.next_message))
            elif not sender.probe_at_s:
                sender.probe_at_s = now_s + sender.probe_s
        if waited_for:
            self._probing = self._loop.call_later(PROBE_FIRST_S, self._probe)

    def close(self) -> None:
        """Hear nothing any more; :meth:`end` comes behind it."""
        self._flush()
        if self._probing is not None:
            self._probing.cancel()
        for sender in list(self._senders.values()):
            self.forget(sender)
            sender.abandon()
        for entity in self._entities:
            entity.undeclare()

    async def end(self, limit_s: float) -> None:
        """Send what waits, for so many seconds at most, and take the rest out of Zenoh."""
        await self.sending.close(limit_s)
        publishers: tuple[Any, ...] = (self._small, self._large)
        for sends in publishers:
            # What the thread is still held up in cannot be undeclared; it goes with the session.
            with contextlib.suppress(RuntimeError, zenoh.ZError):
                sends.undeclare()


def joined(body: Body) -> bytes:
    """Return a message's bytes in one piece, as Zenoh takes them."""
    return body[0] if len(body) == 1 and isinstance(body[0], bytes) else b"".join(body)
