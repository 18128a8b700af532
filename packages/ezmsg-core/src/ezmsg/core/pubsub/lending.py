"""Arrays that a publisher lends to be filled, and sends without a copy: they lie where their message will."""

from collections.abc import Callable, Coroutine
from types import TracebackType
from typing import TYPE_CHECKING, Any, NamedTuple

from ezmsg.core.channels.backpressure import Window
from ezmsg.core.errors import InvalidOption
from ezmsg.core.messages.payload import Array
from ezmsg.core.support.arrays import PLAIN_KINDS

if TYPE_CHECKING:
    import numpy as np


class Blank(NamedTuple):
    """An array on loan, and the token of its message."""

    token: int
    array: Array


class Blanks:
    """The arrays that a publisher has lent, by identity. It is false while there are none."""

    def __init__(self, window: Window) -> None:
        self._window = window
        self._by_id: dict[int, Blank] = {}

    def __bool__(self) -> bool:
        return bool(self._by_id)

    def lend(self, blank: Blank) -> Array:
        """Lend an array; nobody need wait until its token is back."""
        blank.array.flags.writeable = True
        self._by_id[id(blank.array)] = blank
        self._window.lent.add(blank.token)
        return blank.array

    def has(self, obj: object) -> bool:
        """Whether an object is an array on loan."""
        return id(obj) in self._by_id  # which holds it, so that nothing else has this identity

    def take(self, obj: object) -> Blank | None:
        """Return the loan that an object is, and end it; ``None`` if it is not on loan."""
        blank = self._by_id.pop(id(obj), None)
        if blank is not None:
            self._window.lent.discard(blank.token)
            blank.array.flags.writeable = False  # it is a message from here on, or nothing
        return blank

    def give_back(self, array: Array) -> None:
        """End a loan without a message, unless it was sent."""
        blank = self.take(array)
        if blank is not None:
            self._window.give_back(blank.token)


class BlankLoan:
    """The context of :meth:`Publisher.loan`."""

    __slots__ = ("_array", "_blanks", "_entered", "_lend")

    def __init__(self, lend: Callable[[], Coroutine[Any, Any, Array]], blanks: Blanks) -> None:
        self._lend = lend
        self._blanks = blanks
        self._array: Array | None = None
        self._entered = False

    async def __aenter__(self) -> Array:
        """Lend an array.

        :raises InvalidOption: if it is entered again.
        """
        if self._entered:
            raise InvalidOption(option="loan", value="entered again", reason="each call of loan() lends one array")
        self._entered = True
        self._array = await self._lend()
        return self._array

    async def __aexit__(
        self, exc_type: type[BaseException] | None, exc: BaseException | None, traceback: TracebackType | None
    ) -> None:
        array, self._array = self._array, None
        if array is not None:
            self._blanks.give_back(array)


def plain_dtype(dtype: Any) -> "np.dtype[Any]":
    """Return the dtype that is asked for.

    :raises InvalidOption: if its elements are more than their bytes, which cannot lie in shared memory.
    """
    import numpy as np

    asked: np.dtype[Any] = np.dtype(dtype)
    if asked.kind not in PLAIN_KINDS or asked.metadata is not None:
        reason = "an array of it cannot be lent, since its elements are more than numbers; give it to broadcast()"
        raise InvalidOption(option="dtype", value=str(asked), reason=reason)
    return asked
