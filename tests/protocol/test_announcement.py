"""Announcements: what the file holds, where it is, and which folders are not trusted."""

import stat
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ezmsg.protocol.addresses import Address
from ezmsg.protocol.announcement import Announcement, announcement_name, check_folder, runtime_folder
from ezmsg.protocol.errors import InvalidMessage, UnsafeFolder

printable = st.text(st.characters(exclude_categories=["Cs"]))
announcements = st.builds(
    Announcement,
    address=st.builds(Address, st.sampled_from(["127.0.0.1", "::1", "host.example"]), st.integers(0, 65535)),
    token=printable,
    pid=st.integers(1, 2**22),
    start_time=st.floats(0, 1e11),
)


@given(announcements)
def test_a_file_says_what_was_announced(announcement: Announcement) -> None:
    assert Announcement.from_json(announcement.to_json()) == announcement
    assert Announcement.from_json(announcement.to_json().encode()) == announcement


def test_the_token_is_not_shown() -> None:
    assert "secret" not in repr(Announcement(Address("::1", 5), "secret", 3, 1.5))


def test_what_a_later_release_adds_is_ignored() -> None:
    text = '{"address": "127.0.0.1:5", "token": "t", "pid": 3, "start_time": 1, "more": [1]}'
    assert Announcement.from_json(text) == Announcement(Address("127.0.0.1", 5), "t", 3, 1.0)


@given(st.binary() | printable)
def test_anything_else_is_refused(content: str | bytes) -> None:
    with pytest.raises(InvalidMessage):
        Announcement.from_json(content)


@pytest.mark.parametrize(
    "text",
    [
        "[]",
        "{}",
        '{"address": "here", "token": "t", "pid": 3, "start_time": 1}',
        '{"address": "127.0.0.1:5", "token": null, "pid": 3, "start_time": 1}',
        '{"address": "127.0.0.1:5", "token": "t", "pid": "3", "start_time": 1}',
        "[" * 100_000,
    ],
)
def test_json_that_is_no_announcement_is_refused(text: str) -> None:
    with pytest.raises(InvalidMessage, match="announcement"):
        Announcement.from_json(text)


def test_the_folder_is_the_first_that_is_named() -> None:
    named = {"EZMSG_RUNTIME_DIR": "/a", "XDG_RUNTIME_DIR": "/b"}
    assert runtime_folder(named, 7, "/t") == Path("/a")
    assert runtime_folder({"XDG_RUNTIME_DIR": "/b"}, 7, "/t") == Path("/b/ezmsg")
    assert runtime_folder({"EZMSG_RUNTIME_DIR": "", "XDG_RUNTIME_DIR": ""}, 7, "/t") == Path("/t/ezmsg-7")
    assert runtime_folder({}, None, "/t") == Path("/t/ezmsg")
    assert announcement_name(5) == "server-5.json"


@pytest.mark.parametrize(
    ("mode", "owner", "reason"),
    [
        (stat.S_IFLNK | 0o700, 7, "symbolic link"),
        (stat.S_IFREG | 0o700, 7, "not a folder"),
        (stat.S_IFDIR | 0o700, 8, "user 8"),
        (stat.S_IFDIR | 0o770, 7, "write"),
        (stat.S_IFDIR | 0o777, 7, "write"),
    ],
)
def test_folders_that_are_not_ours_alone_are_refused(mode: int, owner: int, reason: str) -> None:
    with pytest.raises(UnsafeFolder, match=reason):
        check_folder(Path("/x"), mode, owner, 7)


def test_other_folders_are_fine() -> None:
    check_folder(Path("/x"), stat.S_IFDIR | 0o700, 7, 7)
    check_folder(Path("/x"), stat.S_IFDIR | 0o755, 7, 7)
    check_folder(Path("/x"), stat.S_IFDIR | 0o777, 0, None)
