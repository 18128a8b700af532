"""All examinations, one after the other: our own, then those of other distributions, by their names.

One that breaks is a finding itself, and the others go on.
"""

import asyncio
import time
from collections.abc import AsyncIterator, Iterable, Mapping
from importlib.metadata import EntryPoint, entry_points
from typing import Any

from ezmsg.control.connection.client import ControlConnection
from ezmsg.control.connection.discovery import find_address, named_address
from ezmsg.control.doctor.examination import GROUP, Examination, Surroundings
from ezmsg.control.doctor.findings import Finding, fail
from ezmsg.protocol.addresses import AddressType
from ezmsg.protocol.errors import EzmsgError

_HERE = "ezmsg.control.doctor"
_ROUNDS = 5
"""What an examination asks of others has the time-out itself; so often may it ask, one thing after the other."""

_OURS = {
    "installation": f"{_HERE}.installation.judging:INSTALLATION",
    "server": f"{_HERE}.server:SERVER",
    "processes": f"{_HERE}.processes:PROCESSES",
    "tokens": f"{_HERE}.tokens:TOKENS",
}


def known_examinations() -> dict[str, EntryPoint]:
    """Return where each examination is, by name and without an import; ours cannot be replaced."""
    ours = {name: EntryPoint(name, place, GROUP) for name, place in _OURS.items()}
    theirs = {point.name: point for point in entry_points(group=GROUP) if point.name not in ours}
    return {**ours, **dict(sorted(theirs.items()))}


async def examine(
    address: AddressType | str | None, timeout: float, known: Mapping[str, EntryPoint]
) -> AsyncIterator[tuple[str, list[Finding]]]:
    """Yield the name of each examination with what it found, as it is found."""
    surroundings = await _look_round(address, timeout)
    try:
        for name, point in known.items():
            yield name, await _findings(name, point, surroundings)
    finally:
        if surroundings.connection is not None:
            await surroundings.connection.close()


async def _look_round(address: AddressType | str | None, timeout: float) -> Surroundings:
    named = named_address(address) is not None
    began_s = time.perf_counter()
    where, connection, failure = None, None, ""
    try:
        where = find_address(address)
        connection = await ControlConnection.open(where, timeout=timeout)
    except EzmsgError as error:
        failure = str(error)
    return Surroundings(where, named, connection, failure, time.perf_counter() - began_s, timeout)


async def _findings(name: str, point: EntryPoint, surroundings: Surroundings) -> list[Finding]:
    # Whatever another distribution raises, here and below: the doctor is wanted most where something is broken.
    try:
        examination: Examination[Any] = point.load()
    except Exception as error:  # noqa: BLE001
        source = f" of {point.dist.name}" if point.dist else ""
        return [fail(f"the examination {name!r}{source} cannot be loaded: {_told(error)}")]
    try:
        async with asyncio.timeout(_ROUNDS * surroundings.timeout):
            gathered = await examination.gather(surroundings)
        return _listed(examination.judge(gathered))
    except Exception as error:  # noqa: BLE001
        return [fail(f"the examination of {examination.title} broke off: {_told(error)}")]


def _listed(findings: Iterable[Finding]) -> list[Finding]:
    return list(findings)


def _told(error: Exception) -> str:
    if isinstance(error, EzmsgError):
        return str(error)
    return f"{type(error).__name__}: {error}" if str(error) else type(error).__name__
