"""Prove that every distribution works with only what it declares: ``hatch run distributions``.

Wheels and source distributions of all are built and looked into, installed into empty environments, and used there.
Needs the standard library, and a package index for what the distributions depend on.
"""

import json
import re
import shutil
import signal
import sys
import tempfile
import time
from collections.abc import Callable, Iterable, Mapping
from functools import partial
from pathlib import Path

from archives import Builder, Distribution, all_distributions, check_sdist, check_wheel, wheel_files
from environments import CheckFailed, Environment, require

ROOT = Path(__file__).parents[2]
REPORT = ROOT / "docs" / "examples" / "snapshot_report" / "report.py"
DEMO = ("demo", "--speed", "max", "--seconds", "20", "--json")
FROM_CHECKOUT, FROM_WHEELS = "-r requirements.txt", "dist/*.whl"
VERBS = (
    "dashboard",
    "demo",
    "doctor",
    "graph",
    "graphviz",
    "mermaid",
    "process",
    "profile",
    "serve",
    "settings",
    "start",
)
MADE_FOR_EZMSG_3 = ("ezmsg-dashboard", "ezmsg-zmq")
"""Two of the packages that ask an index for `ezmsg>=3.10`, with little beside it."""

PUBLIC = "3.10.0b5"

DEMO_SAMPLES = 7200
DEMO_BEATS = range(38, 43)
END_S = 5.0
"""How long a server may take to end."""

_TAKE_SNAPSHOT = """
import asyncio, sys
from pathlib import Path
from ezmsg.control import Session, acquire, release
from ezmsg.protocol import encode

async def main(address, path):
    connection = await acquire(address)
    async with Session(connection) as session:
        await session.connect("SOURCE/OUT", "SINK/IN")
        Path(path).write_bytes(encode(await session.snapshot()))
    await release(connection)

asyncio.run(main(*sys.argv[1:]))
"""

_WRITE_TRACE = """
import sys
from ezmsg.control.errors import MissingExtra
from ezmsg.control.exporting.chrome import to_chrome_json
from ezmsg.control.exporting.perfetto import to_perfetto

assert to_chrome_json([])
try:
    print("a trace" if to_perfetto([]) else "nothing")
except MissingExtra as error:
    print(error)
"""

_PROFILE = """
import os, sys
os.environ["EZMSG_LOGLEVEL"], os.environ["EZMSG_PROFILER"] = "DEBUG", sys.argv[1]
from ezmsg.util.profiler import profile_method
profile_method()(abs)(-1)
"""

_OURS_IS_WHOLE = """
import base64, hashlib, importlib.metadata, sys

for name in sys.argv[1:]:
    try:
        files = importlib.metadata.files(name)
    except importlib.metadata.PackageNotFoundError:
        continue
    for file in files:
        if file.hash is not None:
            digest = hashlib.new(file.hash.mode, file.locate().read_bytes()).digest()
            if base64.urlsafe_b64encode(digest).rstrip(b"=").decode() != file.hash.value:
                sys.exit(f"{file} is not as {name} brought it")
"""

_OVER_ZENOH = """
import asyncio
import ezmsg.core as ez

async def main():
    server = ez.GraphServer()
    server.start(("127.0.0.1", 0))
    async with ez.GraphContext(server.address) as context:
        publisher = await context.publisher("OUT", transport="zenoh", force_tcp=True)
        subscriber = await context.subscriber("OUT")
        await publisher.broadcast("heard")
        print(publisher.senders[0].kind, await subscriber.recv())
    server.stop()

asyncio.run(main())
"""

_ABSENT = """
import importlib.util, sys
found = [name for name in sys.argv[1:] if importlib.util.find_spec(name)]
sys.exit(f"{found} can be imported" if found else 0)
"""


def main() -> int:
    """Run every proof, one after the other, and return 0 if all hold."""
    with tempfile.TemporaryDirectory(prefix="ezmsg-distributions-") as folder:
        try:
            number = prove(Path(folder))
        except CheckFailed as error:
            print(f"FAILED  {error}", file=sys.stderr)
            return 1
    print(f"distributions: {number} proofs hold")
    return 0


def prove(folder: Path) -> int:
    """Run every proof in an empty folder, and return how many there were."""
    distributions = all_distributions()
    wheels, sdists = build(folder / "build", distributions)
    from_wheels = Proofs(folder / "from-wheels", wheels)
    from_sdists = Proofs(folder / "from-sdists", sdists)
    steps: list[tuple[str, Callable[[], None]]] = [
        *((f"{one.name}: the wheel", partial(check_wheel, one, wheels[one.name])) for one in distributions),
        *((f"{one.name}: the sdist", partial(check_sdist, one, sdists[one.name])) for one in distributions),
        ("the source distributions become the same wheels", partial(check_rebuilt, folder, wheels, sdists)),
        ("ezmsg-graphserver alone serves, ezmsg-control alone reads a snapshot", from_wheels.serve_and_read),
        ("ezmsg-protocol alone turns the bytes of a snapshot into a report", from_wheels.report),
        ("ezmsg-control[trace] writes a trace for Perfetto, and without it says so", from_wheels.write_trace),
        ("ezmsg-core alone runs the demo's graph", from_wheels.run_demo),
        ("its `ezmsg` command has all verbs", from_wheels.run_command),
        ("the root of the checkout refuses to be installed, and says what can be", partial(check_root, folder)),
        ("README: one line installs everything from a checkout", partial(check_line, folder, FROM_CHECKOUT)),
        ("README: one line installs everything from wheels", partial(check_line, folder, FROM_WHEELS, wheels)),
        ("ezmsg-tui alone has its command", from_wheels.run_tui),
        ("ezmsg-util alone writes the profiler's file", from_wheels.profile),
        ("ezmsg-zenoh alone brings messages to who asks for it", from_wheels.send_over_zenoh),
        ("ezmsg is the core, the command and util, with a version that `ezmsg>=3.10` takes", from_wheels.umbrella),
        ("packages made for ezmsg 3 leave it as it is", from_wheels.keep_ours),
        ("the public package over ours is found, by an import and by the doctor", from_wheels.find_mixed),
        ("all from source distributions work", from_sdists.run_all),
    ]
    for title, step in steps:
        began = time.monotonic()
        step()
        print(f"ok  {title}  ({time.monotonic() - began:.1f} s)", flush=True)
    return len(steps)


def build(folder: Path, distributions: Iterable[Distribution]) -> tuple[dict[str, Path], dict[str, Path]]:
    """Build a wheel and a source distribution of each; return both by the distribution's name."""
    distributions = list(distributions)
    archives = folder / "archives"
    archives.mkdir(parents=True)
    builder = Builder(folder / "environment", distributions)
    wheels = {one.name: builder.build(one.folder, "wheel", archives) for one in distributions}
    sdists = {one.name: builder.build(one.folder, "sdist", archives) for one in distributions}
    print(f"ok  {len(wheels)} wheels and {len(sdists)} source distributions are built", flush=True)
    return wheels, sdists


def check_rebuilt(folder: Path, wheels: dict[str, Path], sdists: dict[str, Path]) -> None:
    """Build wheels out of the source distributions: they must be the wheels that there are, byte for byte."""
    builder = Builder(folder / "rebuild", all_distributions())
    for name, sdist in sdists.items():
        into = folder / "rebuilt" / name
        into.mkdir(parents=True)
        again = builder.rebuild(sdist, into)
        require(wheel_files(again) == wheel_files(wheels[name]), f"{sdist.name} gives another {again.name}")


class Proofs:
    """What must work in environments filled from one kind of archives."""

    def __init__(self, folder: Path, archives: dict[str, Path]) -> None:
        folder.mkdir(parents=True)
        self._folder = folder
        self._archives = archives
        self._snapshot = folder / "one.snapshot"
        # Siblings come from here, whatever an index has under their names; a constraint by itself adds nothing.
        self._constraints = folder / "constraints.txt"
        lines = [f"{name} @ {path.resolve().as_uri()}\n" for name, path in archives.items()]
        self._constraints.write_text("".join(lines), encoding="utf-8")

    def serve_and_read(self) -> None:
        server = self._environment("ezmsg-graphserver", brings={"ezmsg-protocol"}, never={"numpy"})
        extras = {"numpy", "cyclopts", "perfetto", "rich"}
        control = self._environment("ezmsg-control", brings={"ezmsg-protocol"}, never=extras)
        server.python("-c", _ABSENT, "numpy", "ezmsg.core", "ezmsg.control")
        control.python("-c", _ABSENT, "numpy", "ezmsg.core", "ezmsg.graphserver")
        server.run("ezmsg-graphserver", "--help")
        with server.running("-m", "ezmsg.graphserver", "--address", "127.0.0.1:0") as process:
            assert process.stderr is not None
            line = process.stderr.readline()
            require("ready at 127.0.0.1:" in line, f"the server's first line is {line!r}")
            control.python("-c", _TAKE_SNAPSHOT, line.split()[-1], str(self._snapshot))
            process.send_signal(signal.SIGTERM)
            began = time.monotonic()
            status = process.wait()
            took = time.monotonic() - began
            require(status == 0, f"the server ended with {status}:\n{process.stderr.read()}")
            require(took < END_S, f"the server took {took:.1f} s to end")

    def write_trace(self) -> None:
        control = Environment(self._folder / "ezmsg-control")
        said = control.python("-c", _WRITE_TRACE)
        require("pip install 'ezmsg-control[trace]'" in said, f"without the extra it says {said!r}")
        control.install([self._ours("ezmsg-control[trace]")], self._constraints)
        said = control.python("-c", _WRITE_TRACE)
        require(said == "a trace\n", f"with the extra it says {said!r}")

    def report(self) -> None:
        environment = self._environment("ezmsg-protocol", brings=set(), never={"numpy"})
        environment.python("-c", _ABSENT, "numpy", "ezmsg.core", "ezmsg.graphserver", "ezmsg.control")
        report = environment.python(str(REPORT), str(self._snapshot))
        require("1 session, 0 units, 1 edge" in report, f"the report begins wrongly:\n{report}")
        require("SOURCE/OUT -> SINK/IN" in report, f"the report lacks its edge:\n{report}")

    def run_demo(self) -> None:
        siblings = {"ezmsg-protocol", "ezmsg-graphserver", "ezmsg-control"}
        core = self._environment("ezmsg-core", brings=siblings, never={"textual"})
        check_demo(core.python("-m", "ezmsg.core", *DEMO))

    def run_command(self) -> None:
        core = Environment(self._folder / "ezmsg-core")
        verbs = core.run("ezmsg", "--help")
        missing = [verb for verb in VERBS if verb not in verbs]
        require(not missing, f"`ezmsg --help` does not know {missing}:\n{verbs}")
        versions = core.run("ezmsg", "--version").splitlines()
        require(len(versions) == 4, f"`ezmsg --version` says {versions}")
        check_demo(core.run("ezmsg", *DEMO))

    def run_tui(self) -> None:
        siblings = {"ezmsg-protocol", "ezmsg-control"}
        tui = self._environment("ezmsg-tui", "ezmsg-control[cli]", brings=siblings, never={"aiohttp", "numpy"})
        self._check_tui(tui)

    def profile(self) -> None:
        siblings = {"ezmsg-protocol", "ezmsg-graphserver", "ezmsg-control", "ezmsg-core"}
        util = self._environment("ezmsg-util", brings=siblings, never={"textual"})
        log = self._folder / "profile.csv"
        util.python("-c", _PROFILE, str(log))
        header, *lines = log.read_text(encoding="utf-8").splitlines()
        require(header.startswith("Time,Source,") and len(lines) == 1, f"the profiler wrote {[header, *lines]}")

    def send_over_zenoh(self) -> None:
        siblings = {"ezmsg-protocol", "ezmsg-graphserver", "ezmsg-control", "ezmsg-core"}
        zenoh = self._environment("ezmsg-zenoh", brings=siblings, never={"textual"})
        said = zenoh.python("-c", _OVER_ZENOH)
        require(said == "ZENOH heard\n", f"the program over Zenoh says {said!r}")
        said = zenoh.run("ezmsg", "zenoh", "config", "--router", "lab")
        require('mode: "router"' in said, f"`ezmsg zenoh config` says {said!r}")

    def umbrella(self) -> None:
        siblings = set(self._archives) - {"ezmsg-tui", "ezmsg-zenoh"}
        umbrella = self._environment("ezmsg", brings=siblings, never={"textual", "xarray", "pydantic"})
        version = umbrella.python("-c", "import importlib.metadata as m; print(m.version('ezmsg'))").strip()
        require(version.partition(".")[0] == "4", f"the version of the distribution ezmsg is {version!r}")
        check_demo(umbrella.run("ezmsg", *DEMO))

    def keep_ours(self) -> None:
        umbrella = Environment(self._folder / "ezmsg")
        before = umbrella.installed()
        umbrella.install(MADE_FOR_EZMSG_3)
        after = umbrella.installed()
        changed = {name for name, origin in before.items() if after.get(name) != origin}
        require(not changed, f"{MADE_FOR_EZMSG_3} replaced {sorted(changed)}")
        require(set(MADE_FOR_EZMSG_3) <= set(after), f"{MADE_FOR_EZMSG_3} are not among {sorted(after)}")
        umbrella.python("-c", _OURS_IS_WHOLE, *self._archives)

    def find_mixed(self) -> None:
        """Lay the public wheel over ours, which nobody should; the umbrella's environment is lost with that."""
        mixed = Environment(self._folder / "ezmsg")
        said = mixed.ends("-m", "ezmsg.control", "doctor", status=0)
        require("what is installed is whole and fits" in said, f"before that, the doctor says {said!r}")
        mixed.install([f"ezmsg=={PUBLIC}"])
        said = mixed.ends("-c", "import ezmsg.core", status=1)
        require("EZ-4401  The public ezmsg" in said.splitlines()[-1], f"an import of both says {said!r}")
        said = mixed.ends("-m", "ezmsg.control", "doctor", status=1)
        over = f'"ezmsg" {PUBLIC}, the public package, is installed over ezmsg-core'
        require(over in said, f"the doctor says {said!r}")
        self._mend(mixed, said)

    def _mend(self, mixed: Environment, advice: str) -> None:
        """Do what the doctor has said, with wheels; then all is there, the command too."""
        line = next(line for line in advice.splitlines() if "pip uninstall ezmsg && " in line)
        again = re.findall(r"\./packages/([\w-]+)", line)
        require(set(again) >= {"ezmsg", "ezmsg-control", "ezmsg-core"}, f"the doctor says {advice!r}")
        mixed.uninstall(["ezmsg"])
        mixed.install(["--force-reinstall", "--no-deps", *(str(self._archives[name]) for name in again)])
        said = mixed.ends("-m", "ezmsg.control", "doctor", status=0)
        require("what is installed is whole and fits" in said, f"after its advice, the doctor says {said!r}")
        require("ezmsg graph" in mixed.run("ezmsg", "graph", "--help"), "the command is not ours")

    def run_all(self) -> None:
        ours = ("ezmsg-tui", "ezmsg-zenoh", "ezmsg-util", "ezmsg-core", "ezmsg-control[cli]", "ezmsg")
        environment = self._environment(*ours, brings=set(self._archives), never=set())
        environment.run("ezmsg-graphserver", "--help")
        check_demo(environment.run("ezmsg", *DEMO))
        self._check_tui(environment)

    def _environment(self, *requirements: str, brings: set[str], never: set[str]) -> Environment:
        """Install into an empty environment; exactly these siblings must come with it, and from our archives."""
        ours = [self._ours(one) for one in requirements]
        environment = Environment.make(self._folder / requirements[0], ours, self._constraints)
        installed = environment.installed()
        siblings = {name: origin for name, origin in installed.items() if name.startswith("ezmsg")}
        expected = {requirements[0], *brings}
        require(set(siblings) == expected, f"{requirements[0]} came with {sorted(siblings)}")
        foreign = [name for name, origin in siblings.items() if origin != self._archives[name].resolve().as_uri()]
        require(not foreign, f"these are not the ones that were built: {foreign}")
        unwanted = never & set(installed)
        require(not unwanted, f"{requirements[0]} brought {sorted(unwanted)}")
        return environment

    def _ours(self, requirement: str) -> str:
        """Say where a distribution is, too: pip takes no extra for one that only a constraint places."""
        return f"{requirement} @ {self._archives[requirement.partition('[')[0]].resolve().as_uri()}"

    def _check_tui(self, environment: Environment) -> None:
        version = environment.run("ezmsg-tui", "--version")
        require(version.startswith("ezmsg-tui "), f"`ezmsg-tui --version` says {version!r}")
        helped = environment.run("ezmsg-tui", "--help")
        require("--address" in helped, f"`ezmsg-tui --help` says {helped!r}")
        verb = environment.run("ezmsg", "top", "--help")
        require("--once" in verb, f"`ezmsg top --help` says {verb!r}")
        environment.python("-c", "import ezmsg.tui.app, ezmsg.tui.summary")


def check_root(folder: Path) -> None:
    """Try to install a copy of the checkout's root: it must be refused in words, and nothing may be left there."""
    checkout = copy_checkout(folder / "root")
    before = files_of(checkout)
    environment = Environment.make(folder / "for-root", [])
    for arguments in (["."], ["--editable", "."]):
        try:
            environment.install(arguments, cwd=checkout)
        except CheckFailed as error:
            require("pip install -r requirements.txt" in str(error), f"the root refuses without advice: {error}")
        else:
            raise CheckFailed(f"the root could be installed with {arguments}")
    require(files_of(checkout) == before, "trying to install the root has left files in it")


def files_of(folder: Path) -> set[Path]:
    """Return everything in a folder but what Python keeps there of any module that it imports."""
    return {path for path in folder.rglob("*") if "__pycache__" not in path.parts}


def check_line(folder: Path, line: str, wheels: Mapping[str, Path] | None = None) -> None:
    """Do what a line of the README says, in a copy of the checkout, and use what it installs."""
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    require(f"$ pip install {line}\n" in readme, f"the README does not say `pip install {line}`")
    place = folder / ("line-for-wheels" if wheels else "line-for-checkout")
    checkout = copy_checkout(place / "checkout")
    for wheel in (wheels or {}).values():
        (checkout / "dist").mkdir(exist_ok=True)
        shutil.copy(wheel, checkout / "dist")
    words = line.split()
    if words[-1].endswith("*.whl"):  # the shell's part
        words[-1:] = map(str, sorted(checkout.glob(words[-1])))
    environment = Environment.make(place / "environment", [])
    environment.install(words, cwd=checkout)
    found = {name for name in environment.installed() if name.startswith("ezmsg")}
    expected = {one.name for one in all_distributions()}
    require(found == expected, f"`pip install {line}` installs {sorted(found)}")
    check_demo(environment.run("ezmsg", *DEMO))


def copy_checkout(into: Path) -> Path:
    """Copy what pip needs of the checkout."""
    into.mkdir(parents=True)
    for name in ("pyproject.toml", "requirements.txt"):
        shutil.copy(ROOT / name, into)
    caches = shutil.ignore_patterns("__pycache__", "*.pyc")
    shutil.copytree(ROOT / "scripts" / "packaging", into / "scripts" / "packaging", ignore=caches)
    shutil.copytree(ROOT / "packages", into / "packages", ignore=caches)
    return into


def check_demo(output: str) -> None:
    """Read the demo's JSON lines: about forty beats in twenty seconds, and no sample lost."""
    *beats, last = [json.loads(line) for line in output.splitlines()]
    summary = last["summary"]
    require(len(beats) == summary["beats"], f"{len(beats)} beats were shown, and the summary is {summary}")
    require(summary["beats"] in DEMO_BEATS, f"the demo found {summary['beats']} beats")
    samples = (summary["samples_in"], summary["samples_out"])
    require(samples == (DEMO_SAMPLES, DEMO_SAMPLES), f"samples in and out are {samples}")


if __name__ == "__main__":
    sys.exit(main())
