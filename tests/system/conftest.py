"""Programs as their users start them: in processes of their own, watched from outside, and nothing left behind."""

import contextlib
import os
import shutil
import signal
import subprocess
import sys
import textwrap
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from uuid import uuid4

import psutil
import pytest
from tests.ports import unused_port

HANG = 30.0
PROGRAMS = Path(__file__).parent / "programs"
MARK = "EZMSG_TEST_PROGRAM"

NEVER_SAID = ("Task was destroyed", "never awaited", "Exception ignored", "resource_tracker", "Fatal Python error")
"""What no program may say, however it ends: somebody has not cleaned up."""


class Program:
    """A process and all that descend from it, with what they write."""

    def __init__(self, command: list[str], environment: dict[str, str], folder: Path, *, stdin: int | None) -> None:
        self.mark = uuid4().hex
        self.folder = folder
        self.out: list[str] = []
        self.err: list[str] = []
        self._changed = threading.Condition()
        self._sockets: set[str] = set()
        self._shared: set[Path] = set()
        self.process = subprocess.Popen(
            command,
            env={**environment, MARK: self.mark},
            stdin=stdin,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            start_new_session=True,
        )
        self._readers = [
            threading.Thread(target=self._read, args=(self.process.stdout, self.out)),
            threading.Thread(target=self._read, args=(self.process.stderr, self.err)),
        ]
        for reader in self._readers:
            reader.start()

    @property
    def pid(self) -> int:
        return self.process.pid

    @property
    def errors(self) -> str:
        return "".join(self.err)

    def says(self, beginning: str, times: int = 1) -> list[str]:
        """Wait for lines of standard output that begin like this, and return the words of the last."""
        with self._changed:
            lines: list[str] = []

            def there() -> bool:
                lines[:] = [line for line in self.out if line.startswith(beginning)]
                return len(lines) >= times or self._ended()

            assert self._changed.wait_for(there, HANG), f"no {beginning!r} came\n{self.story()}"
            assert len(lines) >= times, f"it ended without {beginning!r}\n{self.story()}"
            return lines[times - 1].split()

    def complains(self, words: str) -> str:
        """Wait for a line of standard error that has these words, and return it."""
        with self._changed:
            lines: list[str] = []

            def there() -> bool:
                lines[:] = [line for line in self.err if words in line]
                return bool(lines) or self._ended()

            assert self._changed.wait_for(there, HANG), f"no {words!r} came\n{self.story()}"
            assert lines, f"it ended without {words!r}\n{self.story()}"
            return lines[0]

    def signal(self, number: signal.Signals, *, group: bool = False) -> None:
        """Send a signal to the program, or, as a terminal does, to all its processes."""
        self.note_belongings()
        if group:
            os.killpg(self.pid, number)
        else:
            self.process.send_signal(number)

    def ends(self, limit_s: float = HANG) -> int:
        """Wait for the end, see that nothing is left, and return the exit status as a shell has it."""
        try:
            status = self.process.wait(limit_s)
        except subprocess.TimeoutExpired:
            pytest.fail(f"it does not end\n{self.story()}")
        self.leaves_nothing()
        for reader in self._readers:
            reader.join(HANG)
        said = [words for words in NEVER_SAID if words in self.errors]
        assert not said, f"it said {said}\n{self.story()}"
        return status if status >= 0 else 128 - status

    def note_belongings(self) -> None:
        """Remember the sockets and the shared memory it has now; :meth:`leaves_nothing` looks for them."""
        for process in self.processes():
            opened = _opened_files(process.pid)
            self._sockets |= {name[len("socket:[") : -1] for name in opened if name.startswith("socket:[")}
            shared = {Path(name) for name in opened if name.startswith(("/dev/shm/", str(self.folder)))}
            # The lock on an announcement; who is killed leaves the file, and the next server sweeps it.
            self._shared |= {path for path in shared if not path.match("server-*.json")}

    def leaves_nothing(self) -> None:
        """See that no process of the program is there any more, and none of its sockets and segments."""
        others = self.processes()
        _, alive = psutil.wait_procs(others, HANG)
        assert not alive, f"{alive} are still there\n{self.story()}"
        assert not self._lingering_sockets(), f"sockets are left\n{self.story()}"
        assert not [path for path in self._shared if path.exists()]
        assert not list(self.folder.rglob("*.segment"))

    def _lingering_sockets(self) -> set[str]:
        """Return which of its sockets are still there; those of killed processes may take a moment to go."""
        deadline_s = time.monotonic() + HANG
        while (left := self._sockets & _sockets_of_this_machine()) and time.monotonic() < deadline_s:
            time.sleep(0.05)
        return left

    def processes(self) -> list[psutil.Process]:
        """All its processes that live: those of its session, and those that have its environment."""
        found = []
        for process in psutil.process_iter():
            with contextlib.suppress(psutil.NoSuchProcess, psutil.AccessDenied, ProcessLookupError):
                if process.status() != psutil.STATUS_ZOMBIE and self._owns(process):
                    found.append(process)
        return found

    def kill(self) -> None:
        for process in self.processes():
            process.kill()
        self.process.kill()
        self.process.wait(HANG)
        for reader in self._readers:
            reader.join(HANG)
        for stream in (self.process.stdin, self.process.stdout, self.process.stderr):
            if stream is not None:
                with contextlib.suppress(BrokenPipeError):
                    stream.close()

    def story(self) -> str:
        return f"--- status {self.process.poll()}, output:\n{''.join(self.out)}--- errors:\n{self.errors}"

    def _owns(self, process: psutil.Process) -> bool:
        return os.getsid(process.pid) == self.pid or process.environ().get(MARK) == self.mark

    def _ended(self) -> bool:
        return not self._readers[0].is_alive() or (self.process.poll() is not None and not self.processes())

    def _read(self, stream: object, lines: list[str]) -> None:
        for line in stream:  # type: ignore[attr-defined]
            with self._changed:
                lines.append(line)
                self._changed.notify_all()
        with self._changed:
            self._changed.notify_all()


def _opened_files(pid: int) -> set[str]:
    """Return what a process has open or mapped, as Linux names it; elsewhere nothing."""
    opened = set()
    with contextlib.suppress(OSError):  # the process is gone, or this is no Linux
        folder = Path(f"/proc/{pid}")
        mapped = (line.split(maxsplit=5) for line in (folder / "maps").read_text(encoding="utf-8").splitlines())
        opened |= {words[5] for words in mapped if len(words) == 6}
        for descriptor in (folder / "fd").iterdir():
            with contextlib.suppress(FileNotFoundError):  # closed in between
                opened.add(str(descriptor.readlink()))
    return opened


def _sockets_of_this_machine() -> set[str]:
    """Return the numbers of all sockets of this machine that somebody holds; elsewhere than on Linux nothing."""
    numbers = set()
    for table, column in (("tcp", 9), ("tcp6", 9), ("unix", 6)):
        with contextlib.suppress(FileNotFoundError):
            _, *lines = Path(f"/proc/net/{table}").read_text(encoding="utf-8").splitlines()
            numbers |= {line.split()[column] for line in lines}
    return numbers - {"0"}


Start = Callable[..., Program]


@pytest.fixture
def environment(tmp_path: Path) -> dict[str, str]:
    """A user's environment in which no graph server of the developer's machine is seen."""
    folder = tmp_path / "run"
    folder.mkdir(mode=0o700)
    kept = {name: value for name, value in os.environ.items() if not name.startswith("EZMSG_")}
    paths = os.pathsep.join(filter(None, (str(PROGRAMS), os.environ.get("PYTHONPATH"))))
    return {
        **kept,
        "EZMSG_RUNTIME_DIR": str(folder),
        # Clients of a server that has ended try its port again for a while, and must not find another test's there.
        "EZMSG_SERVER_PORT_START": str(unused_port()),
        "PYTHONPATH": paths,
        "PYTHONWARNINGS": "error",
    }


@pytest.fixture
def start(tmp_path: Path, environment: dict[str, str], request: pytest.FixtureRequest) -> Iterator[Start]:
    """Start a program: its source, its arguments, and what its environment has besides."""
    programs: list[Program] = []

    def start_one(source: str, *arguments: str, stdin: int | None = subprocess.DEVNULL, **more: str) -> Program:
        path = tmp_path / f"program_{len(programs)}.py"
        path.write_text("from run_units import *\n" + textwrap.dedent(source), encoding="utf-8")
        command = [sys.executable, str(path), *arguments]
        programs.append(Program(command, {**environment, **more}, tmp_path / "run", stdin=stdin))
        return programs[-1]

    def start_module(*command: str, stdin: int | None = subprocess.DEVNULL, **more: str) -> Program:
        programs.append(Program(list(command), {**environment, **more}, tmp_path / "run", stdin=stdin))
        return programs[-1]

    start_one.command = start_module  # type: ignore[attr-defined]
    yield start_one
    for program in programs:
        program.kill()
        # Which is shown where the test has failed.
        request.node.add_report_section("teardown", "program", program.story())


@pytest.fixture
def machines() -> Iterator[list[str]]:
    """What lets a command run on either of two machines, at 10.0.0.1 and 10.0.0.2, which are network namespaces."""
    names = [f"ez{os.getpid()}{name}" for name in ("lab", "desk")]
    setting_up = [
        *(f"ip netns add {name}" for name in names),
        "ip link add {0}-v netns {0} type veth peer name {1}-v netns {1}".format(*names),
        *(f"ip -n {name} addr add 10.0.0.{i}/24 dev {name}-v" for i, name in enumerate(names, 1)),
        *(f"ip -n {name} link set {device} up" for name in names for device in ("lo", f"{name}-v")),
    ]
    if shutil.which("ip") is None:
        pytest.skip("there is no `ip` here")
    try:
        for command in setting_up:
            done = subprocess.run(command.split(), capture_output=True, text=True, check=False)
            if done.returncode:
                pytest.skip(f"there can be no network namespaces here: {done.stderr.strip()}")
        yield [f"ip netns exec {name}" for name in names]
    finally:
        for name in names:
            subprocess.run(["ip", "netns", "del", name], capture_output=True, check=False)


@pytest.fixture(scope="session", autouse=True)
def signals_are_not_ignored() -> Iterator[None]:
    """Let programs begin as at a terminal, also where the tests run in the background or under ``nohup``.

    What is ignored is inherited; what has a handler is not, which is why this one handles it.
    """
    ignored = [each for each in (signal.SIGINT, signal.SIGHUP) if signal.getsignal(each) is signal.SIG_IGN]
    for number in ignored:
        signal.signal(number, lambda *_: None)
    yield
    for number in ignored:
        signal.signal(number, signal.SIG_IGN)
