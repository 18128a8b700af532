"""A plugin for pytest that repeats every test: ``-p trials --trials 20``."""

from __future__ import annotations

import pytest


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add the option."""
    parser.addoption("--trials", type=int, default=1, help="how often to run every test")


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Give every test a parameter that it does not look at."""
    trials: int = metafunc.config.getoption("--trials")
    if trials > 1:
        metafunc.fixturenames.append("_trial")
        metafunc.parametrize("_trial", range(trials))
