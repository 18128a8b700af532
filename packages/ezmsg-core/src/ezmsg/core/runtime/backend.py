"""How a process runs its units, as a class that programs derive from and give to ``run(backend_process=...)``.

::

    class Pinned(DefaultBackendProcess):
        def process(self, loop):
            os.sched_setaffinity(0, {2})  # before any unit is set up
            super().process(loop)  # sets the units up, runs them, and returns when they have been shut down
            report()

``process`` is called once in every process of the run, the program's own too, on the main thread; ``loop`` runs in
a thread of its own, and the units on it. Where no such class is given, none of this is in the way.
"""

import asyncio
import logging
import threading
from collections.abc import Callable, Sequence
from typing import Any

from ezmsg.core.errors import InvalidOption
from ezmsg.core.graph.relays import ResolvedRelay
from ezmsg.core.graph.unit import Unit
from ezmsg.core.runtime.main_thread import wait_for
from ezmsg.protocol.addresses import Address

logger = logging.getLogger("ezmsg")


class BackendProcess:
    """The units of one process; a run makes it in that process, nobody else does.

    :param relays: what else runs in this process.
    :param term_ev: is set when the end is asked for.
    :param start_barrier: is passed at once; processes wait for each other inside ``DefaultBackendProcess.process``.
    :param stop_barrier: like ``start_barrier``.
    :param graph_address: where the graph server is.
    """

    _turn: "Turn"

    def __init__(
        self,
        units: list[Unit],
        relays: Sequence[ResolvedRelay],
        term_ev: Any,
        start_barrier: Any,
        stop_barrier: Any,
        graph_address: Address | None,
    ) -> None:
        self.units = units
        self.relays = relays
        self.term_ev = term_ev
        self.start_barrier = start_barrier
        self.stop_barrier = stop_barrier
        self.graph_address = graph_address

    def process(self, loop: asyncio.AbstractEventLoop) -> None:
        """Run the units, and return when they have ended."""
        raise NotImplementedError


class DefaultBackendProcess(BackendProcess):
    """The way in which units run unless another is given."""

    def process(self, loop: asyncio.AbstractEventLoop) -> None:
        """Set up the units, run them and a ``main`` of theirs, shut them down, and return."""
        self._turn.run_units()


def checked_backend(given: object) -> type[BackendProcess] | None:
    """Return the class that a program gave, ``None`` if that is the way in which units run anyway.

    :raises InvalidOption: if it is no such class.
    """
    if given is None or given is DefaultBackendProcess:
        return None
    if isinstance(given, type) and issubclass(given, BackendProcess):
        return given
    reason = "derive a class from ezmsg.core.backendprocess.DefaultBackendProcess, and give the class"
    raise InvalidOption(option="backend_process", value=repr(given), reason=reason)


class Turn:
    """Who acts next: the program's ``process`` on the main thread, or the worker on the loop's thread.

    ``known`` is set when the worker knows its loop and where the server is, ``over`` when the units have ended;
    from then on nobody waits for anybody.
    """

    def __init__(self) -> None:
        self.known = threading.Event()
        self.over = threading.Event()
        self.term_ev = threading.Event()
        self.begun = False
        self.address: Address | None = None
        self.call_main: Callable[[], None] = lambda: None
        self._loop: asyncio.AbstractEventLoop | None = None
        self._may_begin = asyncio.Event()
        self._may_leave = asyncio.Event()

    # --- on the loop --------------------------------------------------------------------------------------

    async def begin(self, address: Address) -> None:
        """Wait until ``process`` comes to the units."""
        self._loop, self.address = asyncio.get_running_loop(), address
        self.known.set()
        await self._may_begin.wait()

    async def end(self) -> None:
        """The units have ended: wait until ``process`` has returned, which may use the loop until then."""
        was_known = self._loop is not None
        self.release()
        if was_known:
            await self._may_leave.wait()

    def release(self) -> None:
        """Let the main thread wait no more; from any thread."""
        self.term_ev.set()
        self.over.set()
        self.known.set()

    # --- on the main thread -------------------------------------------------------------------------------

    def run_units(self) -> None:
        """Let the units run, and wait until they have ended."""
        if self.begun:
            return
        self.begun = True
        self._tell(self._may_begin)
        self.call_main()
        wait_for(self.over)

    def take(self, backend: type[BackendProcess], units: list[Unit], relays: Sequence[ResolvedRelay]) -> None:
        """Make the program's object and call its ``process``, unless the end came before.

        :raises Exception: what ``process`` raises.
        """
        wait_for(self.known)
        try:
            if self._loop is None:
                return
            alone = threading.Barrier(1)
            made = backend(units, relays, self.term_ev, alone, alone, self.address)
            made._turn = self
            made.process(self._loop)
        finally:
            self._tell(self._may_leave)

    def _tell(self, event: asyncio.Event) -> None:
        if self._loop is not None and not self._loop.is_closed():
            self._loop.call_soon_threadsafe(event.set)
