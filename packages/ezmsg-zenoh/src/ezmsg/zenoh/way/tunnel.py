"""One end of a stream over Zenoh, as the transport of an asyncio protocol: what a socket is on TCP."""

import asyncio
from collections.abc import Callable
from typing import Any

from ezmsg.protocol.wire.presence.awake import AwakeClock
from ezmsg.protocol.wire.presence.lease import LEASE_S
from ezmsg.zenoh.way.flow import WINDOW, Flow, Piece
from ezmsg.zenoh.way.words import Kind, Word, from_bytes, to_bytes

LOOK_S = 0.25
"""How often it is looked whether what was sent has come, in seconds, while something has not; it is sent again."""

TELL_S = 0.02
"""How long it may take to say what has come, in seconds: likely an answer carries it."""

CLOSE_S = 1.0
"""How long the last bytes may take to come, in seconds."""

HIGH_BYTES, LOW_BYTES = 256 * 1024, 64 * 1024
"""The protocol is to rest while more than the first waits, until less than the second does."""

Post = Callable[[Callable[[Any], object], Any], None]
"""Has something done on the event loop; from any thread."""

Say = Callable[[bytes], None]


class Tunnel(asyncio.Transport):
    """A transport without a socket.

    :param sign: the key by which this end signs, and ``check`` the other one's.
    :param begins: what a client says until it is heard.
    :param say: sends a word, on the event loop, behind those before; ``say_now`` at once, from any thread.
    :param is_busy: tells whether words are still being sent.
    :param on_over: is told when nothing is to be said or heard any more; from any thread, perhaps twice.
    """

    def __init__(
        self,
        protocol: asyncio.BaseProtocol,
        *,
        peer: str,
        sign: bytes,
        check: bytes,
        post: Post,
        say: Say,
        say_now: Say,
        is_busy: Callable[[], bool],
        begins: bytes = b"",
        on_over: "Callable[[Tunnel], None]",
    ) -> None:
        super().__init__({"peer": peer, "cut": self.cut, "silence": self.silence_s})
        self._protocol: Any = protocol
        self._sign, self._check = sign, check
        self._post, self._say, self._say_now, self._is_busy = post, say, say_now, is_busy
        self._begins = begins
        self._on_over = on_over
        self._loop = asyncio.get_running_loop()
        self._flow = Flow()
        self._clock = AwakeClock(self._loop.time(), 2 * LOOK_S)
        self._since_s: float | None = None  # from when on something is waited for
        self._missed = False  # its token is gone
        self._probes = 0  # how often it was asked whether it is there
        self._sent_before_probe = 0  # the number of the piece that was next when it was asked last
        self._told = 0  # what the other end knows to have come
        self._telling: asyncio.TimerHandle | None = None
        self._looking: asyncio.TimerHandle | None = None
        self._limit: asyncio.TimerHandle | None = None
        self._paused = False
        self._ended = False  # nothing more is written
        self._closing = False  # nothing more is delivered
        self._over = False
        if begins:
            say(begins)

    # --- what the protocol calls --------------------------------------------------------------------------

    def write(self, data: Any) -> None:
        """Send bytes."""
        if data and not (self._ended or self._over):
            self._flow.write(bytes(data))
            self._send(self._flow.due())
            if not self._paused and self._flow.waiting_bytes > HIGH_BYTES:
                self._paused = True
                self._protocol.pause_writing()

    def can_write_eof(self) -> bool:
        """Whether :meth:`write_eof` may be called."""
        return True

    def write_eof(self) -> None:
        """Say that nothing more is sent; what the other end sends is still read."""
        if not (self._ended or self._over):
            self._ended = True
            self._flow.end()
            self._send(self._flow.due())

    def get_write_buffer_size(self) -> int:
        """Return how many bytes have yet to come to the other end."""
        return self._flow.waiting_bytes

    def is_closing(self) -> bool:
        """Whether it was closed."""
        return self._closing or self._over

    def close(self) -> None:
        """Send what was written, and end; nothing more is delivered."""
        if self._closing or self._over:
            return
        self.write_eof()
        self._closing = True
        self._limit = self._loop.call_later(CLOSE_S, self.abort)
        self._end_if_settled()

    def abort(self) -> None:
        """End at once."""
        if not self._over:
            self._say(to_bytes(Word(Kind.RESET), self._sign))
            self._lose(None)

    def cut(self) -> None:
        """Let the other end see that this one is over; from any thread, also when the event loop has ended."""
        self._over = True  # from here on the other end is told so, should it ask
        self._say_now(to_bytes(Word(Kind.RESET), self._sign))
        self._on_over(self)

    # --- what the way calls -------------------------------------------------------------------------------

    def came(self, data: bytes) -> None:
        """Take a word; from any thread."""
        try:
            word = from_bytes(data, self._check)
        except ValueError:  # somebody else has put it there
            return
        if word.kind is Kind.PROBE:  # the process is there, whatever keeps its event loop
            kind = Kind.RESET if self._over else Kind.HERE
            self._say_now(to_bytes(Word(kind, word.number), self._sign))
        self._post(self._take, word)

    def note_presence(self, there: bool) -> None:
        """Learn whether the other end's token is there; one whose is not is asked, and may be unreachable."""
        self._missed = not there
        self._await_word()

    def silence_s(self) -> float:
        """Return for how many seconds nothing has come from a process of which something is waited for."""
        return 0.0 if self._since_s is None else self._clock.seconds - self._since_s

    # --- inside -------------------------------------------------------------------------------------------

    def _take(self, word: Word) -> None:
        if self._over:
            return
        if word.kind is Kind.RESET:
            self._lose(ConnectionResetError("the other end has closed it"))
            return
        self._begins = b""
        before = self._flow.heard
        is_news = self._flow.learn(word.heard)
        if is_news:
            self._send(self._flow.due())
            self._resume()
        if word.kind is Kind.PROBE:
            self._tell_state(word.number)
        elif word.kind is Kind.STATE and word.number and word.number == self._probes:
            # What was sent before it was asked would have come before the question: it is lost.
            self._send_pieces(self._flow.again(self._sent_before_probe))
        elif word.kind is Kind.PIECE:
            for data in self._flow.hear(word.number, word.content):
                self._deliver(data)
            self._tell()
        # Old words, which anybody can repeat, are no sign of life.
        if is_news or self._flow.heard > before or (word.kind is Kind.HERE and word.number == self._probes):
            self._missed = False
            self._since_s = None
        self._await_word()
        self._end_if_settled()

    def _deliver(self, data: bytes) -> None:
        if self._closing or self._over:
            return
        try:
            if data:
                self._protocol.data_received(data)
            elif not self._protocol.eof_received():
                self.close()
        except Exception as error:  # noqa: BLE001  protects the loop's other streams from a fault of this protocol
            self._loop.call_exception_handler(
                {"message": "A protocol failed", "exception": error, "transport": self, "protocol": self._protocol}
            )
            self.abort()

    def _send(self, pieces: list[Piece]) -> None:
        self._send_pieces(pieces)
        if pieces:
            self._await_word()

    def _send_pieces(self, pieces: list[Piece]) -> None:
        for number, data in pieces:
            self._told = self._flow.heard
            self._say(to_bytes(Word(Kind.PIECE, number, self._told, data), self._sign))

    def _tell(self) -> None:
        """Say what has come: soon, and at once where the other end may wait for that."""
        if self._flow.heard - self._told >= WINDOW // 2:
            self._tell_state()
        elif self._telling is None:
            self._telling = self._loop.call_later(TELL_S, self._tell_late)

    def _tell_late(self) -> None:
        self._telling = None
        # Also when it was told before: a piece that comes twice is one whose sender has not heard of that.
        self._tell_state()

    def _tell_state(self, probe: int = 0) -> None:
        if not self._over:
            self._told = self._flow.heard
            self._say(to_bytes(Word(Kind.STATE, probe, self._told), self._sign))

    def _resume(self) -> None:
        if self._paused and self._flow.waiting_bytes < LOW_BYTES:
            self._paused = False
            self._protocol.resume_writing()

    def _await_word(self) -> None:
        """Look again and again while something is waited for."""
        if self._over or (self._flow.is_settled and not self._missed):
            self._since_s = None
        elif self._looking is None:
            self._clock.look(self._loop.time())
            self._since_s = self._clock.seconds
            self._looking = self._loop.call_later(LOOK_S, self._look)
        elif self._since_s is None:
            self._since_s = self._clock.seconds

    def _look(self) -> None:
        self._looking = None
        seconds = self._clock.look(self._loop.time())
        if self._since_s is None:
            return
        if seconds - self._since_s >= LEASE_S:
            self._lose(TimeoutError("its host acknowledges nothing any more"))
            return
        if not self._is_busy():  # else the question would wait behind what it is about
            if self._begins:
                self._say(self._begins)
            self._probes += 1
            self._sent_before_probe = self._flow.sent
            self._say(to_bytes(Word(Kind.PROBE, self._probes, self._flow.heard), self._sign))
        self._looking = self._loop.call_later(LOOK_S, self._look)

    def _end_if_settled(self) -> None:
        if self._closing and self._flow.is_settled and not self._over:
            self._lose(None)

    def _lose(self, error: Exception | None) -> None:
        self._over = True
        for timer in (self._telling, self._looking, self._limit):
            if timer is not None:
                timer.cancel()
        if self._flow.heard > self._told and error is None:  # that the other end need not wait for it
            self._say(to_bytes(Word(Kind.STATE, 0, self._flow.heard), self._sign))
        self._loop.call_soon(self._protocol.connection_lost, error)
        self._on_over(self)
