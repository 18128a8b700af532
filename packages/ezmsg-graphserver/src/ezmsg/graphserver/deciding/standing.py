"""Settings that operators made: they stand, and are made again when their unit comes back in another process.

What the unit's own program, or a message, gives it is not among them.
"""

from collections.abc import Collection, Iterable, Mapping
from typing import Any
from uuid import UUID

from attrs import field, frozen

PATHS_LIMIT = 1000
"""How many fields of one component may stand; with more, those that were made first do not."""


@frozen
class Standing:
    """What operators made of one component: values by path, in the order in which they were made.

    ``by`` made the last of them, and they are in effect in ``process``.
    """

    values: dict[str, Any] = field(factory=dict)
    by: str = ""
    process: UUID | None = None


class StandingSettings:
    """By component."""

    def __init__(self, known: Mapping[str, Standing] | None = None) -> None:
        self._components: dict[str, Standing] = dict(known or {})

    def made(self, address: str, path: str, value: Any, by: str, process: UUID, initial: Mapping[str, Any]) -> None:
        """An operator has set a field, or with the path "" several; what is as it was at first need not stand."""
        fields = {path: value} if path else value if isinstance(value, Mapping) else {}
        values = dict(self.of(address).values)
        for each, new in fields.items():
            values = {known: old for known, old in values.items() if not _is_in(known, each)}
            if each not in initial or initial[each] != new:
                values[each] = new
        for oldest in list(values)[: max(0, len(values) - PATHS_LIMIT)]:
            del values[oldest]
        self._keep(address, Standing(values, by, process))

    def in_effect(self, address: str, process: UUID) -> None:
        """The process that has the unit now has what stands, too."""
        standing = self._components.get(address)
        if standing is not None:
            self._components[address] = Standing(standing.values, standing.by, process)

    def of(self, address: str) -> Standing:
        """Return what stands of a component."""
        return self._components.get(address, _NOTHING)

    def missing(self, units: Iterable[str], process: UUID) -> list[str]:
        """Return those of a process's units that have something standing which is not in effect in it, sorted."""
        return sorted(unit for unit in {*units} if unit in self._components and self.of(unit).process != process)

    def forget(self, addresses: Collection[str]) -> None:
        """Let nothing stand of these components any more."""
        for address in addresses:
            self._components.pop(address, None)

    def _keep(self, address: str, standing: Standing) -> None:
        if standing.values:
            self._components[address] = standing
        else:
            self._components.pop(address, None)


_NOTHING = Standing()


def _is_in(path: str, other: str) -> bool:
    """Whether a path names what another one does, or a part of it."""
    return path == other or path.startswith((f"{other}.", f"{other}["))
