"""Changes of settings that wait for their turn: of each component, one at a time is with its process."""

from collections import deque
from collections.abc import Iterable

from attrs import define

from ezmsg.graphserver.deciding.state.operations import Operation
from ezmsg.protocol.errors import SettingsUnavailable
from ezmsg.protocol.messages.settings import UpdateSetting

WAITING_LIMIT = 1_000
"""How many changes of one component may wait for their turn."""


@define(eq=False)
class Change:
    """What is to be changed, and the request that waits for it, as long as it does; ``by`` names who asked."""

    body: UpdateSetting
    operation: Operation
    by: str


class Changes:
    """The queues, by component; no empty one is kept."""

    def __init__(self) -> None:
        self._under_way: dict[str, Change] = {}
        self._waiting: dict[str, deque[Change]] = {}

    def check_room(self, address: str) -> None:
        """Refuse one more change of a component for which too many wait.

        :raises SettingsUnavailable: if so.
        """
        waiting = self._waiting.get(address, ())
        if len(waiting) >= WAITING_LIMIT:
            self._waiting[address] = deque(change for change in waiting if change.operation.is_open)
            if len(self._waiting[address]) >= WAITING_LIMIT:
                raise SettingsUnavailable(
                    component=address, reason=f"{WAITING_LIMIT} changes wait for its process already"
                )

    def add(self, change: Change) -> None:
        """Let a change wait for its turn."""
        self._waiting.setdefault(change.body.component_address, deque()).append(change)

    def take_next(self, address: str) -> Change | None:
        """Return the change whose turn it is, or ``None`` if one is under way or nobody waits."""
        waiting = self._waiting.get(address)
        if address in self._under_way or waiting is None:
            return None
        found = None
        while waiting and found is None:
            change = waiting.popleft()
            found = change if change.operation.is_open else None
        if not waiting:
            del self._waiting[address]
        return found

    def pending(self, addresses: Iterable[str]) -> list[Change]:
        """Return the changes of components that are under way, or wait for their turn."""
        found = []
        for address in addresses:
            found += [change for change in (self._under_way.get(address),) if change is not None]
            found += self._waiting.get(address, ())
        return found

    def start(self, change: Change) -> None:
        """Let the others wait until this change is over."""
        self._under_way[change.body.component_address] = change

    def finish(self, change: Change) -> None:
        """A change is over."""
        del self._under_way[change.body.component_address]

    def validate(self) -> None:
        """Assert every invariant. For tests."""
        for address, waiting in self._waiting.items():
            assert address in self._under_way, "changes that wait for nothing"
            assert 0 < len(waiting) <= WAITING_LIMIT
