"""Messages lent to a task, and what keeps them lent when they are handed on inside the process.

A unit may pass on what it was lent, whole or in part, before its own lease ends. Another process gets a copy, but a
subscriber of this process gets the same memory, and reads it later. So whoever hands an object on here asks
:func:`lenders_of` in which open loans the object lies, and holds their leases until the object is released.
"""

import asyncio
from collections.abc import Sequence
from time import perf_counter_ns
from types import TracebackType
from typing import TYPE_CHECKING, Any, Protocol
from weakref import WeakKeyDictionary, WeakValueDictionary

from ezmsg.core.channels.channel import Lease
from ezmsg.core.messages.memory import memory_used, spans_of
from ezmsg.core.profiling.metrics import MANY_LEASES

if TYPE_CHECKING:
    from ezmsg.core.profiling.tracers import SubscriberTracer

_open: WeakKeyDictionary[asyncio.AbstractEventLoop, list[Lease]] = WeakKeyDictionary()


def open_loans() -> list[Lease]:
    """Return the leases on memory that will be used again, as far as they are on loan on this event loop.

    It is one list for each loop, so that an endpoint asks for it once.
    """
    return _open.setdefault(asyncio.get_running_loop(), [])


def lenders_of(obj: object, loans: Sequence[Lease]) -> tuple[Lease, ...]:
    """Return those leases in whose memory an object may lie, each held once more."""
    used = memory_used(obj, (owner for lease in loans for owner in lease.memory))
    if not used:
        return ()
    lenders = tuple(lease for lease in loans if any(id(owner) in used for owner in lease.memory))
    if len(lenders) > 1:  # all messages of a publisher lie in memory of one owner
        lenders = _narrowed(lenders, obj, used)
    for lease in lenders:
        lease.holders += 1
        lease.handed_on = True
    return lenders


def _narrowed(lenders: tuple[Lease, ...], obj: object, owners: set[int]) -> tuple[Lease, ...]:
    """Return those in whose slots an object lies; all if it cannot be known."""
    spans = spans_of(obj, owners)
    if spans is None:
        return lenders
    lies = {}
    for root in {id(root): root for lease in lenders for root in lease.roots}.values():
        first, end = root.span
        lies[id(root)] = any(low < end and first < high for low, high in spans)
    return tuple(lease for lease in lenders if any(lies[id(root)] for root in lease.roots))


def is_lent_elsewhere(obj: object) -> bool:
    """Whether an object may lie in memory on loan on another event loop, whose leases are not ours to hold."""
    if len(_open) < 2:
        return False
    ours = open_loans()
    loans = [lease for theirs in list(_open.values()) if theirs is not ours for lease in tuple(theirs)]
    return bool(loans) and bool(memory_used(obj, (owner for lease in loans for owner in lease.memory)))


_slots: WeakValueDictionary[int, Any] = WeakValueDictionary()
"""Owners of memory of slots that publishers of this process have lent to be filled, by id."""


def lends_slots(owner: object) -> None:
    """Arrays in this memory are lent to be filled and sent, after which it is used again."""
    _slots[id(owner)] = owner


def lies_in_slots(obj: object) -> bool:
    """Whether an object may lie in slots lent to be filled, which are used again whoever else was handed it."""
    if not _slots:
        return False
    return bool(memory_used(obj, (owner for known in _slots.valuerefs() if (owner := known()) is not None)))


class Lender(Protocol):
    """What a loan needs of a subscriber."""

    topic: str
    loans: list[Lease]
    tracer: "SubscriberTracer | None"

    def took(self, lease: Lease) -> int: ...

    def let_go(self, taken_ns: int, lease: Lease) -> None: ...

    def ready_lease(self) -> Lease | None: ...

    async def next_lease(self, *, tell_losses: bool = False) -> Lease: ...

    async def private(self, *, tell_losses: bool = False) -> Any: ...


class Loan:
    """The context of :meth:`Subscriber.recv_zero_copy`."""

    __slots__ = ("_lease", "_subscriber", "_taken_ns", "_tell_losses")

    def __init__(self, subscriber: Lender, *, tell_losses: bool = False) -> None:
        self._subscriber = subscriber
        self._tell_losses = tell_losses
        self._lease: Lease | None = None
        self._taken_ns = 0  # it is not traced

    async def __aenter__(self) -> Any:
        subscriber = self._subscriber
        if self._tell_losses:
            lease = await subscriber.next_lease(tell_losses=True)
        else:
            lease = subscriber.ready_lease() or await subscriber.next_lease()
        tracer = subscriber.tracer
        if tracer is not None:
            # As SubscriberTracer.took has it, at less cost: this is once for each message.
            if tracer.taken_ns:
                tracer.also_taken_ns.add(tracer.taken_ns)
            tracer.latest = lease
            tracer.taken_ns = self._taken_ns = perf_counter_ns()
        try:
            message = lease.view()
        except BaseException:
            lease.release()
            subscriber.let_go(self._taken_ns, lease)
            raise
        self._lease = lease
        if lease.lent:
            subscriber.loans.append(lease)
        return message

    async def __aexit__(
        self, exc_type: type[BaseException] | None, exc: BaseException | None, traceback: TracebackType | None
    ) -> None:
        lease, self._lease = self._lease, None
        if lease is not None:
            subscriber = self._subscriber
            if lease.lent:
                subscriber.loans.remove(lease)
            lease.release()
            tracer = subscriber.tracer
            if tracer is not None:  # as SubscriberTracer.let_go has it
                taken_ns, noted = self._taken_ns, tracer.leases
                noted += (taken_ns, perf_counter_ns(), lease.number, lease.source.number_in_traces)
                if tracer.taken_ns == taken_ns:
                    tracer.taken_ns = 0
                else:
                    tracer.also_taken_ns.discard(taken_ns)
                if len(noted) >= MANY_LEASES:
                    tracer.settle_many()


class PrivateLoan(Loan):
    """The same of a leaky subscriber: a private copy, because no publisher waits until its receiver is done."""

    __slots__ = ()

    async def __aenter__(self) -> Any:
        return await self._subscriber.private(tell_losses=self._tell_losses)
