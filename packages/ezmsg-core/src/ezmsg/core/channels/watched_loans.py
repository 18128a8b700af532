"""Loans under ``EZMSG_DEBUG_VIEWS=1``: when one ends, the log names whoever still refers to its memory, and whoever
has changed what others share.

Each loan decodes a view of its own, out of memory behind a guard: an object that lives exactly as long as anything
that lies in the view. This may be slow; without the variable none of it is used.
"""

import gc
import logging
import sys
from pathlib import Path
from types import FrameType, TracebackType
from typing import Any, NamedTuple

from ezmsg.core.channels.changed_views import fingerprint, tell_if_changed
from ezmsg.core.channels.kept_views import holders_of, is_kept, names_in
from ezmsg.core.channels.loans import Lender, Loan
from ezmsg.core.messages.payload import Array

logger = logging.getLogger("ezmsg")

PLACES = 1000
"""Of how many places it is told that they keep views; later ones are not looked at."""

_OURS = Path(__file__).parents[1]
"""The folder of `ezmsg.core`: what lies there is no user's code."""

_told: set[tuple[str, str]] = set()


class WatchedLoan(Loan):
    """A loan that says who keeps what was lent, once for each topic and place in the program."""

    __slots__ = ("_held", "_shared")

    def __init__(self, subscriber: Lender, *, tell_losses: bool = False) -> None:
        super().__init__(subscriber, tell_losses=tell_losses)
        self._held: list[Any] = []
        self._shared = NOT_SHARED

    async def __aenter__(self) -> Any:
        lease = await self._subscriber.next_lease(tell_losses=self._tell_losses)
        self._taken_ns = self._subscriber.took(lease)
        try:
            message, guard = lease.guarded()
        except BaseException:
            lease.release()
            self._subscriber.let_go(self._taken_ns, lease)
            raise
        self._lease = lease
        if lease.lent:
            self._subscriber.loans.append(lease)
        if guard is not None:
            self._held = [message, guard]
        else:
            self._shared = Shared.unless_watched_elsewhere(message, sys._getframe(1))
        return message

    async def __aexit__(
        self, exc_type: type[BaseException] | None, exc: BaseException | None, traceback: TracebackType | None
    ) -> None:
        held, self._held = self._held, []
        shared, self._shared = self._shared, NOT_SHARED
        shared.look(self._subscriber.topic, sys._getframe(1))
        # What was handed on stays lent, and an exception holds the functions that it came through.
        to_be_looked_at = held and exc is None and not getattr(self._lease, "handed_on", False)
        await super().__aexit__(exc_type, exc, traceback)
        if to_be_looked_at:
            look(self._subscriber.topic, held, sys._getframe(1))


class Shared(NamedTuple):
    """A message that others of the process share, and what it was when it was lent."""

    message: Any = None
    before: bytes | None = None

    @classmethod
    def unless_watched_elsewhere(cls, message: object, receiver: FrameType) -> "Shared":
        """Remember a message, unless a unit receives it: that looks after each function by itself."""
        if _is_ours(receiver) and not _is_callback(receiver):
            return NOT_SHARED
        return cls(message, fingerprint(message))

    def look(self, topic: str, receiver: FrameType) -> None:
        """Warn if whoever received the message has changed it."""
        if self.before is not None:
            place = "to its callback" if _is_callback(receiver) else _place_of(receiver)
            instead = "zero_copy=False" if _is_callback(receiver) else "recv(), which copies"
            tell_if_changed(topic, place, self.message, self.before, instead)


NOT_SHARED = Shared()


def look(topic: str, held: list[Array], receiver: FrameType) -> None:
    """Warn if anything but the names of the function that received a message keeps it."""
    place = _place_of(receiver)
    if (topic, place) in _told or len(_told) >= PLACES or not is_kept(held, names_in(receiver)):
        return
    gc.collect()  # what only refers to itself in a circle is kept by nobody
    if not is_kept(held, names_in(receiver)):
        return
    _told.add((topic, place))
    logger.warning(
        "A view of a message of %s, received %s, was kept after its lease ended, by %s. Over shared memory it will "
        "show later messages. Copy what is to be kept, or receive with recv(), which copies.",
        topic,
        place,
        ", ".join(holders_of(held, receiver)) or "something without a name, such as a value being returned",
    )


def _place_of(receiver: FrameType) -> str:
    if _is_ours(receiver):
        return "by its callback" if _is_callback(receiver) else "by a function of its unit"
    return f"in {receiver.f_code.co_qualname} ({receiver.f_code.co_filename}:{receiver.f_lineno})"


def _is_ours(receiver: FrameType) -> bool:
    return Path(receiver.f_code.co_filename).is_relative_to(_OURS)


def _is_callback(receiver: FrameType) -> bool:
    return receiver.f_code.co_name == "handle_next" and _is_ours(receiver)
