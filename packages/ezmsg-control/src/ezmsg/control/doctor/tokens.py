"""Tokens, and who else can read them: the runtime folder, what servers announce in it, and a file of one's own."""

import asyncio
import os
import stat
import tempfile
from collections.abc import Iterator
from pathlib import Path

from attrs import frozen

from ezmsg.control.connection.announcements import runs
from ezmsg.control.doctor.examination import Examination, Surroundings
from ezmsg.control.doctor.findings import Finding, fail, ok, warn
from ezmsg.control.rendering.quantities import counted
from ezmsg.protocol.announcement import (
    INSECURE_VARIABLE,
    TOKEN_FILE_VARIABLE,
    TOKEN_VARIABLE,
    Announcement,
    check_folder,
    runtime_folder,
)
from ezmsg.protocol.errors import EzmsgError, UnsafeFolder


@frozen
class PlaceSeen:
    """A file or folder: its mode and owner, ``reason`` if it could not be looked at."""

    path: str
    mode: int = 0
    owner: int = 0
    reason: str = ""


@frozen
class AnnouncementSeen:
    """One announcement; ``pid`` is that of its server, ``None`` if it is not to be read, ``runs`` if that lives."""

    place: PlaceSeen
    pid: int | None
    runs: bool


@frozen
class TokensRecord:
    """Where tokens are. ``folder`` is ``None`` if there is none, ``token_file`` if nobody names one."""

    uid: int | None
    folder: PlaceSeen | None
    announcements: tuple[AnnouncementSeen, ...]
    token_file: PlaceSeen | None
    token_in_environment: bool
    insecure: bool


def judge(record: TokensRecord) -> Iterator[Finding]:
    """Yield where a token is in danger, or left behind; or that none is."""
    wrong = [
        *_judge_folder(record),
        *_judge_announcements(record),
        *_judge_token_file(record),
        *_judge_environment(record),
    ]
    yield from wrong
    if not wrong:
        living = sum(each.runs for each in record.announcements)
        yield ok(f"tokens: nobody else can read them; {counted(living, 'server')} of yours announced here")


def _judge_folder(record: TokensRecord) -> Iterator[Finding]:
    folder = record.folder
    if folder is None:
        return
    try:
        check_folder(Path(folder.path), folder.mode, folder.owner, record.uid)
    except UnsafeFolder as error:
        yield fail(
            f"tokens: {error.sentence()}", f"chmod 700 {folder.path}, or another EZMSG_RUNTIME_DIR", error.code
        )


def _judge_announcements(record: TokensRecord) -> Iterator[Finding]:
    for each in record.announcements:
        if _is_open(each.place, record.uid):
            yield fail(
                f"tokens: others can read {each.place.path}, and so drive that graph", "chmod 600 it, and restart"
            )
        elif each.place.reason:
            yield warn(
                f"tokens: {each.place.path} is no announcement: {each.place.reason}", f"rm {each.place.path}"
            )
    left = [each for each in record.announcements if not each.runs and not each.place.reason]
    if left:
        folder = Path(left[0].place.path).parent
        names = sorted(Path(each.place.path).name for each in left)
        some = f"{folder}/{names[0] if len(names) == 1 else '{' + ','.join(names) + '}'}"
        yield warn(
            f"tokens: {counted(len(left), 'server')} went without taking the announcement along", f"rm {some}"
        )


def _judge_token_file(record: TokensRecord) -> Iterator[Finding]:
    file = record.token_file
    if file is None:
        return
    if file.reason:
        yield fail(f"tokens: {file.path}, which {TOKEN_FILE_VARIABLE} names, cannot be read: {file.reason}")
    elif _is_open(file, record.uid):
        yield fail(f"tokens: others can read {file.path}, and so drive your graphs", f"chmod 600 {file.path}")


def _judge_environment(record: TokensRecord) -> Iterator[Finding]:
    if record.token_in_environment and record.token_file is not None:
        yield warn(
            f"tokens: {TOKEN_VARIABLE} is set, so {TOKEN_FILE_VARIABLE} counts for nothing", "unset one of them"
        )
    if record.insecure:
        yield warn(
            f"tokens: {INSECURE_VARIABLE}=1 accepts servers that let everybody in", f"unset {INSECURE_VARIABLE}"
        )


def _is_open(place: PlaceSeen, uid: int | None) -> bool:
    return uid is not None and not place.reason and bool(place.mode & (stat.S_IRWXG | stat.S_IRWXO))


# --- the look -----------------------------------------------------------------------------------------------------


def take_record() -> TokensRecord:
    """Look at this user's runtime folder and environment."""
    uid = os.getuid() if hasattr(os, "getuid") else None
    folder = runtime_folder(os.environ, uid, tempfile.gettempdir())
    file = os.environ.get(TOKEN_FILE_VARIABLE)
    return TokensRecord(
        uid,
        _seen(folder) if folder.exists() else None,
        tuple(_announcement(path) for path in sorted(folder.glob("server-*.json"))),
        _seen(Path(file), readable=True) if file else None,
        bool(os.environ.get(TOKEN_VARIABLE, "").strip()),
        os.environ.get(INSECURE_VARIABLE) == "1",
    )


def _seen(path: Path, *, readable: bool = False) -> PlaceSeen:
    try:
        status = path.stat() if readable else path.lstat()
        if readable and not path.read_bytes().strip():
            return PlaceSeen(str(path), status.st_mode, status.st_uid, "it is empty")
    except OSError as error:
        return PlaceSeen(str(path), reason=error.strerror or str(error))
    return PlaceSeen(str(path), status.st_mode, status.st_uid)


def _announcement(path: Path) -> AnnouncementSeen:
    place = _seen(path)
    try:
        pid = Announcement.from_json(path.read_bytes()).pid
    except EzmsgError as error:
        return AnnouncementSeen(PlaceSeen(place.path, place.mode, place.owner, error.sentence()), None, False)
    except OSError as error:
        why = error.strerror or str(error)
        return AnnouncementSeen(PlaceSeen(place.path, place.mode, place.owner, why), None, False)
    return AnnouncementSeen(place, pid, runs(pid))


async def _gather(_: Surroundings) -> TokensRecord:
    return await asyncio.to_thread(take_record)


TOKENS = Examination("tokens", _gather, judge)
