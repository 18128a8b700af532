"""Keeps a flood of bad peers from becoming a flood of log lines, or lines of their own making."""

from collections import deque

from attrs import define, field

BURST = 5
"""How many lines of one kind are let through ..."""

WINDOW_S = 10.0
"""... in this many seconds."""

MAX_LENGTH = 1000
"""How many characters of a line are shown."""


@define
class _Window:
    start: float
    passed: int = 0
    held_back: int = 0


QUIET_FIRST_S = 10.0
QUIET_LONGEST_S = 600.0
"""For how many seconds nothing more is said of a peer that does the same again: at first, then doubling."""

MOST_PEERS = 256
"""How many such peers are remembered."""

MINUTE_S = 60.0
LINES_A_MINUTE = 10
"""How many lines are written of the strangers at one address in any minute; the last is for those left out."""

OTHER_ADDRESSES = "other addresses"
"""What stands for all addresses beyond those that are remembered."""


def one_line(text: str) -> str:
    """Return what a peer had a hand in as one line of bounded length, without control characters."""
    shown = "".join(character if character.isprintable() else "?" for character in text[:MAX_LENGTH])
    return shown if len(text) <= MAX_LENGTH else f"{shown} ..."


class LogLimiter:
    """Decides about lines by their kind; kinds are few and fixed, such as error codes."""

    def __init__(self) -> None:
        self._windows: dict[str, _Window] = {}

    def admit(self, kind: str, now: float) -> int | None:
        """Return ``None`` if a line is to be left out, else how many of its kind were left out before it.

        :param now: seconds on a clock that never jumps.
        """
        window = self._windows.get(kind)
        if window is None:
            window = self._windows[kind] = _Window(now)
        before = 0
        if now - window.start >= WINDOW_S:
            before = window.held_back
            window = self._windows[kind] = _Window(now)
        if window.passed < BURST:
            window.passed += 1
            return before
        window.held_back += 1
        return None


@define
class _Quiet:
    since: float
    seconds: float
    held_back: int = 0


class Repetitions:
    """Decides about lines on peers that come again and again: the first is told, the others ever more rarely."""

    def __init__(self) -> None:
        self._quiet: dict[str, _Quiet] = {}  # the one that was told last is the last one

    def admit(self, who: str, now: float) -> int | None:
        """Return ``None`` if a line is to be left out, else how many were left out since the last one.

        :param now: seconds on a clock that never jumps.
        """
        quiet = self._quiet.get(who)
        if quiet is not None and now - quiet.since < quiet.seconds:
            quiet.held_back += 1
            return None
        self._quiet.pop(who, None)
        seconds, before = QUIET_FIRST_S, 0
        # Whoever was away for as long again as it was not spoken of begins anew.
        if quiet is not None and now - quiet.since < 2 * quiet.seconds:
            seconds, before = min(2 * quiet.seconds, QUIET_LONGEST_S), quiet.held_back
        self._quiet[who] = _Quiet(now, seconds)
        if len(self._quiet) > MOST_PEERS:
            del self._quiet[next(iter(self._quiet))]
        return before


@define
class _Address:
    told: deque[float] = field(factory=deque)
    left_out: int = 0
    since: float = 0.0


class AddressLimiter:
    """Decides about lines on strangers by the address that they come from, whatever they do."""

    def __init__(self) -> None:
        self._addresses: dict[str, _Address] = {}

    def admit(self, address: str, now: float) -> bool:
        """Return whether a line may be written; one that may not is counted, see :meth:`folded`.

        :param now: seconds on a clock that never jumps.
        """
        if address not in self._addresses and len(self._addresses) >= MOST_PEERS:
            address = OTHER_ADDRESSES
        known = self._addresses.setdefault(address, _Address())
        while known.told and now - known.told[0] >= MINUTE_S:
            known.told.popleft()
        if len(known.told) < LINES_A_MINUTE - 1:
            known.told.append(now)
            return True
        if not known.left_out:
            known.since = now
        known.left_out += 1
        return False

    def folded(self, now: float) -> list[tuple[str, int]]:
        """Return the addresses of which it is time to say how many lines were left out, and how many that were."""
        due: list[tuple[str, int]] = []
        for address, known in list(self._addresses.items()):
            if known.left_out and now - known.since >= MINUTE_S:
                due.append((address, known.left_out))
                known.left_out = 0
            if not known.left_out and now - known.told[-1] >= MINUTE_S:
                del self._addresses[address]
        return due
