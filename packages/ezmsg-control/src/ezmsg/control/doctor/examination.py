"""The seam between the doctor and the distributions: an examination gathers, then judges.

A distribution adds one with an entry point of the group ``ezmsg.doctor`` that names an :class:`Examination`. Its
gathering is the only part that touches anything, and its judgement is a pure function, so that a test hands it
the data of any machine.
"""

from collections.abc import Awaitable, Callable, Iterable
from typing import Generic, TypeVar

from attrs import frozen

from ezmsg.control.connection.client import ControlConnection
from ezmsg.control.doctor.findings import Finding
from ezmsg.protocol.addresses import Address

GROUP = "ezmsg.doctor"

T = TypeVar("T")


@frozen
class Surroundings:
    """What all examinations are given.

    ``connection`` is ``None`` if no server was reached, for the reason ``failure``; ``address`` is where it was
    looked for, ``None`` if even that is not known, and ``named`` whether somebody said to look there. Opening the
    connection took ``took_s`` seconds; whatever is asked of the server or a process has ``timeout`` seconds.
    """

    address: Address | None
    named: bool
    connection: ControlConnection | None
    failure: str
    took_s: float
    timeout: float


@frozen
class Examination(Generic[T]):
    """One subject: ``gather`` looks, ``judge`` says what that means. ``title`` names it to people."""

    title: str
    gather: Callable[[Surroundings], Awaitable[T]]
    judge: Callable[[T], Iterable[Finding]]
