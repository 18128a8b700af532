"""This process's one session of Zenoh, and the thread that sends what is large."""

import asyncio
import atexit
import concurrent.futures
import contextlib
import json
import logging
import os
import queue
import threading
import time
from collections.abc import Callable, Iterator
from typing import Any, TypeVar

import zenoh

from ezmsg.core.transports.mailbox import Mailbox
from ezmsg.protocol.wire.tls.files import TlsFiles
from ezmsg.zenoh.errors import ZenohUnusable, reason_of
from ezmsg.zenoh.hosts.certificates import fault_of
from ezmsg.zenoh.hosts.configuring import MOST_BYTES

MOST_BYTES_OPTION = "transport/link/rx/max_message_size"
"""Where it has the largest message that is taken in, in bytes."""

TLS_OPTIONS = ("root_ca_certificate", "connect_certificate", "connect_private_key")
"""Where a configuration of Zenoh has the files by which this side is known to others."""

CONFIG_VARIABLE = "EZMSG_ZENOH_CONFIG"
"""A configuration file of Zenoh's own, taken as it is; without one, peers of the local network find each other."""

OPEN_S = 10.0
"""How long the session may take to be opened, in seconds."""

DIRECT_BYTES = 32 * 1024
"""Up to this size a message is sent by the event loop itself, unless larger ones are still being sent."""

PATIENT_S = 5.0
"""For how long all is sent by the thread, which waits for room, after something was lost, in seconds."""

logger = logging.getLogger("ezmsg")

T = TypeVar("T")

_lock = threading.Lock()
_session: "Session | None" = None
_in_use: set[object] = set()  # what holds something of the session
_of_parents: list[object] = []  # the same of processes that this one was forked from
_ever_opened = False

FORKED = (
    "this process was forked from one that had used Zenoh already, whose threads are not here. Let it fork before, "
    "or call multiprocessing.set_start_method('spawn')"
)


class Session:
    """What all event loops of a process share."""

    def __init__(self) -> None:
        zenoh.init_log_from_env_or("error")
        path = os.environ.get(CONFIG_VARIABLE, "")
        self.zenoh = _opened(path)
        # What is larger is dropped by whoever it comes to, whose configuration is the same, as far as is known.
        self.limit_bytes = json.loads(_configuration(path).get_json(MOST_BYTES_OPTION))
        self._users = 0

    def release(self) -> None:
        """Give it back; the last of its users closes it."""
        global _session
        with _lock:
            self._users -= 1
            if self._users:
                return
            _session = None
        self.zenoh.close()

    @classmethod
    def acquire(cls) -> "Session":
        """Return the session, opened if it is not; it takes a while, so not on an event loop.

        :raises ZenohUnusable: if the configuration cannot be used, or no router answers that it names; or in a
            process that was forked from one that had used Zenoh.
        """
        global _session, _ever_opened
        with _lock:
            if _session is None:
                if _of_parents:
                    raise ZenohUnusable(configuration=os.environ.get(CONFIG_VARIABLE, ""), reason=FORKED)
                if not _ever_opened:
                    atexit.register(_close_at_the_end)
                _ever_opened = True
                _session = cls()
            _session._users += 1
            return _session


async def in_thread(call: Callable[[], T], undo: Callable[[T], object] = lambda _: None) -> T:
    """Await what a call returns that takes its time, in a thread of its own.

    :param undo: is given what the call returns if nobody waits for it any more.
    """
    done: concurrent.futures.Future[T] = concurrent.futures.Future()

    def work() -> None:
        try:
            result = call()
        except BaseException as error:  # noqa: BLE001  whatever it is goes to who waits, if somebody does
            with contextlib.suppress(concurrent.futures.InvalidStateError):
                done.set_exception(error)
            return
        try:
            done.set_result(result)
        except concurrent.futures.InvalidStateError:  # it was cancelled
            undo(result)

    # No daemon, as our own thread may be: the end of the interpreter would break off a call of Zenoh's, and abort
    # the process.
    threading.Thread(target=work, name="ezmsg-zenoh-call", daemon=False).start()
    return await asyncio.wrap_future(done)


async def acquired() -> Session:
    """Return the session, opened in a thread if it is not.

    :raises ZenohUnusable: if it cannot be had, or not in time.
    """
    try:
        async with asyncio.timeout(OPEN_S):
            return await in_thread(Session.acquire, Session.release)
    except TimeoutError:
        path = os.environ.get(CONFIG_VARIABLE, "")
        raise ZenohUnusable(configuration=path, reason=f"no session was open within {OPEN_S:g} s") from None


def posting() -> Callable[[Callable[[Any], object], Any], None]:
    """Return what has something done on the running event loop, by any thread of Zenoh's."""
    mailbox = Mailbox(asyncio.get_running_loop())

    def post(call: Callable[[Any], object], argument: Any) -> None:
        with contextlib.suppress(RuntimeError):  # the loop is closed, and nobody there is to be told anything
            mailbox.post(call, argument)

    return post


def put_in_order(session: Session, sending: "Sending", key: str, data: bytes) -> None:
    """Send bytes to a key, behind what was sent before."""
    put = session.zenoh.put
    sending.send(len(data), lambda waits: put(key, data, congestion_control=congestion(waits=waits)))


def put_now(session: Session, key: str, data: bytes) -> None:
    """Send a few bytes to a key, from any thread; they are lost if there is no room."""
    _tried(lambda waits: session.zenoh.put(key, data, congestion_control=congestion(waits=waits)), waits=False)


def _opened(path: str) -> Any:
    try:
        return zenoh.open(_configuration(path))
    except zenoh.ZError as error:
        reasons = [reason_of(error), *_own_fault(path)]
        raise ZenohUnusable(configuration=path, reason=". ".join(reasons)) from error


def _configuration(path: str) -> Any:
    if path:
        return zenoh.Config.from_file(path)
    peer = zenoh.Config()
    peer.insert_json5("transport/shared_memory/enabled", "false")  # inside a host messages go by our own
    peer.insert_json5(MOST_BYTES_OPTION, str(MOST_BYTES))
    return peer


def _own_fault(path: str) -> Iterator[str]:
    """Yield what is wrong with the certificate that a file names: Zenoh says only that nobody takes it."""
    try:
        tls = json.loads(zenoh.Config.from_file(path).get_json("transport/link/tls")) if path else {}
    except zenoh.ZError:
        return
    files = TlsFiles(*(tls.get(name) or "" for name in TLS_OPTIONS))
    if files.authority and files.certificate and (fault := fault_of(files)):
        yield fault


def keep(user: object) -> None:
    """Note that something holds a part of the session; see :func:`_forget`."""
    _in_use.add(user)


def drop(user: object) -> None:
    """It holds nothing of the session any more."""
    _in_use.discard(user)


def _close_at_the_end() -> None:
    """Close the session of a program that has not: Zenoh's threads would call an interpreter that is ending."""
    session = _session
    if session is not None:
        with contextlib.suppress(zenoh.ZError):
            session.zenoh.close()


def _forget() -> None:
    """Begin anew in a forked process, which has none of Zenoh's threads: what it let go of would wait for them."""
    global _session, _lock
    if _ever_opened:
        _of_parents.extend((_session, *_in_use))
    _in_use.clear()
    _session, _lock = None, threading.Lock()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_forget)


class Sending:
    """Sends for one publisher, or for all that an event loop hears, in order.

    What is small is sent at once, the rest by a thread that may be held up. A network that takes nothing holds up
    that thread, never the event loop; what is small is then lost, and asked for again by who misses it.
    """

    def __init__(self) -> None:
        self._waiting: queue.SimpleQueue[Callable[[bool], object] | None] = queue.SimpleQueue()
        self._queued = 0  # counted by the event loop
        self._done = 0  # counted by the thread
        self._thread: threading.Thread | None = None
        self._patient_until_s = 0.0

    def send(self, size: int, put: Callable[[bool], object]) -> None:
        """Send something of so many bytes; ``put`` is told whether it may wait for room."""
        if size <= DIRECT_BYTES and not self.is_busy and time.monotonic() >= self._patient_until_s:
            _tried(put, waits=False)
            return
        if self._thread is None:
            self._thread = threading.Thread(target=self._work, name="ezmsg-zenoh", daemon=True)
            self._thread.start()
        self._queued += 1
        self._waiting.put(put)

    def be_patient(self) -> None:
        """Have the thread send for a while, as something was lost for which there was no room, likely."""
        self._patient_until_s = time.monotonic() + PATIENT_S

    async def close(self, limit_s: float) -> None:
        """Send what waits, for so many seconds at most."""
        if self._thread is not None:
            await in_thread(lambda: self.finish(limit_s))

    @property
    def is_busy(self) -> bool:
        """Whether something is still being sent."""
        return self._queued != self._done

    def finish(self, limit_s: float) -> None:
        """Send what waits, for so many seconds at most, in which the calling thread waits."""
        if self._thread is not None:
            self._waiting.put(None)
            self._thread.join(limit_s)

    def _work(self) -> None:
        while (put := self._waiting.get()) is not None:
            try:
                _tried(put, waits=True)
            except Exception:  # protects what waits behind it; whoever misses this asks for it again
                logger.exception("A message could not be given to Zenoh")
            self._done += 1
            del put  # it keeps the message


def called(call: Callable[[Any], None]) -> Any:
    """Have Zenoh's own thread call back, which may only post.

    By itself each subscriber would have a thread of Python's, for which a program that closes nothing never ends.
    """
    return zenoh.handlers.Callback(call, indirect=False)


def congestion(*, waits: bool) -> zenoh.CongestionControl:
    """Return what becomes of something for which there is no room."""
    return zenoh.CongestionControl.BLOCK if waits else zenoh.CongestionControl.DROP


def _tried(put: Callable[[bool], object], *, waits: bool) -> None:
    with contextlib.suppress(zenoh.ZError):  # the session is closed or cut off: whoever misses it asks for it again
        put(waits)
