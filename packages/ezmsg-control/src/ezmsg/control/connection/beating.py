"""Beats on one line, and what it means if none come back. The lease judges; here are the timer and the socket.

It costs a wake-up of the loop four times in a lease, and one for each answer. A server that never answers a beat is
an older one, and not judged.
"""

import asyncio
import socket
from collections.abc import Callable

from ezmsg.control.connection.acknowledging import unacknowledged_s
from ezmsg.protocol.messages.presence import Beat
from ezmsg.protocol.model.snapshot import ProcessState
from ezmsg.protocol.wire.presence.awake import AwakeClock
from ezmsg.protocol.wire.presence.lease import Lease

SILENT_LIMIT_S = 20.0
"""After so many seconds of silence a line is given up though its host acknowledges: what does may be a proxy."""


class Beating:
    """Says now and then that this end is there, and gives the line up when the other one is not.

    :param say: sends a beat.
    :param give_up: ends the line, for the reason given.
    """

    def __init__(self, say: Callable[[Beat], None], give_up: Callable[[str], None]) -> None:
        self._say = say
        self._give_up = give_up
        self._lease = Lease()
        self._loop = asyncio.get_running_loop()
        self._clock = AwakeClock(self._loop.time(), self._lease.interval_s)
        self._socket: socket.socket | None = None
        self._blocked_s: Callable[[], float] = float
        self._timer: asyncio.TimerHandle | None = None
        self._heard = False

    def start(self, sock: socket.socket, blocked_s: Callable[[], float]) -> None:
        """Begin, on an open line.

        :param sock: the line's, to ask whether the other host acknowledges.
        :param blocked_s: tells for how long the units of this process have not moved.
        """
        self._socket, self._blocked_s = sock, blocked_s
        self._timer = self._loop.call_later(self._lease.interval_s, self._look)

    def stop(self) -> None:
        """The line is over."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        self._socket = None

    def heard(self) -> None:
        """Something came from the other end."""
        self._heard = True

    def beaten(self, beat: Beat) -> None:
        """The other end beats."""
        if beat.lease_s is not None:
            self._lease.agree(beat.lease_s)
        self._lease.beaten(self._clock.seconds)

    def _look(self) -> None:
        now_s = self._clock.look(self._loop.time())
        if self._heard:
            self._heard = False
            self._lease.heard(now_s)
        if self._is_lost(now_s):
            self._give_up(f"nothing came from it for {self._lease.silent_s(now_s):.1f} s")
            return
        self._timer = self._loop.call_later(self._lease.interval_s, self._look)
        self._say(Beat(self._blocked_s()))

    def _is_lost(self, now_s: float) -> bool:
        if not self._lease.is_over(now_s):
            return False
        quiet_s = None if self._socket is None else unacknowledged_s(self._socket)
        # Where nobody knows whether the host acknowledges, its silence has to do.
        answers = quiet_s is not None and quiet_s < self._lease.lease_s / 2
        if self._lease.judge(now_s, host_answers=answers) is ProcessState.DEAD:
            return True
        return self._lease.silent_s(now_s) >= max(SILENT_LIMIT_S, self._lease.lease_s)
