"""Which packages that build on ezmsg are tried, and what their suites need beside what they declare. Plain data."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Package:
    """One package; ``needs`` is what its tests import and its requirements leave out.

    ``left_out`` says in words what of its suite does not run here, the same on both sides.
    """

    name: str
    needs: tuple[str, ...] = ()
    left_out: str = ""
    arguments: tuple[str, ...] = ()

    @property
    def distribution(self) -> str:
        """The name under which an index has it."""
        return f"ezmsg-{self.name}"


_TORCH = "what needs torch, whose wheels have gigabytes"

PACKAGES = (
    Package("baseproc", ("pytest-asyncio",)),
    Package(
        "sigproc",
        ("pytest-asyncio", "frozendict", "pytest-benchmark", "pytest-cov"),
        _TORCH,
        ("--benchmark-disable",),
    ),
    Package("learn", ("ezmsg-simbiophys", "hmmlearn", "pandas", "river", "scikit-learn", "pytest-asyncio"), _TORCH),
    Package("event"),
    Package("lsl", ("pytest-cov", "pytest-asyncio")),
    Package("simbiophys", ("pytest-asyncio",)),
    Package("dashboard", ("frozendict", "httpx", "pytest-asyncio", "pytest-cov", "ezmsg-tools", "ezmsg-sigproc")),
    Package("tools", ("ezmsg-simbiophys", "ezmsg-sigproc", "pytest-asyncio")),
    Package("xdf", ("pytest-asyncio",)),
    Package("zmq", ("numpy", "pytest-asyncio", "pytest-cov")),
    Package("neo", ("pytest-asyncio",)),
    Package(
        "blackrock",
        ("ezmsg-neo", "numba", "pytest-asyncio"),
        "what needs a running nPlayServer",
        ("-m", "not integration"),
    ),
    Package("qt", ("numpy", "pytest-qt", "pyside6")),
)


def selected(names: list[str]) -> list[Package]:
    """Return the packages of these names, all if there is none.

    :raises ValueError: if there is none of a name.
    """
    known = {package.name: package for package in PACKAGES}
    unknown = [name for name in names if name.removeprefix("ezmsg-") not in known]
    if unknown:
        raise ValueError(f"there is no package {', '.join(unknown)} here; there are {', '.join(known)}")
    return [known[name.removeprefix("ezmsg-")] for name in names] if names else list(PACKAGES)
