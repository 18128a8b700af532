"""How hard the property tests look: a bounded default, ``--hypothesis-profile=brief``, and ``=long`` for a night.

In the long profile a single test may take minutes, and none has a time limit. Besides, what a failed test leaves is
held against it and nobody else.
"""

import gc
import os
import sys

import pytest
from hypothesis import HealthCheck, settings

EXAMPLES = 100

# A machine that is busy is no finding, so nothing here depends on the time an example takes.
settings.register_profile(
    "default", max_examples=EXAMPLES, deadline=None, suppress_health_check=[HealthCheck.too_slow]
)
settings.register_profile("brief", settings.get_profile("default"), max_examples=EXAMPLES // 5)
settings.register_profile("long", settings.get_profile("default"), max_examples=50 * EXAMPLES)
settings.load_profile("default")


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_auto_num_workers() -> int:
    """Two test processes for each core, as most tests wait for programs that they started."""
    return 2 * (os.cpu_count() or 1)


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Lift the time limits in the long profile; begin with what may take long, or it is waited for at the end."""
    items.sort(key=lambda item: item.get_closest_marker("timeout") is None)
    if config.getoption("--hypothesis-profile") == "long":
        for item in items:
            item.add_marker(pytest.mark.timeout(0), append=False)


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_teardown() -> None:
    """Let go of what a failed test had while it is still that test's turn.

    For the sake of debuggers, pytest keeps the failure, and so the tasks and sockets in its frames, until the next
    test begins to run. What they say when they go, of never being closed or asked, would make that one fail too.
    """
    if vars(sys).pop("last_value", None) is not None:
        for name in ("last_type", "last_traceback", "last_exc"):
            vars(sys).pop(name, None)
        gc.collect()
