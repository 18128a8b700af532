"""Which parts are installed: all of ours, and nobody else's."""

from email.message import Message
from types import SimpleNamespace
from typing import Any

from ezmsg.protocol.surroundings.parts import version_text


def distribution(name: str | None, version: str) -> Any:
    metadata = Message()
    if name is not None:
        metadata["Name"] = name
    return SimpleNamespace(metadata=metadata, version=version)


def test_ours_come_by_name_after_the_own_and_each_once() -> None:
    found = [
        distribution("ezmsg-tui", "1"),
        distribution("numpy", "2"),
        distribution(None, "3"),
        distribution("ezmsg_core", "4"),
        distribution("ezmsg-core", "5"),
        distribution("ezmsgs", "6"),
        distribution("Ezmsg", "7"),
        distribution("ezmsg-sigproc", "8"),
    ]
    expected = ["ezmsg-tui 1", "ezmsg 7", "ezmsg-core 4", "ezmsg-sigproc 8"]
    assert version_text("ezmsg-tui", found).splitlines() == expected
