"""A home of its own for each test, with the profiler's file in it."""

import csv
import logging
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from ezmsg.util.profiling.profile_log import HEADER, LogFile, get_logger_path, logger

Rows = Callable[[], list[dict[str, str]]]


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("USERPROFILE", str(tmp_path))
    monkeypatch.delenv("EZMSG_PROFILER", raising=False)
    before = logger.level
    logger.setLevel(logging.INFO)
    yield tmp_path
    logger.setLevel(before)
    for handler in logger.handlers:
        if isinstance(handler, LogFile):
            handler.close()


@pytest.fixture
def rows() -> Rows:
    """Turn the profiler on; what is returned reads its lines."""
    logger.setLevel(logging.DEBUG)

    def read() -> list[dict[str, str]]:
        with get_logger_path().open(newline="", encoding="utf-8") as file:
            assert file.readline() == f"{HEADER}\n"
            return list(csv.DictReader(file, HEADER.split(",")))

    return read
