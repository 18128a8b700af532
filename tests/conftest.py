"""How hard the property tests look: a bounded default, ``--hypothesis-profile=brief``, and ``=long`` for a night.

In the long profile a single test may take minutes, and none has a time limit. Besides, what a failed test leaves is
held against it and nobody else; and hosts can be certified, for tests of TLS.
"""

import gc
import os
import sys
from collections.abc import Generator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

from ezmsg.control.certifying.authority import make_authority, make_certificate
from ezmsg.protocol.wire.tls.files import AUTHORITY_NAME, CERTIFICATE_NAME, KEY_NAME, TlsFiles

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


def pytest_collection_finish() -> None:
    """Keep what was imported and collected out of the garbage collector's way, which many tests run, some twice."""
    gc.collect()
    gc.freeze()


@pytest.hookimpl(wrapper=True)
def pytest_runtest_protocol(item: pytest.Item) -> Generator[None, object, object]:
    """The same again after tests in which somebody looked at everything for who keeps a view."""
    done = yield
    if "watching" in getattr(item, "fixturenames", ()):
        pytest_collection_finish()
    return done


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


class Laboratory:
    """An authority, and what it makes for hosts."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._count = 0
        self.authority = make_authority("a laboratory", datetime.now(UTC))

    def files(self, *names: str, begins_h: float = -24, ends_h: float = 24) -> TlsFiles:
        """Certify a host, for a time that begins and ends so many hours from now; ``"localhost"`` always fits."""
        now = datetime.now(UTC)
        begins, ends = (now + timedelta(hours=hours) for hours in (begins_h, ends_h))
        made = make_certificate(self.authority, names or ("localhost",), begins, ends)
        self._count += 1
        place = self.folder / str(self._count)
        place.mkdir(parents=True)
        content = {
            AUTHORITY_NAME: self.authority.certificate_pem,
            CERTIFICATE_NAME: made.certificate_pem,
            KEY_NAME: made.key_pem,
        }
        for name, pem in content.items():
            (place / name).write_bytes(pem)
        authority, certificate, key = (str(place / name) for name in content)
        return TlsFiles(authority, certificate, key)


@pytest.fixture
def laboratory(tmp_path: Path) -> Laboratory:
    return Laboratory(tmp_path / "laboratory")
