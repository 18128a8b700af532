"""A publisher: hands each message to every process that hears its topic, and waits when they fall behind."""

import asyncio
import copy
import logging
import os
import time
from time import perf_counter_ns
from typing import TYPE_CHECKING, Any, Self, cast
from uuid import UUID, uuid4

from ezmsg.control.connection.client import DEFAULT_TIMEOUT
from ezmsg.core.channels.backpressure import Window
from ezmsg.core.channels.loans import is_lent_elsewhere, lends_slots, lies_in_slots
from ezmsg.core.errors import (
    EndpointClosed,
    InvalidOption,
    MessageTooLarge,
    PickleForbidden,
    UnencodableMessage,
)
from ezmsg.core.messages.active import CODEC
from ezmsg.core.messages.forms import Form
from ezmsg.core.messages.payload import ArrayPayload
from ezmsg.core.profiling.object_size import object_size
from ezmsg.core.pubsub.exchange import Exchange
from ezmsg.core.pubsub.lending import Blank, BlankLoan, Blanks, plain_dtype
from ezmsg.core.pubsub.options import (
    DEFAULT_BUF_SIZE,
    DEFAULT_MAX_BLOCK_S,
    DEFAULT_NUM_BUFFERS,
    LINGER_S,
    PublisherOptions,
    flag,
    publisher_options,
)
from ezmsg.core.pubsub.taking_back import TakingBack
from ezmsg.core.support import arrays
from ezmsg.core.support.copying import uncopyable_words, unpicklable_words
from ezmsg.core.support.wording import counted, said
from ezmsg.core.transports.in_process import LocalSender
from ezmsg.core.transports.link_sender import LinkSender
from ezmsg.core.transports.sender import Sender, WholeSender
from ezmsg.core.transports.shared_memory import SharedMemorySender, Slots
from ezmsg.core.transports.tcp import TcpSender, kept
from ezmsg.protocol.addresses import AddressType
from ezmsg.protocol.errors import DeadlineExceeded

if TYPE_CHECKING:
    from ezmsg.core.profiling.tracers import PublisherTracer

logger = logging.getLogger("ezmsg")

WARN_AGAIN_S = 5.0
"""Seconds between two warnings that a publisher waits for its subscribers."""

PAUSE_TOLD_S = 5.0
"""For how long a message waits for :meth:`Publisher.resume` before that is told, in seconds."""

LOOK_AGAIN_S = 1.0
"""Seconds between two looks whether a publisher waits for an event loop that is closed."""

TIDY_S = 3.0
"""How long memory must not have been used, in seconds, before it is given back; it may take twice as long."""

TIDY_BYTES = 16 * 2**20
TIDY_STEP_S = 0.001
"""How much of it is given back at once, and the seconds until the next step: nobody shall notice."""

LITTLE_BYTES = 2**20
"""What may stay for good."""

TIMER_S = 0.01
"""What an event loop's timer may be early, and the shortest time between two looks for who does not answer."""

TURN_MESSAGES = 64
"""After this many messages the rest of the event loop gets a turn, even if nothing makes the publisher wait."""

LARGE_BYTES = 128 * 1024
"""From this size on a message costs more than a turn of the event loop."""

_GUARD = object()


class Publisher:
    """Sends messages; made with :meth:`create` or :meth:`GraphContext.publisher`.

    ``undelivered`` counts the messages that :meth:`wait_closed` gave up on, ``cut_off`` the processes that did not
    answer while they held it up for ``max_block`` seconds. ``bytes_published`` and ``waits`` are
    for profiles; the latter says how many broadcasts wait for a buffer, for how many nanoseconds any did until a
    moment, and that moment; if any wait, their time counts on from there.
    """

    def __init__(
        self,
        id: UUID,  # noqa: A002  the public name
        topic: str,
        exchange: Exchange,
        options: PublisherOptions,
        *,
        _guard: object = None,
    ) -> None:
        if _guard is not _GUARD:
            raise TypeError("Use Publisher.create(...) or GraphContext.publisher(...) instead")
        self.id = id
        self.topic = topic
        self.options = options
        self.secret = os.urandom(32)
        self.next_message = 0
        self.bytes_published = 0
        self.waits = (0, 0, 0)
        self.tracer: PublisherTracer | None = None
        self.undelivered = 0
        self._exchange = exchange
        self._slots = Slots(options.num_buffers, options.buf_size)
        self.window = Window(options.num_buffers, on_free=self._slots.free)
        self._blanks = Blanks(self.window)
        self._forms = None if flag("EZMSG_DISABLE_AXIS_ELISION", False) else CODEC.forms()
        self._form_of: list[Form | None] = [None] * options.num_buffers  # by token
        self._senders: tuple[Sender, ...] = ()
        self._local: tuple[LocalSender, ...] = ()
        self._shared: tuple[SharedMemorySender, ...] = ()
        self._whole: tuple[WholeSender, ...] = ()
        self._turn_due = False
        self._running = asyncio.Event()
        self._pause_told = False
        if not options.start_paused:
            self._running.set()
        self._closed = False
        self._closing: asyncio.Task[None] | None = None
        self._warned_at = -WARN_AGAIN_S
        self._looking: asyncio.TimerHandle | None = None
        self._losing_patience: asyncio.TimerHandle | None = None
        self._taking_back = TakingBack(self.window, self._slots, self._links)
        self._tidying: asyncio.TimerHandle | None = None
        self.origin = ("", "")  # the component and the stream that publish here, for errors
        self.cut_off = 0

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self.summary}>"

    @classmethod
    async def create(
        cls,
        topic: str,
        graph_address: AddressType | None = None,
        host: str | None = None,
        port: int | None = None,
        buf_size: int = DEFAULT_BUF_SIZE,
        num_buffers: int = DEFAULT_NUM_BUFFERS,
        start_paused: bool = False,
        force_tcp: bool | None = None,
        allow_local: bool | None = None,
        strict_views: bool | None = None,
        max_block: float | None = DEFAULT_MAX_BLOCK_S,
        transport: str | None = None,
    ) -> Self:
        """Join the graph as a publisher of ``topic``; return when every subscriber there is can hear it.

        :param host: where to listen for TCP, with ``port``; unless given, the process's common address serves.
        :param buf_size: bytes of a message for which memory is made at first; it grows with the messages.
        :param num_buffers: how many messages may be published and not yet released.
        :param force_tcp: use TCP even inside one host; ``None`` means as the environment says.
        :param allow_local: hand objects on inside a process; ``None`` means as the environment says.
        :param strict_views: hand on nothing inside a process that a subscriber could change; ``None`` means as
            the environment says.
        :param max_block: how many seconds to wait for a subscriber's process that holds every buffer and does not
            answer; then it is cut off, and told how many messages it missed when it comes back. A process that
            answers, however slow, is waited for. ``None`` waits without limit.
        :param transport: the name of an installed transport for processes that share no memory with this one,
            instead of TCP; ``None`` means as the environment says.
        :raises InvalidOption: if an option has a value that it cannot have.
        :raises TransportUnusable: if the transport cannot be used.
        :raises ServerUnreachable: if no graph server answers.
        """
        options = publisher_options(
            host,
            port,
            buf_size,
            num_buffers,
            start_paused,
            force_tcp,
            allow_local,
            strict_views,
            max_block,
            transport,
        )
        exchange = await Exchange.acquire(graph_address)
        publisher = cls(uuid4(), topic, exchange, options, _guard=_GUARD)
        try:
            await exchange.join_publisher(publisher)
        except BaseException:
            await exchange.release()
            raise
        return publisher

    @property
    def running(self) -> bool:
        """Whether messages are sent at once, and not held back by :meth:`pause`."""
        return self._running.is_set()

    @property
    def summary(self) -> str:
        """Its topic, the graph server, how many channels it feeds, and its state, as its repr tells them."""
        state = "closed" if self._closed else "open" if self.running else "paused"
        return f"{self.topic} at {self._exchange.server}, {counted(len(self._senders), 'channel')}, {state}"

    @property
    def senders(self) -> tuple[Sender, ...]:
        """Its ends of the channels that it feeds."""
        return self._senders

    @property
    def log_name(self) -> str:
        """How log lines name this publisher."""
        return f"pub_{self.topic}:{self.id}"

    def pause(self) -> None:
        """Let the next :meth:`broadcast` wait for :meth:`resume`."""
        self._running.clear()

    def resume(self) -> None:
        """Go on."""
        self._pause_told = False
        self._running.set()

    async def sync(self, timeout: float | None = None) -> None:
        """Pause, and wait until every message published so far has been released; :meth:`resume` goes on.

        Until then no message leaves, nor one that waits for a buffer already; after a failure neither.

        :param timeout: seconds, 5 unless given.
        :raises DeadlineExceeded: if it takes longer.
        """
        limit_s = DEFAULT_TIMEOUT if timeout is None else timeout
        self.pause()
        try:
            async with asyncio.timeout(limit_s):
                await self.window.wait_returned()
        except TimeoutError:
            raise DeadlineExceeded(operation=f"sync() of {self.topic}", seconds=limit_s) from None

    async def broadcast(self, obj: Any) -> None:
        """Send a message to everyone who hears the topic, waiting while ``num_buffers`` are not yet released.

        With no subscriber it returns at once. An object handed on inside the process must not be changed later.

        :raises EndpointClosed: if the publisher is closed.
        :raises UnencodableMessage: if the object cannot become bytes; then nobody gets it.
        """
        if self._turn_due or self.next_message % TURN_MESSAGES == TURN_MESSAGES - 1:
            self._turn_due = False
            if (tracer := self.tracer) is not None:
                tracer.settle_many()
            await asyncio.sleep(0)
        if self._blanks and self._blanks.has(obj):
            await self._broadcast_blank(obj)
            return
        if self._closed:
            self._check_open()
        waited_ns: tuple[int, int] | None = None
        while True:
            if not self._running.is_set():
                await self._wait_running()
            if not self._senders:
                self._skip_message()
                return
            token = self.window.try_take()
            if token is not None:
                break
            began_ns = perf_counter_ns()
            token = await self._take_blocked(began_ns)
            waited_ns = began_ns, perf_counter_ns()
            if self._running.is_set():
                break
            self.window.give_back(token)  # it was paused meanwhile, and may be asked whether all buffers are back
        if waited_ns is not None and (tracer := self.tracer) is not None:
            noted = tracer.waited
            noted += (*waited_ns, self.next_message)
        try:
            self._send(token, obj)
        except BaseException:  # whatever interrupts it: others get the buffer
            self.window.give_back(token)
            raise

    def loan(self, shape: int | tuple[int, ...], dtype: Any = float) -> BlankLoan:
        """Lend an array to fill in place and then hand to :meth:`broadcast`, which need not copy it::

            async with publisher.loan((1000, 64), np.float32) as array:
                device.read_into(array)
                await publisher.broadcast(array)

        To other processes of this host it lies in shared memory from the beginning. Inside the process the same
        object is handed on, and over TCP it is copied once. Its elements are whatever they are at first, and it is
        to be had when a buffer is free, as a message is. When it was sent it is read-only; when the block ends and
        it was not, nobody gets it.

        :param shape: as NumPy has it.
        :param dtype: of numbers, of text or bytes of a fixed length, or of times.
        :return: an asynchronous context, whose value is the array.
        :raises InvalidOption: if no array of the dtype can lie in shared memory.
        :raises EndpointClosed: if the publisher is closed; both when the block is entered.
        """
        return BlankLoan(lambda: self._lend(shape, dtype), self._blanks)

    async def _lend(self, shape: int | tuple[int, ...], dtype: Any) -> Any:
        import numpy as np

        asked = plain_dtype(dtype)
        self._check_open()
        token = self.window.try_take()
        if token is None:
            token = await self._take_blocked(perf_counter_ns())
        try:
            self._check_open()
            array: Any = np.empty(shape, asked)
            lying = None
            if self._shared and not self._local and not self._whole:  # who shares the object may keep it for ever
                lying = self._slots.blank(token, cast(ArrayPayload, CODEC.encode(array)))
                if lying is not None and (segment := self._slots.segment) is not None:
                    lends_slots(segment.memory.obj)
                self._tidy_after(array.nbytes)
            return self._blanks.lend(Blank(token, array if lying is None else lying))
        except BaseException:  # whatever interrupts it: others get the buffer
            self.window.give_back(token)
            raise

    async def _broadcast_blank(self, array: Any) -> None:
        """Send an array that was lent; until it leaves it is on loan, whatever interrupts this."""
        self._check_open()
        if not self._running.is_set():
            await self._wait_running()
        blank = self._blanks.take(array)
        if blank is None:
            raise InvalidOption(option="array", value="a loan", reason="its block has ended before it was sent")
        try:
            self._send(blank.token, array)
        except BaseException:  # whatever interrupts it: the lender may try again, or end its block
            self._blanks.lend(blank)
            raise
        self._turn_due = array.nbytes >= LARGE_BYTES

    def attach(self, sender: Sender) -> None:
        """Send on one channel more, from the next message on."""
        sender.messages_before = self.next_message
        sender.bytes_before = self.bytes_published
        self._set_senders((*self._senders, sender))

    def detach(self, sender: Sender) -> None:
        """Send on one channel less. What its end still holds stays held until it is released or abandoned."""
        self._set_senders(tuple(other for other in self._senders if other is not sender))

    def move(self, old: SharedMemorySender, new: TcpSender, first: int) -> None:
        """Send over TCP what a channel of shared memory could not bring, from one message on, and what follows."""
        new.messages_before, new.bytes_before = old.messages_before, old.bytes_before
        for number, token in old.held_messages:
            if number >= first:
                old.give_up(token)
                form = self._form_of[token]
                if form is not None:
                    new.tell(form)
                new.send(number, token, (self._slots.copy_of(token),))
        old.moved_to(new)
        self._set_senders(tuple(new if sender is old else sender for sender in self._senders))

    def close(self) -> None:
        """Publish no more, and begin to deliver what is under way; :meth:`wait_closed` waits for that."""
        if self._closed:
            return
        self._closed = True
        self._running.set()
        self.window.refuse(EndpointClosed(topic=self.topic, role="publisher"))
        if self._looking is not None:
            self._looking.cancel()
        self._taking_back.stop()
        for timer in (self._losing_patience, self._tidying):
            if timer is not None:
                timer.cancel()
        self._closing = asyncio.get_running_loop().create_task(self._drain_and_leave())

    async def wait_closed(self) -> None:
        """Wait until everything is delivered, for at most five seconds; say how many messages were not."""
        if self._closing is not None:
            await asyncio.shield(self._closing)  # who gives up waiting does not stop it

    # --- inside -------------------------------------------------------------------------------------------

    def _send(self, token: int, obj: Any) -> None:
        senders = self._senders
        if not senders:  # the last one left while this message waited for a buffer
            self._skip_message()
            self.window.give_back(token)
            return
        if self._local and (is_lent_elsewhere(obj) or lies_in_slots(obj)):
            obj = self._copied(obj)
        number = self.next_message
        if self._shared or self._whole:
            size = self._send_encoded(number, token, obj)
        else:
            self.window.hold(token, len(senders))
            size = obj.nbytes if type(obj) is arrays.ndarray else object_size(obj)
            tracer = self.tracer  # looked at once, as another thread may set it
            if tracer is not None:
                note = tracer.published  # in two steps, as a callable attribute is slow to be found as a method
                note(perf_counter_ns())
        self.next_message = number + 1
        self.bytes_published += size
        for local in self._local:
            local.send(number, token, obj, size)

    def _skip_message(self) -> None:
        """Count a message that nobody hears."""
        if (tracer := self.tracer) is not None:
            tracer.published(perf_counter_ns())
        self.next_message += 1

    def _copied(self, obj: Any) -> Any:
        try:
            return copy.deepcopy(obj)
        except Exception as error:  # whatever a user's class raises when it is copied
            raise self._unencodable(obj, error, uncopyable_words(obj, "the message")) from error

    def _unencodable(self, obj: Any, error: Exception, words: str) -> UnencodableMessage:
        """Return the error that says whose message it is, and which part of it is at fault."""
        component, stream = self.origin
        reason = f"{said(error)}; {words}" if words else said(error)
        return UnencodableMessage(
            topic=self.topic,
            type_name=type(obj).__qualname__,
            reason=reason.replace(".; ", "; "),
            component=component,
            stream=stream,
        )

    def _send_encoded(self, number: int, token: int, obj: Any) -> int:
        """Send to other processes; return the payload's size.

        Everything that can fail comes before the first channel gets the message.
        """
        if type(obj) is arrays.ndarray and not self._whole:
            size = self._slots.write_again(token, obj, number)
            if size:
                segment = self._slots.segment
                assert segment is not None
                self.window.hold(token, len(self._senders))
                if (tracer := self.tracer) is not None:
                    note = tracer.published
                    note(perf_counter_ns())
                for shared in self._shared:
                    shared.send(number, token, segment, size)
                return size
        return self._send_encoded_anew(number, token, obj)

    def _send_encoded_anew(self, number: int, token: int, obj: Any) -> int:
        """Send what is not like the messages before it."""
        try:
            payload = CODEC.encode(obj, self._forms)
        except Exception as error:  # whatever a user's class raises when it is pickled
            words = "" if isinstance(error, PickleForbidden) else unpicklable_words(obj, "the message")
            raise self._unencodable(obj, error, words) from error
        # Releases are read before the next large message, so that it goes where the cache is still warm.
        self._turn_due = payload.size >= LARGE_BYTES
        for whole in self._whole:
            if payload.size > whole.limit_bytes:
                raise MessageTooLarge(
                    topic=self.topic, size=payload.size, transport=whole.kind, limit=int(whole.limit_bytes)
                )
        segment = self._slots.write(token, payload, number) if self._shared else None
        if segment is not None:
            self._tidy_after(payload.size)
        body = kept(payload) if self._whole else None
        self.window.hold(token, len(self._senders))
        form = payload.form
        if form is not None:
            self._form_of[token] = form
            for sender in (*self._shared, *self._whole):
                sender.tell(form)
        tracer = self.tracer
        if tracer is not None:  # before it is sent, or it may be received before it was published
            note = tracer.published
            note(perf_counter_ns())
        if segment is not None:
            for shared in self._shared:
                shared.send(number, token, segment, payload.size)
        else:
            for shared in self._shared:
                shared.keep(number, token, self._slots.apart)
        if body is not None:
            for whole in self._whole:
                whole.send(number, token, body)
        return payload.size

    async def _wait_running(self) -> None:
        """Wait until it is not paused, and say so if that takes long: who has called ``sync`` may not know it."""
        timer = asyncio.get_running_loop().call_later(PAUSE_TOLD_S, self._tell_paused)
        try:
            while not self._running.is_set():
                await self._running.wait()
                self._check_open()
        finally:
            timer.cancel()

    def _tell_paused(self) -> None:
        if self._pause_told:
            return
        self._pause_told = True
        logger.warning(
            "%s is paused, and a message has waited for %g s: pause(), sync() and operators let nothing leave "
            "until resume().",
            *(self.topic, PAUSE_TOLD_S),
        )

    async def _take_blocked(self, began_ns: int) -> int:
        now = time.monotonic()
        if now - self._warned_at > WARN_AGAIN_S and "EZMSG_DISABLE_BACKPRESSURE_WARNING" not in os.environ:
            self._warned_at = now
            self._warn_blocked()
        self._let_closed_loops_go()
        if self._losing_patience is None and self.options.max_block is not None:
            self._look_for_frozen_in(self.options.max_block)
        self._taking_back.begin()
        waiting, sum_ns, since_ns = self.waits
        self.waits = waiting + 1, sum_ns, since_ns if waiting else began_ns
        try:
            token = await self.window.take()
        finally:
            ended_ns = perf_counter_ns()
            waiting, sum_ns, since_ns = self.waits
            self.waits = waiting - 1, sum_ns + ended_ns - since_ns, ended_ns
        last = self.window.freed_by(token)
        if isinstance(last, Sender):
            last.waited_ns += ended_ns - since_ns
        return token

    def _warn_blocked(self) -> None:
        """Say whom a message waits for: subscribers, or this program itself."""
        if len(self.window.lent) == self.window.size:
            logger.warning(
                "%s has lent all its buffers (%d) to be filled, and something waits for one, until a loan is sent "
                "or its block ends. A view of a loan, or what holds one, is a message with a buffer of its own.",
                *(self.topic, self.window.size),
            )
        else:
            logger.warning(
                "%s under subscriber backpressure! Who holds it up is told by: ezmsg profile blame %s",
                *(self.topic, self.topic),
            )

    def _let_closed_loops_go(self) -> None:
        """Let nobody wait for a subscriber whose event loop was closed without a word, now or later."""
        for local in self._local:
            local.abandon_if_closed()
        if self._looking is None and self._local and not self._closed:
            self._looking = asyncio.get_running_loop().call_later(LOOK_AGAIN_S, self._look_again)

    def _look_again(self) -> None:
        self._looking = None
        if self.window.waiting:
            self._let_closed_loops_go()

    # --- memory that is not used any more -------------------------------------------------------------------

    def _tidy_after(self, size: int) -> None:
        """Look later whether memory that a large message took is still in use."""
        if size >= LARGE_BYTES and self._tidying is None:
            self._tidying = asyncio.get_running_loop().call_later(TIDY_S, self._tidy)

    def _tidy(self) -> None:
        """Begin to give back what no message used for a while, and look again until only a little is left."""
        self._tidying = None
        self._slots.end_period()
        self._give_back()

    def _give_back(self) -> None:
        self._tidying = None
        if self._slots.give_back(TIDY_BYTES):
            self._tidying = asyncio.get_running_loop().call_later(TIDY_STEP_S, self._give_back)
        elif self._slots.occupied > LITTLE_BYTES:
            self._tidying = asyncio.get_running_loop().call_later(TIDY_S, self._tidy)

    # --- who does not answer --------------------------------------------------------------------------------

    def _look_for_frozen_in(self, seconds: float) -> None:
        self._losing_patience = asyncio.get_running_loop().call_later(seconds, self._look_for_frozen)

    def _look_for_frozen(self) -> None:
        """Cut off whoever has held every buffer for too long and does not answer. Who answers is waited for."""
        self._losing_patience = None
        patience_s = self.options.max_block
        if not self.window.waiting or patience_s is None or self._closed:
            return
        waited_s = (perf_counter_ns() - self.waits[2]) * 1e-9
        if waited_s >= patience_s - TIMER_S:
            for sender in (*self._shared, *self._whole):
                reason = sender.unresponsive(patience_s) if sender.held else ""
                if reason:
                    self._cut_off(sender, reason)
            waited_s = 0.0 if not self.window.waiting else patience_s - min(LOOK_AGAIN_S, patience_s)
        self._look_for_frozen_in(max(patience_s - waited_s, TIMER_S))

    def _links(self) -> tuple[LinkSender, ...]:
        """Return the senders from whose other end a message can be taken back."""
        return (*self._shared, *(sender for sender in self._whole if isinstance(sender, LinkSender)))

    def _cut_off(self, sender: Sender, reason: str) -> None:
        """Go on without a process. What it was sent can still be read when it comes back."""
        self.cut_off += 1
        logger.warning(
            "%s waited %g s for a subscriber that does not answer, because %s. It is cut off (%d so far), and will "
            "be told how many messages it missed.",
            self.topic,
            self.options.max_block,
            reason,
            self.cut_off,
        )
        self._slots.retire()
        self._exchange.cut_off(self, sender, reason)

    def _check_open(self) -> None:
        if self._closed:
            raise EndpointClosed(topic=self.topic, role="publisher")

    def _set_senders(self, senders: tuple[Sender, ...]) -> None:
        self._senders = senders
        self._local = tuple(sender for sender in senders if isinstance(sender, LocalSender))
        self._shared = tuple(sender for sender in senders if isinstance(sender, SharedMemorySender))
        self._whole = tuple(sender for sender in senders if isinstance(sender, WholeSender))

    async def _drain_and_leave(self) -> None:
        await self._drain()
        self._slots.close()
        await self._exchange.leave_publisher(self)

    async def _drain(self) -> None:
        senders = self._senders  # some may be detached meanwhile
        ends = [asyncio.ensure_future(sender.end(self.next_message)) for sender in senders]
        if not ends:
            return
        done, late = await asyncio.wait(ends, timeout=LINGER_S)
        self.undelivered = sum(task.result() for task in done)
        for task in late:
            task.cancel()
        self.undelivered += sum(s.held for s, task in zip(senders, ends, strict=True) if task in late)
        if self.undelivered:
            logger.warning(
                "%s was closed with %d message(s) not delivered within %g s. See that its subscribers still run.",
                *(self.topic, self.undelivered, LINGER_S),
            )
