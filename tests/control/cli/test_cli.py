"""The ``ezmsg`` command as a user runs it: output, notes and exit codes."""

import asyncio
import json
import os
import socket
import subprocess
import sys
import threading
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any

import pytest

from ezmsg.control import GraphService, acquire, release
from ezmsg.control.cli import main
from ezmsg.control.cli.exits import told
from ezmsg.protocol.addresses import Address
from ezmsg.protocol.errors import ServerUnreachable

HANG = 30.0
FULL = Path("/dev/full")


def ezmsg(*arguments: str, path: Path | None = None, **variables: str) -> subprocess.CompletedProcess[str]:
    """Run the command in a process of its own; ``path`` is searched for modules and distributions first."""
    environment = {**os.environ, **variables}
    environment.pop("EZMSG_INSECURE", None)  # the real servers announce their tokens
    if path is not None:
        environment["PYTHONPATH"] = str(path)
    code = "import sys; from ezmsg.control.cli import main; sys.exit(main())"
    command = [sys.executable, "-c", code, *arguments]
    return subprocess.run(command, env=environment, capture_output=True, text=True, timeout=HANG, check=False)


@pytest.fixture
def address(server: Any) -> str:
    """A server with four edges, two of which meet again."""

    async def connect() -> None:
        service = GraphService(server.address)
        for edge in (("A", "B"), ("A", "C"), ("B", "D"), ("C", "D"), ("D", "E")):
            await service.connect(*edge)

    asyncio.run(connect())
    return str(server.address)


def test_graph(address: str) -> None:
    done = ezmsg("graph", "--address", address)
    assert done.returncode == 0
    assert done.stdout.splitlines() == [
        "A",
        "-> B  (persistent)",
        "   -> D  (persistent)",
        "      -> E  (persistent)",
        "-> C  (persistent)",
        "   -> D  (persistent)  (see above)",
    ]
    assert done.stderr == f"5 edges at {address}\n"


@pytest.mark.parametrize("encoding", ["cp1252", "ascii"])
def test_a_topic_that_the_output_cannot_hold_is_escaped(server: Any, encoding: str) -> None:
    asyncio.run(GraphService(server.address).connect("A/\u2192", "B"))
    done = ezmsg("graph", "--address", str(server.address), PYTHONIOENCODING=encoding)
    assert (done.returncode, done.stdout.splitlines()[0]) == (0, r"A/\u2192")


def test_graph_as_json(address: str) -> None:
    done = ezmsg("graph", "--json", EZMSG_GRAPHSERVER_ADDR=address)
    assert (done.returncode, done.stderr) == (0, "")
    (line,) = done.stdout.splitlines()
    graph = json.loads(line)
    assert graph["$schema"] == "ezmsg.graph/1"
    assert graph["server"] == address
    assert graph["edges"][0] == {"from": "A", "to": "B", "owners": ["persistent"]}
    assert len(graph["edges"]) == 5


def test_snapshot(address: str) -> None:
    done = ezmsg("snapshot", "--address", address)
    assert done.returncode == 0
    assert done.stdout.startswith("5 topics, 5 edges, 0 sessions, 0 processes\n")
    done = ezmsg("snapshot", "--json", "--address", address)
    assert done.returncode == 0
    taken = json.loads(done.stdout)
    assert taken["$schema"] == "ezmsg.snapshot/1"
    assert taken["graph"]["A"] == ["B", "C"]
    assert taken["edge_owners"][0] == ["A", "B", ["persistent"]]


def test_shutdown(server: Any) -> None:
    done = ezmsg("shutdown", "--address", str(server.address))
    assert (done.returncode, done.stdout) == (0, "")
    assert "has ended" in done.stderr
    server.join(HANG)
    assert not server.is_alive()


def test_nobody_there() -> None:
    done = ezmsg("graph", "--address", "127.0.0.1:1")
    assert (done.returncode, done.stdout) == (3, "")
    assert done.stderr.startswith("ezmsg: EZ-3001  No graph server answers at 127.0.0.1:1: Connection refused.")
    assert "Traceback" not in done.stderr


def test_who_has_no_server_is_told_how_to_get_one_if_one_is_wanted() -> None:
    asked, ended = (ezmsg(verb, "--address", "127.0.0.1:1") for verb in ("graph", "shutdown"))
    assert "Start your program, which brings a server of its own, or try one with `ezmsg demo`" in asked.stderr
    assert (ended.returncode, ended.stdout) == (3, "")
    assert ended.stderr == (
        "ezmsg: EZ-3001  No graph server answers at 127.0.0.1:1: Connection refused. There is nothing to end.\n"
    )


def test_the_wrong_token(address: str) -> None:
    done = ezmsg("snapshot", "--address", address, EZMSG_TOKEN="wrong")
    assert (done.returncode, done.stdout) == (4, "")
    assert done.stderr.startswith("ezmsg: EZ-3003  ")
    assert "wrong" not in done.stderr


class Silent(BaseHTTPRequestHandler):
    def log_message(self, *_: object) -> None:
        pass


def test_a_port_of_http_is_called_one() -> None:
    """One that says nothing until it is asked in its own way; one that refuses at once is in test_client."""
    with HTTPServer(("127.0.0.1", 0), Silent) as http:
        threading.Thread(target=http.serve_forever).start()
        try:
            done = ezmsg("graph", "--address", f"127.0.0.1:{http.server_port}", "--timeout", "0.3")
        finally:
            http.shutdown()
    assert (done.returncode, done.stdout) == (3, "")
    assert "what listens there is no graph server (it answers in HTTP)." in done.stderr


def test_no_name_steers_the_terminal(server: Any) -> None:
    asyncio.run(GraphService(server.address).connect("A\u202e", "B\u2066"))
    told = [ezmsg(verb, "--address", str(server.address)) for verb in ("graph", "snapshot")]
    assert told[0].stdout == "A\\u202e\n-> B\\u2066  (persistent)\n"
    assert told[1].returncode == 0
    done = ezmsg("settings", "get", "\x1b[31m", "--address", str(server.address))
    assert done.returncode == 2
    assert "\x1b" not in done.stderr


def test_one_is_not_two(server: Any) -> None:
    asyncio.run(GraphService(server.address).connect("A", "B"))
    assert ezmsg("graph", "--address", str(server.address)).stderr.startswith("1 edge at ")
    assert ezmsg("snapshot", "--address", str(server.address)).stdout.startswith("2 topics, 1 edge, 0 sessions,")


def test_an_edge_to_a_topic_that_nobody_has_told_of_is_set_and_told(address: str) -> None:
    asyncio.run(GraphService(Address.from_string(address)).connect("SINE/OUTPUT", "A"))
    done = ezmsg("graph", "connect", "SINE/OUTPT", "VIEWER", "--address", address)
    assert (done.returncode, done.stdout) == (0, "SINE/OUTPT -> VIEWER   connected\n")
    assert done.stderr == (
        "! No unit has a topic SINE/OUTPT yet; is SINE/OUTPUT meant?\n! No unit has a topic VIEWER yet.\n"
    )
    done = ezmsg("graph", "connect", "SINE/OUTPUT", "E", "--address", address)
    assert done.stderr == ""
    done = ezmsg("graph", "disconnect", "SINE/OUTPT", "VIEWER", "--address", address)
    assert done.stderr == ""


def test_nothing_is_suggested_that_is_not_installed(monkeypatch: pytest.MonkeyPatch) -> None:
    error = ServerUnreachable(address="127.0.0.1:1", reason="refused")
    assert "`ezmsg demo`" in told(error)
    assert "ezmsg.graphserver" in told(error)
    monkeypatch.setattr("ezmsg.control.cli.exits.known_verbs", dict)
    monkeypatch.setattr("ezmsg.control.cli.exits.find_spec", lambda _: None)
    assert told(error).endswith("Start your program, which brings a server of its own.")
    monkeypatch.setattr("ezmsg.protocol.errors.link.find_spec", lambda _: None)
    assert str(error).endswith("where ezmsg-graphserver is installed, which it is not here.")


@pytest.mark.parametrize(
    "verb",
    [
        *(["graph"], ["snapshot"], ["shutdown"], ["process"], ["process", "ping"], ["process", "stacks"]),
        *(["profile", "snapshot"], ["profile", "blame"], ["profile", "trace"], ["demo"]),
        *(["settings", name] for name in ("list", "get", "set", "describe", "watch")),
    ],
    ids=" ".join,
)
def test_the_help_of_a_verb_has_an_example(verb: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert main([*verb, "--help"]) == 0
    said = capsys.readouterr().out
    assert any(line.startswith(f"ezmsg {verb[0]}") for line in said.splitlines()), said


def test_no_answer_in_time() -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        done = ezmsg("graph", "--address", f"127.0.0.1:{silent.getsockname()[1]}", "--timeout", "0.1")
    assert (done.returncode, done.stdout) == (5, "")
    assert done.stderr.startswith("ezmsg: EZ-3007  ")


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["graph", "--address", "nowhere"], "EZ-3006"),
        (["graph", "--nonsense"], "--nonsense"),
        (["graph", "--timeout", "soon"], "soon"),
        (["graph", "--timeout", "0"], "for --timeout. Give it a finite number of seconds above 0."),
        (["snapshot", "--timeout", "-1"], "for --timeout. Give it"),
        (["shutdown", "--timeout", "nan"], "for --timeout. Give it"),
        (["settings", "get", "A", "--timeout", "inf"], "for --timeout. Give it"),
        (["settings", "sett", "A", "b=1", "--expect", "7"], "mean: ezmsg settings set A b=1 --expect 7? Its"),
        (["topic", "eco", "A/B"], "ezmsg topic has no verb 'eco'. Did you mean: ezmsg topic echo A/B? Its"),
        (["graph", "connct", "A", "B C"], "Did you mean: ezmsg graph connect A 'B C'? Its verbs: connect, "),
        (["unit", "A/B"], "no verb 'A/B'. Did you mean: ezmsg unit info A/B? Its verbs: info, list. See: "),
        (["settings", "A/B"], "Did you mean: ezmsg settings get A/B? Its verbs: apply,"),
        (["settings", "--json", "sett"], "Did you mean: ezmsg settings set? Its verbs: apply,"),
        (["session", "A/B"], "ezmsg session has no verb 'A/B'. Its verbs: drop, list. See: ezmsg session --help"),
        (["profile", "blam", "A"], 'Did you mean "blame"'),
        (["doctor", "A/B"], "ezmsg doctor takes no 'A/B'. See: ezmsg doctor --help"),
        (["settings", "get", "A", "b"], "ezmsg settings get takes no 'b'. See: ezmsg settings get --help"),
        (["profile", "trace", "-o", "x", "--sample-mod", "0", "--address", "127.0.0.1:1"], "--sample-mod"),
        (["grahp"], 'Did you mean "graph"'),
    ],
)
def test_wrong_usage(arguments: list[str], said: str) -> None:
    done = ezmsg(*arguments)
    assert (done.returncode, done.stdout) == (2, "")
    assert said in done.stderr
    assert "Traceback" not in done.stderr


def test_help_and_version() -> None:
    done = ezmsg("--help")
    assert done.returncode == 0
    assert all(verb in done.stdout for verb in ("graph", "snapshot", "shutdown"))
    done = ezmsg()
    assert (done.returncode, done.stdout) == (2, "")
    assert "snapshot" in done.stderr
    done = ezmsg("--version")
    assert done.returncode == 0
    assert done.stdout.startswith("ezmsg-control 0.1.0\nezmsg")
    done = ezmsg("graph", "--help")
    assert done.returncode == 0
    assert "--timeout" in done.stdout


def test_no_verb_of_ours_needs_the_data_plane() -> None:
    code = (
        "import sys; from ezmsg.control.cli import main; main(['graph', '--help']); print('numpy' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=HANG, check=True)
    assert done.stdout.splitlines()[-1] == "False"


@pytest.mark.parametrize("arguments", [["--help"], ["-h"], []])
def test_help_loads_neither_a_parser_nor_a_verb(arguments: list[str]) -> None:
    slow = ("cyclopts", "rich", "attr", "asyncio", "ezmsg.protocol.model", "email", "typing")
    code = (
        f"import sys; from ezmsg.control.cli import main; main({arguments}); "
        f"print([name for name in {slow} if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=HANG, check=True)
    assert done.stdout.splitlines()[-1] == "[]"


def test_help_says_of_each_verb_what_its_own_help_says() -> None:
    overview = ezmsg("--help").stdout
    for verb in ("graph", "process", "profile", "settings", "shutdown", "snapshot"):
        (said,) = [line.split(maxsplit=1)[1] for line in overview.splitlines() if line.split()[:1] == [verb]]
        assert said in " ".join(ezmsg(verb, "--help").stdout.split())


# --- verbs of other distributions -----------------------------------------------------------------------


@pytest.fixture
def others(tmp_path: Path) -> Path:
    """A distribution that adds verbs: one good, one that raises, one broken, one that tries to take ours."""
    (tmp_path / "others.py").write_text(
        "from ezmsg.protocol.errors import CyclicException\n"
        "def greet(name: str, *, times: int = 1) -> int:\n"
        '    """Greet somebody."""\n'
        "    print('hello', name, times)\n"
        "    return 7\n"
        "def refuse() -> int:\n"
        '    """Refuse."""\n'
        "    raise CyclicException(from_topic='A', to_topic='B', path=['B', 'A'])\n"
        "def interrupt() -> int:\n"
        '    """Be interrupted."""\n'
        "    raise KeyboardInterrupt\n",
        encoding="utf-8",
    )
    info = tmp_path / "others-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: others\nVersion: 1.0\n", encoding="utf-8")
    (info / "entry_points.txt").write_text(
        "[ezmsg.commands]\ngreet = others:greet\nrefuse = others:refuse\ninterrupt = others:interrupt\n"
        "broken = no_such_module:verb\ngraph = others:greet\n",
        encoding="utf-8",
    )
    return tmp_path


def test_a_verb_of_another_distribution(others: Path) -> None:
    done = ezmsg("greet", "you", "--times", "2", path=others)
    assert (done.returncode, done.stdout, done.stderr) == (7, "hello you 2\n", "")


def test_its_errors_are_told_like_ours(others: Path) -> None:
    done = ezmsg("refuse", path=others)
    assert (done.returncode, done.stdout) == (4, "")
    assert done.stderr.startswith("ezmsg: EZ-2003  A -> B would close a cycle")
    assert ezmsg("interrupt", path=others).returncode == 130


def test_a_broken_verb_harms_nobody(others: Path) -> None:
    done = ezmsg("--help", path=others)
    assert done.returncode == 0
    assert "greet" in done.stdout
    assert "the verb 'broken' of others does not work: ModuleNotFoundError" in done.stderr
    done = ezmsg("broken", path=others)
    assert (done.returncode, done.stdout) == (1, "")
    assert "no_such_module" in done.stderr
    assert ezmsg("greet", "you", path=others).stderr == ""


def test_our_verbs_cannot_be_taken(others: Path) -> None:
    assert ezmsg("graph", "--address", "127.0.0.1:1", path=others).returncode == 3


# --- the edges ------------------------------------------------------------------------------------------


def test_without_its_extra(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setitem(sys.modules, "cyclopts", None)
    assert main(["graph"]) == 2
    said = capsys.readouterr()
    assert said.out == ""
    assert said.err == "The ezmsg command needs its own extra. Install it with: pip install 'ezmsg-control[cli]'\n"


def test_a_reader_that_has_had_enough(server: Any) -> None:
    async def connect() -> None:
        connection = await acquire(server.address)  # so that the service need not open one each time
        service = GraphService(server.address)
        for n in range(1000):
            await service.connect("A" * 100, f"{n:0100}")
        await release(connection)

    asyncio.run(connect())
    code = "import sys; from ezmsg.control.cli import main; sys.exit(main())"
    command = [sys.executable, "-c", code, "graph", "--address", str(server.address)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        process.stdout.readline()
        process.stdout.close()
        assert process.stderr is not None
        assert "Traceback" not in process.stderr.read()
        assert process.wait(HANG) == 1


@pytest.mark.skipif(not FULL.exists(), reason="only Linux has a device that is always full")
@pytest.mark.parametrize("arguments", [["graph"], ["graph", "--json"], ["snapshot"], ["graph", "--help"]])
def test_output_that_cannot_be_written_is_one_sentence(address: str, arguments: list[str]) -> None:
    code = "import sys; from ezmsg.control.cli import main; sys.exit(main())"
    environment = {**os.environ, "EZMSG_GRAPHSERVER_ADDR": address}
    with FULL.open("w", encoding="utf-8") as full:
        done = subprocess.run(
            [sys.executable, "-c", code, *arguments],
            stdout=full,
            stderr=subprocess.PIPE,
            env=environment,
            text=True,
            timeout=HANG,
            check=False,
        )
    assert done.returncode == 1
    assert done.stderr.splitlines()[-1] == "ezmsg: The output ends here: No space left on device."
    assert "Traceback" not in done.stderr
    assert "Exception ignored" not in done.stderr


def test_output_that_was_closed_before_is_no_fault(address: str) -> None:
    code = "import sys; sys.stdout = None; from ezmsg.control.cli import main; sys.exit(main())"
    command = [sys.executable, "-c", code, "graph", "--address", address]
    done = subprocess.run(command, capture_output=True, text=True, timeout=HANG, check=False)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", f"5 edges at {address}\n")


@pytest.mark.parametrize(
    ("verb", "owner"),
    [("top", "ezmsg-tui"), ("run", "ezmsg-core"), ("perf", "ezmsg-util"), ("zenoh", "ezmsg-zenoh")],
)
def test_a_verb_whose_distribution_is_absent_names_it(
    verb: str, owner: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("ezmsg.control.cli.verbs.installed", lambda _: {})
    assert main([verb, "--once"]) == 1
    told = capsys.readouterr()
    assert told.out == ""
    assert told.err == f"ezmsg: {verb} is a verb of {owner}, which is not installed: pip install {owner}\n"


def test_echo_without_the_core_names_it() -> None:
    code = (
        "import sys, ezmsg.protocol.surroundings.entry_points as e; e.installed = lambda _: {};"
        "from ezmsg.control.cli import main; sys.exit(main(['topic', 'echo', 'A', '--count', '1']))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=HANG, check=False)
    assert (done.returncode, done.stdout) == (1, "")
    assert "pip install ezmsg-core" in done.stderr


def test_a_mistake_of_a_verb_is_a_sentence_and_with_debug_a_traceback(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def fail(**_: Any) -> int:
        raise RuntimeError("odd")

    monkeypatch.setattr("ezmsg.control.cli.snapshot.snapshot", fail)
    assert main(["snapshot"]) == 1
    told = capsys.readouterr()
    assert told.out == ""
    assert told.err == (
        "ezmsg: The command met a mistake that is not yours: RuntimeError: odd. All of it: ezmsg --debug VERB ...\n"
    )
    with pytest.raises(RuntimeError, match="odd"):
        main(["--debug", "snapshot"])
