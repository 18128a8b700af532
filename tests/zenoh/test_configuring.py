"""``ezmsg zenoh config``: what it writes is taken by Zenoh, says what was asked for, and overwrites nothing."""

import json
from pathlib import Path
from typing import Any

import pytest
import zenoh
from hypothesis import given
from hypothesis import strategies as st
from tests.conftest import Laboratory

from ezmsg.control.cli import main
from ezmsg.protocol.addresses import Address
from ezmsg.protocol.wire.tls.files import TlsFiles
from ezmsg.zenoh.errors import reason_of
from ezmsg.zenoh.hosts.configuring import (
    ACCESS,
    Admission,
    client_configuration,
    peer_configuration,
    router_configuration,
    text_of,
)
from ezmsg.zenoh.hosts.preparing import is_open, place_of

TEXTS = st.text(min_size=1)
HOSTS = st.sampled_from(["lab", "lab.example.org", "10.0.0.1", "127.0.0.1", "localhost", "fd00::2", "::1"])
PLACES = st.builds(Address, HOSTS, st.integers(1, 65535))
FILES = st.none() | st.builds(TlsFiles, TEXTS, TEXTS, TEXTS)


def read(text: str, folder: Path) -> Any:
    """Return a file's content as Zenoh has understood it."""
    path = folder / "read.json5"
    path.write_text(text, encoding="utf-8")
    return json.loads(str(zenoh.Config.from_file(str(path))))


def holds(whole: Any, part: Any) -> bool:
    if isinstance(part, dict) and isinstance(whole, dict):
        return all(holds(whole[key], inner) for key, inner in part.items())
    if isinstance(part, list) and isinstance(whole, list):
        return len(whole) == len(part) and all(map(holds, whole, part))
    return bool(whole == part)


@given(PLACES, FILES, TEXTS, st.lists(TEXTS, min_size=1).map(tuple))
def test_zenoh_takes_every_file_and_understands_all_of_it(
    tmp_path_factory: pytest.TempPathFactory, place: Address, files: TlsFiles | None, graph: str, names: Any
) -> None:
    folder = tmp_path_factory.getbasetemp()
    admission = None if files is None else Admission(graph, names)
    for configuration in (
        router_configuration(place, files, admission),
        client_configuration(place, files),
        peer_configuration(files, admission),
    ):
        understood = read(text_of(configuration, [f"the graph {graph}"]), folder)
        assert holds(understood, json.loads(json.dumps(configuration)))
        assert understood["transport"]["shared_memory"]["enabled"] is False
        if admission is not None and configuration["mode"] != "client":
            access = understood["access_control"]
            assert (access["enabled"], access["default_permission"]) == (True, "deny")
            (key,) = access["rules"][0]["key_exprs"]
            assert zenoh.KeyExpr(key).includes(zenoh.KeyExpr("ezmsg/x/TOPIC".replace("x", key.split("/")[1])))


def test_access_control_knows_of_nothing_else() -> None:
    """Whatever Zenoh refuses here would be let through by nobody, or by a name that we do not know of."""
    configuration = router_configuration(Address("lab", 1), TlsFiles("a", "b", "c"), Admission("g", ("n",)))
    configuration["access_control"]["rules"][0]["messages"] = ["nothing"]
    with pytest.raises(zenoh.ZError) as refused:
        zenoh.Config.from_json5(json.dumps(configuration))
    known = str(refused.value).partition("expected one of ")[2].partition('"')[0]
    assert {word.strip("` ") for word in known.split(",")} == set(ACCESS)


# --- the verb ---------------------------------------------------------------------------------------------------


@pytest.fixture
def certificates(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Path:
    folder = tmp_path / "certificates"
    assert main(["server", "certificates", str(folder), "--host", "lab,10.0.0.1", "--host", "desk"]) == 0
    capsys.readouterr()
    return folder


def made(*words: str) -> int:
    return main(["zenoh", "config", *words])


def contents(folder: Path) -> dict[str, Any]:
    return {path.name: read(path.read_text(), folder.parent) for path in folder.iterdir()}


def test_without_certificates_all_hosts_have_one_file(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("EZMSG_ZENOH_GRAPH", raising=False)
    assert made(str(tmp_path / "made"), "--router", "lab") == 0
    files = contents(tmp_path / "made")
    assert files.keys() == {"router.json5", "host.json5"}
    assert files["router.json5"]["listen"]["endpoints"] == ["tcp/0.0.0.0:7447"]
    assert files["router.json5"]["access_control"]["enabled"] is False
    assert files["host.json5"]["connect"]["endpoints"] == ["tcp/lab:7447"]
    told = capsys.readouterr()
    assert told.out.splitlines() == [str(tmp_path / "made" / name) for name in ("router.json5", "host.json5")]
    assert "EZMSG_ZENOH_CONFIG" in told.err
    assert "EZMSG_ZENOH_GRAPH" not in told.err


def test_each_host_of_a_folder_of_certificates_has_its_own_file(
    tmp_path: Path, certificates: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ("--router", "10.0.0.1:7000", "--graph", "a+b", "--certificates", str(certificates))
    assert made(str(tmp_path / "made"), *words) == 0
    files = contents(tmp_path / "made")
    assert files.keys() == {"router.json5", "host-lab.json5", "host-desk.json5"}
    router = files["router.json5"]
    assert router["listen"]["endpoints"] == ["tls/10.0.0.1:7000"]
    assert router["transport"]["link"]["tls"]["listen_private_key"] == str(certificates / "lab" / "tls-key.pem")
    assert router["access_control"]["rules"][0]["key_exprs"] == ["ezmsg/a%2Bb/**"]
    assert router["access_control"]["subjects"][0]["cert_common_names"] == ["desk", "lab"]
    tls = files["host-desk.json5"]["transport"]["link"]["tls"]
    assert tls["connect_certificate"] == str(certificates / "desk" / "tls-cert.pem")
    assert "EZMSG_GRAPHSERVER_ADDR=zenoh:a+b" in capsys.readouterr().err


def test_hosts_that_have_their_certificates_at_one_place_share_a_file(tmp_path: Path, certificates: Path) -> None:
    there = ("--router", "lab", "--tls-folder", "/etc/ezmsg")
    assert made(str(tmp_path / "both"), *there, "--certificates", str(certificates)) == 0
    assert made(str(tmp_path / "named"), *there, "--host", "desk", "--host", "lab,10.0.0.1") == 0
    files = contents(tmp_path / "both")
    assert contents(tmp_path / "named") == files
    assert files.keys() == {"router.json5", "host.json5"}
    tls = files["host.json5"]["transport"]["link"]["tls"]
    assert tls["root_ca_certificate"] == "/etc/ezmsg/tls-ca.pem"


def test_peers_let_in_only_holders_of_certificates(tmp_path: Path, certificates: Path) -> None:
    assert made(str(tmp_path / "made"), "--certificates", str(certificates), "--host", "lab") == 0
    files = contents(tmp_path / "made")
    assert files.keys() == {"host.json5"}
    peer = files["host.json5"]
    assert peer["listen"]["endpoints"] == ["tls/[::]:0"]
    assert peer["transport"]["link"]["protocols"] == ["tls"]
    assert peer["access_control"]["subjects"][0]["cert_common_names"] == ["lab"]


def test_without_a_folder_the_files_are_shown(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    assert made("--router", "lab") == 0
    told = capsys.readouterr()
    head, *files = told.out.split("// --- ")
    assert head == told.err == ""
    for text, mode in zip(files, ("router", "client"), strict=True):
        assert read(text.partition("\n")[2], tmp_path)["mode"] == mode
    assert [path.name for path in tmp_path.iterdir()] == ["read.json5"]


def test_nothing_is_overwritten_unless_that_is_asked_for(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "host.json5").write_text("mine")
    assert made(str(tmp_path), "--router", "lab") == 4
    assert f"EZ-5032  No configuration file was made: {tmp_path / 'host.json5'} is there already" in (
        capsys.readouterr().err
    )
    assert [path.name for path in tmp_path.iterdir()] == ["host.json5"]
    assert made(str(tmp_path), "--router", "lab", "--overwrite") == 0
    assert contents(tmp_path)["host.json5"]["mode"] == "client"


@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        (["--host", "lab"], 4, "there are no certificates"),
        (["--tls-folder", "/etc/ezmsg"], 4, "who is let in?"),
        (["--tls-folder", "/etc/ezmsg", "--host", " ,10.0.0.1"], 4, "a host without a name"),
        (["--router", "lab:0"], 4, "a router has a port that all hosts know"),
        (["--router", "http://lab"], 2, "EZ-3006"),
        (["--certificates", "nowhere"], 4, "nowhere cannot be read: No such file or directory"),
        (["--certificates", "certificates", "--host", "stim"], 4, "has no certificate for stim"),
        (["--certificates", "certificates", "--router", "10.0.0.9"], 4, "has no certificate for 10.0.0.9"),
        (["--certificates", "."], 4, "has no certificate for NAME"),
    ],
)
def test_what_makes_no_sense_is_a_sentence_and_leaves_nothing(
    tmp_path: Path,
    certificates: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    words: list[str],
    code: int,
    said: str,
) -> None:
    monkeypatch.chdir(tmp_path)
    assert made("made", *words) == code
    assert said in capsys.readouterr().err
    assert not (tmp_path / "made").exists()


def test_a_certificate_that_has_expired_is_told_before_zenoh_refuses_it(
    tmp_path: Path, laboratory: Laboratory, capsys: pytest.CaptureFixture[str]
) -> None:
    laboratory.files("lab", begins_h=-48, ends_h=-1)
    assert made(str(tmp_path / "made"), "--certificates", str(laboratory.folder)) == 4
    assert "tls-cert.pem" in capsys.readouterr().err
    assert not (tmp_path / "made").exists()


@pytest.mark.parametrize(
    ("text", "place"),
    [
        ("lab", ("lab", 7447)),
        ("lab:1", ("lab", 1)),
        ("[fd00::2]", ("fd00::2", 7447)),
        ("[fd00::2]:1", ("fd00::2", 1)),
    ],
)
def test_a_place_without_a_port_has_that_of_routers(text: str, place: tuple[str, int]) -> None:
    assert place_of(text) == place


@pytest.mark.parametrize(
    ("endpoint", "open_"),
    [
        ("tcp/0.0.0.0:7447", True),
        ("tcp/[::]:7447", True),
        ("udp/10.0.0.1:7447", True),
        ("tcp/127.0.0.1:7447", False),
        ("tls/0.0.0.0:7447", False),
        ("unixpipe//tmp/a pipe", False),
    ],
)
def test_which_endpoints_are_open_to_everybody(endpoint: str, open_: bool) -> None:
    assert is_open(endpoint) == open_


def test_a_reason_is_part_of_a_sentence() -> None:
    error = ValueError("Cannot listen: [in use\n (os error 98) at /src/.x/a-b/tcp.rs:61.] at /src/x/u.rs:338.")
    assert reason_of(error) == "Cannot listen: [in use (os error 98).]"
