"""Beats on one line, and what it means if none come back. The lease judges; here is the timer.

A process of units beats, so that the server knows whether it moves; now and then it asks for an answer. Everybody
else leaves it to the operating system to notice that the other host is gone, which costs no wake-up; where that
cannot be told to, all lines beat, and each beat asks.
"""

import asyncio
import socket
from collections.abc import Callable

from ezmsg.protocol.messages.presence import Beat
from ezmsg.protocol.wire.presence.awake import AwakeClock
from ezmsg.protocol.wire.presence.lease import LEASE_S, Lease

SILENT_LIMIT_S = 20.0
"""After so many seconds of silence a line is given up though its host acknowledges: what does may be a proxy."""

SYSTEM_NOTICES = hasattr(socket, "TCP_USER_TIMEOUT")
"""Whether the operating system can be told how soon to give up a host that acknowledges nothing."""

ASKS_EVERY = 8 if SYSTEM_NOTICES else 1
"""Every so many beats one asks for an answer."""

_SILENCE_OPTIONS = (("TCP_KEEPIDLE", 1), ("TCP_KEEPINTVL", 1), ("TCP_KEEPCNT", 2))


def watch_for_silence(sock: socket.socket) -> None:
    """Have the operating system end a connection whose other host acknowledges nothing for as long as a lease.

    :raises OSError: if the connection is over already.
    """
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    for name, value in (*_SILENCE_OPTIONS, ("TCP_USER_TIMEOUT", int(1000 * LEASE_S))):
        if hasattr(socket, name):
            sock.setsockopt(socket.IPPROTO_TCP, getattr(socket, name), value)


class Beating:
    """Says now and then that this end is there, and gives the line up when nothing comes back.

    :param say: sends a beat.
    :param give_up: ends the line, for the reason given.
    """

    def __init__(self, say: Callable[[Beat], None], give_up: Callable[[str], None]) -> None:
        self._say = say
        self._give_up = give_up
        self._lease = Lease()
        self._loop = asyncio.get_running_loop()
        self._clock = AwakeClock(self._loop.time(), 2 * self._lease.interval_s)
        self._blocked_s: Callable[[], float] = float
        self._timer: asyncio.TimerHandle | None = None
        self._heard = False
        self._beats = 0

    def start(self, blocked_s: Callable[[], float]) -> None:
        """Begin, on an open line.

        :param blocked_s: tells for how long the units of this process have not moved.
        """
        self._blocked_s = blocked_s
        if self._timer is None:
            self._look()

    def stop(self) -> None:
        """The line is over."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def heard(self) -> None:
        """Something came from the other end."""
        self._heard = True

    def beaten(self, beat: Beat) -> None:
        """The other end beats; one that never does is an older one, and not judged."""
        if beat.lease_s is not None:
            self._lease.agree(beat.lease_s)
        self._lease.beaten(self._clock.seconds)

    def _look(self) -> None:
        now_s = self._clock.look(self._loop.time())
        if self._heard:
            self._heard = False
            self._lease.heard(now_s)
        silent_s = self._lease.silent_s(now_s)
        if self._lease.is_over(now_s) and (silent_s >= SILENT_LIMIT_S or not SYSTEM_NOTICES):
            self._give_up(f"nothing came from it for {silent_s:.1f} s")
            return
        self._timer = self._loop.call_later(self._lease.interval_s, self._look)
        self._say(Beat(self._blocked_s(), asks=self._beats % ASKS_EVERY == 0))
        self._beats += 1
