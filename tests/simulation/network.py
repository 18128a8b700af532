"""A network of hosts that is slow, that is cut in two, and that keeps to what TCP promises of each connection.

Bytes of one direction of one connection arrive in order, in pieces of any size; those of different connections
overtake each other. A host acknowledges for a process that is frozen. Between hosts that are cut off from each
other nothing arrives until they are joined again, unless a socket was told to give up before.
"""

import asyncio
import errno
import heapq
import math
import socket
from collections import deque
from collections.abc import Callable
from random import Random
from typing import Any

from tests.simulation.virtual_time import Clock

ROOM_BYTES = 64 * 1024
"""How much may be under way or unread in one direction before a sender has to wait."""

SHORTEST_S, USUAL_S = 0.0001, 0.003
"""How long bytes travel, in seconds."""

GIVE_UP_S = (3.0, 4.0)
"""After how long a socket that was told to notices that the other host is silent, in seconds."""

PROBED_S = (1.0, 2.0)
"""After how long a host asks another one whether a connection is still there, in seconds."""

AGAIN_S = 0.4
"""By when, after hosts are joined again, what waited for that has arrived, in seconds."""

FIN, RESET = object(), object()


class Agenda:
    """What happens when, in the order of time, and of asking where that is the same."""

    def __init__(self, clock: Clock) -> None:
        self.clock = clock
        self._entries: list[tuple[float, int, Callable[[], None]]] = []
        self._asked = 0

    def after(self, seconds: float, call: Callable[[], None]) -> None:
        """Call something after a time."""
        self._asked += 1
        heapq.heappush(self._entries, (self.clock.now_s + seconds, self._asked, call))

    def next_time(self) -> float:
        """Return when the next thing happens, in seconds."""
        return self._entries[0][0] if self._entries else math.inf

    def happen(self) -> None:
        """Do the next thing."""
        heapq.heappop(self._entries)[2]()


class Host:
    """One machine with one process; ``process`` runs, is frozen, or is not there."""

    def __init__(self, network: "Network", name: str, address: str) -> None:
        self.network = network
        self.name = name
        self.address = address
        self.process: Any = None
        self.listeners: dict[int, Listener] = {}
        self.sockets: set[Socket] = set()
        self.slow_until_s = 0.0
        self.connections = 0


class Listener:
    """A socket that listens, of one process."""

    def __init__(self, host: Host, port: int, factory: Callable[[], Any]) -> None:
        self.host = host
        self.port = port
        self.factory = factory
        host.listeners[port] = self

    def close(self) -> None:
        """Listen no more."""
        if self.host.listeners.get(self.port) is self:
            del self.host.listeners[self.port]


class Network:
    """Hosts, and what is under way between them."""

    def __init__(self, clock: Clock, seed: int) -> None:
        self.agenda = Agenda(clock)
        self.clock = clock
        self.seed = seed
        self.hosts: dict[str, Host] = {}
        self.cuts: dict[frozenset[str], float] = {}  # since when two hosts, by name, do not reach each other
        self.by_descriptor: dict[int, Socket] = {}
        self._ports = 26000

    def add(self, name: str) -> Host:
        """Add a host."""
        host = Host(self, name, f"10.0.0.{len(self.hosts) + 1}")
        self.hosts[name] = host
        return host

    def free_port(self) -> int:
        """Return a port that nobody has."""
        self._ports += 1
        return self._ports

    def at(self, address: str) -> Host:
        """Return the host that has an address."""
        return next(host for host in self.hosts.values() if host.address == address)

    def cut_since(self, one: Host, other: Host) -> float | None:
        """Return since when two hosts do not reach each other, or ``None`` if they do."""
        return self.cuts.get(frozenset((one.name, other.name)))

    def cut(self, one: Host, other: Host) -> None:
        """Let nothing pass between two hosts."""
        pair = frozenset((one.name, other.name))
        if pair in self.cuts:
            return
        self.cuts[pair] = since_s = self.clock.now_s
        for end in sorted((*one.sockets, *other.sockets), key=lambda end: end.number):
            if end.between == pair:
                seconds = end.random.uniform(*GIVE_UP_S)
                self.agenda.after(seconds, lambda end=end: end.look_for_silence(pair, since_s))  # type: ignore[misc]

    def join(self, one: Host, other: Host) -> None:
        """Let bytes pass again; what was under way is sent again."""
        pair = frozenset((one.name, other.name))
        if self.cuts.pop(pair, None) is None:
            return
        ends = {end for end in (*one.sockets, *other.sockets) if end.between == pair}
        # A host answers for a process that is gone meanwhile, too: what was sent to that is reset.
        for end in sorted(ends | {end.peer for end in ends}, key=lambda end: end.number):
            self.agenda.after(end.random.uniform(0, AGAIN_S), end.arrive)

    def forget(self, one: Host, other: Host) -> None:
        """Lose a host's connections to another one, which finds out when it next asks whether it is still there."""
        for end in sorted(one.sockets, key=lambda end: end.number):
            if end.peer.host is other and end.transport is not None:
                end.closed = True
                one.sockets.discard(end)
                end.fail(ConnectionResetError(errno.ECONNRESET, "Connection reset by peer"))
                self.agenda.after(end.random.uniform(*PROBED_S), lambda end=end: end.peer.post(RESET))  # type: ignore[misc]

    async def connect(self, host: Host, factory: Callable[[], Any], address: str, port: int) -> Any:
        """Connect from a host, as an event loop's ``create_connection`` does."""
        loop = asyncio.get_running_loop()
        host.connections += 1
        random = Random(f"{self.seed} {host.name} {host.connections}")
        answered: asyncio.Future[Socket] = loop.create_future()
        ours = Socket(self, host, random.randrange(2**32), (host.address, self.free_port()))
        theirs = Socket(self, self.at(address), random.randrange(2**32), (address, port))
        ours.peer, theirs.peer = theirs, ours
        ours.send_syn(answered)
        try:
            await answered
        except BaseException:
            ours.close()
            raise
        protocol = factory()
        ours.open(loop, protocol)
        return ours.transport, protocol


class Socket:
    """One end of one connection, as its operating system has it. The other methods are those of a real socket's."""

    family = socket.AF_INET

    def __init__(self, network: Network, host: Host, number: int, name: tuple[str, int]) -> None:
        self.network = network
        self.host = host
        self.number = number
        self.random = Random(number)
        self.peer: Socket
        self.name = name
        self.transport: Transport | None = None
        self.inbox = bytearray()
        self.ended: object = None  # FIN or RESET, when it has arrived
        self.closed = False
        self.options: dict[int, int] = {}
        self._under_way: deque[tuple[float, Any]] = deque()  # to this end
        self._under_way_bytes = 0
        self._last_s = 0.0
        self._silent_since_s: float | None = None
        self._descriptor = 1_000_000 + len(network.by_descriptor)
        network.by_descriptor[self._descriptor] = self
        host.sockets.add(self)

    @property
    def between(self) -> frozenset[str]:
        """The names of the hosts that it joins."""
        return frozenset((self.host.name, self.peer.host.name))

    # --- opening ------------------------------------------------------------------------------------------

    def send_syn(self, answered: "asyncio.Future[Socket]") -> None:
        """Knock at the other host, and go on knocking while the network is cut."""
        self.peer.post(lambda: self.peer._knocked(answered))

    def _knocked(self, answered: "asyncio.Future[Socket]") -> None:
        listener = self.host.listeners.get(self.name[1])
        process = self.host.process
        if listener is None or process is None or self.peer.closed:
            error = ConnectionRefusedError(errno.ECONNREFUSED, "Connection refused")
            self.closed = True
            self.host.sockets.discard(self)
            self.peer.post(lambda: self.peer._answer(answered, error))
            return
        loop = process.loop
        loop.call_soon(lambda: self._accept(listener, loop))
        self.peer.post(lambda: self.peer._answer(answered, None))

    def _accept(self, listener: Listener, loop: Any) -> None:
        if not self.closed:
            self.open(loop, listener.factory())

    def _answer(self, answered: "asyncio.Future[Socket]", error: OSError | None) -> None:
        if self.host.process is None or self.closed or answered.done():
            return
        if error is not None:
            answered.set_exception(error)
        else:
            answered.set_result(self)

    def open(self, loop: Any, protocol: Any) -> None:
        """Give it to a protocol."""
        self.transport = Transport(self, loop, protocol)
        protocol.connection_made(self.transport)
        self.wake()

    # --- under way ----------------------------------------------------------------------------------------

    def post(self, what: Any) -> None:
        """Let bytes, an end or a call arrive at this end after those that were posted before."""
        delay_s = SHORTEST_S + self.random.expovariate(1 / USUAL_S)
        if max(self.host.slow_until_s, self.peer.host.slow_until_s) > self.network.clock.now_s:
            delay_s += self.random.uniform(0.05, 0.8)
        self._last_s = max(self._last_s + 1e-6, self.network.clock.now_s + delay_s)
        self._under_way.append((self._last_s, what))
        if isinstance(what, bytes):
            self._under_way_bytes += len(what)
        self.network.agenda.after(self._last_s - self.network.clock.now_s, self.arrive)

    def arrive(self) -> None:
        """Take what is due."""
        if self.network.cut_since(self.host, self.peer.host) is not None:
            return  # it is sent again when that is over
        while self._under_way and self._under_way[0][0] <= self.network.clock.now_s + 1e-9:
            _, what = self._under_way.popleft()
            if isinstance(what, bytes):
                self._under_way_bytes -= len(what)
                self._take(what)
            elif what is FIN or what is RESET:
                self.ended = what if self.ended is not RESET else RESET
                self.wake()
            else:
                what()

    def _take(self, data: bytes) -> None:
        if self.closed:
            if self.ended is None:
                self.ended = RESET
                self.peer.post(RESET)
            return
        self.inbox += data
        self.wake()

    def wake(self) -> None:
        """Let the process look at its socket when it runs."""
        if self.transport is not None:
            self.transport.wake()

    def wake_writer(self) -> None:
        """There is room again for what waits to be sent."""
        if self.transport is not None and self.transport.get_write_buffer_size():
            self.transport.wake()

    def look_for_silence(self, pair: frozenset[str], since_s: float) -> None:
        """Give up if nothing came from the other host since a moment, and the process wanted to know."""
        if self.network.cuts.get(pair) != since_s or self.closed:
            return
        watches = socket.TCP_USER_TIMEOUT in self.options
        if watches or (socket.SO_KEEPALIVE in self.options and not self.peer._under_way):
            self.closed = True
            self.host.sockets.discard(self)
            self.peer.post(RESET)
            self.fail(TimeoutError(errno.ETIMEDOUT, "Connection timed out"))

    def fail(self, error: Exception) -> None:
        """End for a reason that the operating system has."""
        if self.transport is not None:
            self.transport.fail(error)

    def unacknowledged_s(self) -> float:
        """Return for how long the other host has not acknowledged what waits for it."""
        since_s = self.network.cut_since(self.host, self.peer.host)
        return 0.0 if since_s is None or not self.peer._under_way else self.network.clock.now_s - since_s

    # --- what sockets do ----------------------------------------------------------------------------------

    def send(self, data: Any) -> int:
        if self.closed:
            raise BrokenPipeError(errno.EPIPE, "Broken pipe")
        if self.ended is RESET:
            raise ConnectionResetError(errno.ECONNRESET, "Connection reset by peer")
        room = ROOM_BYTES - self.peer._under_way_bytes - len(self.peer.inbox)
        if room <= 0:
            raise BlockingIOError(errno.EAGAIN, "the socket is full")
        piece = bytes(data[:room])
        middle = self.random.randrange(len(piece)) if self.random.random() < 0.2 else 0
        for part in (piece[:middle], piece[middle:]):
            if part:
                self.peer.post(part)
        return len(piece)

    def recv_into(self, memory: Any) -> int:
        size = min(len(memory), len(self.inbox))
        memory[:size] = self.inbox[:size]
        del self.inbox[:size]
        return size

    def shut(self) -> None:
        """Send no more."""
        self.peer.post(FIN)

    def close(self) -> None:
        """Close, which resets the connection if something was left unread."""
        if not self.closed:
            self.closed = True
            self.host.sockets.discard(self)
            self.peer.post(RESET if self.inbox else FIN)

    def fileno(self) -> int:
        return self._descriptor

    def setblocking(self, _blocking: bool) -> None: ...

    def setsockopt(self, _level: int, option: int, value: int) -> None:
        self.options[option] = value

    def getsockname(self) -> tuple[str, int]:
        return self.name

    def getpeername(self) -> tuple[str, int]:
        return self.peer.name


class Duplicate:
    """A second object for a socket, as ``os.dup`` makes it: closing it closes nothing."""

    def __init__(self, end: Socket) -> None:
        self._end = end

    def __getattr__(self, name: str) -> Any:
        return getattr(self._end, name)

    def close(self) -> None:
        """Nothing is closed by this."""


class Transport(asyncio.Transport):
    """An event loop's hold on a socket."""

    def __init__(self, end: Socket, loop: Any, protocol: Any) -> None:
        super().__init__()
        self._socket = end
        self._loop = loop
        self._protocol = protocol
        self._buffer = bytearray()
        self._high, self._low = 64 * 1024, 16 * 1024
        self._paused = False
        self._closing = False
        self._eof = False
        self._lost = False
        self._eof_seen = False
        self._woken = False
        self._is_buffered = isinstance(protocol, asyncio.BufferedProtocol)

    def get_extra_info(self, name: str, default: Any = None) -> Any:
        match name:
            case "socket":
                return self._socket
            case "peername":
                return self._socket.getpeername()
            case "sockname":
                return self._socket.getsockname()
        return default

    def set_write_buffer_limits(self, high: int | None = None, low: int | None = None) -> None:
        self._high = 64 * 1024 if high is None else high
        self._low = self._high // 4 if low is None else low

    def get_write_buffer_size(self) -> int:
        return len(self._buffer)

    def is_closing(self) -> bool:
        return self._closing

    def write(self, data: Any) -> None:
        if self._closing or self._eof:
            return
        self._buffer += data
        self._write_on()
        if len(self._buffer) > self._high and not self._paused:
            self._paused = True
            self._protocol.pause_writing()

    def write_eof(self) -> None:
        if not self._eof:
            self._eof = True
            if not self._buffer and not self._socket.closed:
                self._socket.shut()

    def close(self) -> None:
        if not self._closing:
            self._closing = True
            if not self._buffer:
                self._loop.call_soon(self._lose, None)

    def abort(self) -> None:
        self._closing = True
        self._buffer.clear()
        self._loop.call_soon(self._lose, None)

    def fail(self, error: Exception) -> None:
        """The operating system has ended the connection."""
        if not self._closing or self._buffer:
            self._closing = True
            self._buffer.clear()
            self._loop.call_soon(self._lose, error)

    def wake(self) -> None:
        """There is something to read, or room to write."""
        if not self._woken and not self._loop.is_closed():
            self._woken = True
            self._loop.call_soon(self._look)

    def _look(self) -> None:
        self._woken = False
        self._read()
        if self._buffer:
            self._write_on()

    def _read(self) -> None:
        end = self._socket
        while end.inbox and not self._closing:
            if self._is_buffered:
                self._protocol.buffer_updated(end.recv_into(self._protocol.get_buffer(-1)))
            else:
                data = bytes(end.inbox)
                end.inbox.clear()
                self._protocol.data_received(data)
            end.peer.wake_writer()
        if end.ended is RESET:
            self.fail(ConnectionResetError(errno.ECONNRESET, "Connection reset by peer"))
        elif end.ended is FIN and not self._closing and not self._eof_seen:
            self._eof_seen = True
            if not self._protocol.eof_received():
                self.close()

    def _write_on(self) -> None:
        try:
            while self._buffer:
                del self._buffer[: self._socket.send(self._buffer)]
        except BlockingIOError:
            return
        except OSError as error:
            self.fail(error)
            return
        if self._paused and len(self._buffer) <= self._low:
            self._paused = False
            self._protocol.resume_writing()
        if self._buffer:
            return
        if self._eof:
            self._socket.shut()
        if self._closing:
            self._loop.call_soon(self._lose, None)

    def _lose(self, error: Exception | None) -> None:
        if self._lost:
            return
        self._lost = True
        try:
            self._protocol.connection_lost(error)
        finally:
            self._socket.close()
