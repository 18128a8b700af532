"""Whether what is installed is whole and fits together. Pure, but for the examination's own look."""

import asyncio
from collections.abc import Iterable, Iterator

from packaging.requirements import InvalidRequirement, Requirement
from packaging.version import InvalidVersion, Version

from ezmsg.control.doctor.examination import Examination, Surroundings
from ezmsg.control.doctor.findings import Finding, fail, ok, warn
from ezmsg.control.doctor.installation.record import Installation, Part, take_record
from ezmsg.control.errors import MixedInstallation

UMBRELLA = "ezmsg"
FIRST_OF_OURS = Version("4")
"""Under the name ``ezmsg``, what is older is the public package."""

_SOME = 3
_AGAIN = "in the checkout; of a folder of wheels, --find-links FOLDER and the bare names"


def judge(installation: Installation) -> Iterator[Finding]:
    """Yield what is wrong, each thing with its remedy; if nothing is, what there is."""
    parts = {part.name: part for part in installation.parts}
    wrong = [
        *_mixed(parts, installation),
        *_damaged(parts, installation),
        *(finding for part in parts.values() for finding in _unmet(part, parts)),
    ]
    yield from wrong
    if not wrong:
        told = ", ".join(f"{part.name.removeprefix('ezmsg-')} {part.version}" for part in installation.parts)
        yield ok(f"what is installed is whole and fits: {told}")


def _install(names: Iterable[str]) -> str:
    """Return the command that installs some of ours again, as they are."""
    return f"pip install --force-reinstall --no-deps {' '.join(f'./packages/{name}' for name in names)}, {_AGAIN}"


def _public(parts: dict[str, Part]) -> Part | None:
    umbrella = parts.get(UMBRELLA)
    if umbrella is None:
        return None
    try:
        return umbrella if Version(umbrella.version) < FIRST_OF_OURS or umbrella.files else None
    except InvalidVersion:
        return umbrella


def _mixed(parts: dict[str, Part], installation: Installation) -> Iterator[Finding]:
    public = _public(parts)
    if public is None:
        return
    code = MixedInstallation.code
    shared = [part for part in parts.values() if part is not public and part.files.keys() & public.files.keys()]
    ours = [part for part in parts.values() if part.name in _OURS]
    # Also what shares no file with it: the public command has taken our command's place.
    again = sorted({UMBRELLA, "ezmsg-control", *(part.name for part in (*shared, *ours))})
    advice = f"pip uninstall ezmsg && {_install(again)}"
    what = f'distribution "ezmsg" {public.version}, the public package,'
    for part in shared:
        over = [name for name in part.files if name in public.files]
        lost = [name for name in over if installation.found.get(name) != part.files[name]]
        if lost:
            files = f"{len(lost)} of its files are overwritten, {_some(lost)}"
            yield fail(f"{what} is installed over {part.name} {part.version}: {files}", advice, code)
        else:
            along = f"whoever removes it takes {len(over)} files along"
            yield fail(f"{what} lies under {part.name} {part.version}: {along}", advice, code)
    if ours and not shared:  # ours are edited in place, or lie elsewhere on the path
        yield fail(f"{what} stands beside {', '.join(part.name for part in ours)}, and hides them", advice, code)


def _damaged(parts: dict[str, Part], installation: Installation) -> Iterator[Finding]:
    public = _public(parts)
    for part in parts.values():
        if part is public:
            continue
        gone = [name for name in part.files if installation.found.get(name) is None]
        changed = [
            name
            for name, stated in part.files.items()
            if stated is not None
            and installation.found.get(name) not in (None, stated)
            and (public is None or name not in public.files)
        ]
        again = _install([part.name])
        if gone:
            why = "removing the public ezmsg takes those that it had overwritten"
            yield fail(f"{len(gone)} files of {part.name} {part.version} are gone, {_some(gone)}; {why}", again)
        if changed:
            yield warn(f"{len(changed)} files of {part.name} {part.version} were changed, {_some(changed)}", again)


def _unmet(part: Part, parts: dict[str, Part]) -> Iterator[Finding]:
    """Yield what a part asks of the others and does not get."""
    for text in part.requires:
        try:
            wanted = Requirement(text)
        except InvalidRequirement:
            continue  # pip has said so
        name = wanted.name.lower().replace("_", "-")
        if not (name == UMBRELLA or name.startswith("ezmsg-")):
            continue
        if wanted.marker is not None and not wanted.marker.evaluate({"extra": ""}):
            continue
        there = parts.get(name)
        asks = f"{part.name} {part.version} asks for {name}{wanted.specifier}"
        if there is None and name == UMBRELLA:
            advice = f"pip install 'ezmsg>=4', {_AGAIN}"
            yield warn(f"{asks}, and none is installed: pip would bring the public one, over ours", advice)
        elif there is None:
            yield fail(f"{asks}, which is not installed", f"pip install {name}")
        elif not wanted.specifier.contains(there.version, prereleases=True):
            advice = f"pip install --upgrade {part.name} {name}, {_AGAIN}"
            yield fail(f"{asks}, and {there.version} is installed", advice)


def _some(names: list[str]) -> str:
    more = f" and {len(names) - _SOME} more" if len(names) > _SOME else ""
    return f"{', '.join(names[:_SOME])}{more}"


_OURS = frozenset(
    ("ezmsg-control", "ezmsg-core", "ezmsg-graphserver", "ezmsg-protocol", "ezmsg-tui", "ezmsg-util", "ezmsg-zenoh")
)


async def _gather(_: Surroundings) -> Installation:
    return await asyncio.to_thread(take_record)


INSTALLATION = Examination("what is installed", _gather, judge)
