"""``ezmsg server certificates``: what it makes is good for TLS, is its owner's alone, and is never overwritten."""

import importlib.util
import stat
from pathlib import Path
from typing import Any

import pytest

from ezmsg.control.cli import main
from ezmsg.protocol.wire.tls.contexts import serving
from ezmsg.protocol.wire.tls.files import find_files


def made(folder: Path, *words: str) -> int:
    return main(["server", "certificates", str(folder), *words])


def test_each_host_gets_three_files_that_are_found_beside_its_token(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = tmp_path / "made"
    assert made(folder, "--host", "lab,10.0.0.1,lab.example.org", "--host", "fd00::2", "--days", "30") == 0
    told = capsys.readouterr()
    authority, lab, other = told.out.splitlines()
    assert authority.startswith(f"{folder}: an authority, valid until 20")
    assert lab.startswith(f"{folder / 'lab'}: lab, 10.0.0.1, lab.example.org, valid until 20")
    assert other.startswith(f"{folder / 'fd00::2'}: fd00::2, valid until")
    for words in ("beside its token", "tls-ca-key.pem", "no secret"):
        assert words in told.err
    for name, holds in (("lab", ("lab", "10.0.0.1", "lab.example.org")), ("fd00::2", ("fd00::2",))):
        files = find_files({}, str(folder / name / "token"))
        assert files is not None
        credentials = serving(files)
        assert credentials.names == (*holds, "localhost", "127.0.0.1", "::1")
    modes = {path.name: stat.S_IMODE(path.stat().st_mode) for path in folder.rglob("*")}
    assert modes["tls-key.pem"] == modes["tls-ca-key.pem"] == 0o600
    assert modes["lab"] == 0o700


def test_more_hosts_are_certified_by_the_authority_that_is_there(tmp_path: Path) -> None:
    assert made(tmp_path, "--host", "lab") == 0
    authority = (tmp_path / "tls-ca.pem").read_bytes()
    assert made(tmp_path, "--host", "desk") == 0
    assert (tmp_path / "desk" / "tls-ca.pem").read_bytes() == authority == (tmp_path / "tls-ca.pem").read_bytes()


def test_nothing_is_overwritten(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert made(tmp_path, "--host", "lab") == 0
    before = {path: path.read_bytes() for path in tmp_path.rglob("*.pem")}
    assert made(tmp_path, "--host", "desk", "--host", "lab") == 1
    assert f"{tmp_path / 'lab' / 'tls-cert.pem'} is there already" in capsys.readouterr().err
    assert {path: path.read_bytes() for path in tmp_path.rglob("*.pem")} == before


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--host", "lab:25978"], "lab:25978 is no host's name or address"),
        (["--host", "../lab"], "../lab is no host's name"),
        (["--host", ".."], ".. is no host's name"),
        (["--host", " , "], "An empty text is no host's name"),
        (["--host", "lab", "--host", "lab,10.0.0.1"], "Two hosts have the same first name"),
        (["--host", "lab", "--days", "0"], "valid for 1 to 36500 days"),
        (["--host", "lab", "--days", "3000000"], "valid for 1 to 36500 days"),
    ],
)
def test_what_makes_no_sense_is_a_sentence_and_leaves_nothing(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], words: list[str], said: str
) -> None:
    assert made(tmp_path / "made", *words) == 1
    assert said in capsys.readouterr().err
    assert not (tmp_path / "made").exists()


def test_no_host_is_left_with_another_authoritys_certificate(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert made(tmp_path, "--host", "lab") == 0
    for name in ("tls-ca.pem", "tls-ca-key.pem", "lab/tls-cert.pem", "lab/tls-key.pem"):
        (tmp_path / name).unlink()
    assert made(tmp_path, "--host", "lab") == 1
    assert f"{tmp_path / 'lab' / 'tls-ca.pem'} is another authority's" in capsys.readouterr().err
    assert not (tmp_path / "lab" / "tls-key.pem").exists()


def test_an_authority_that_is_none(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "tls-ca.pem").write_text("nothing")
    assert made(tmp_path, "--host", "lab") == 1
    assert f"{tmp_path} cannot be used" in capsys.readouterr().err


def test_without_the_extra_it_says_how_to_get_it(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    find_spec = importlib.util.find_spec

    def without(name: str, *rest: Any) -> Any:
        return None if name == "cryptography" else find_spec(name, *rest)

    monkeypatch.setattr(importlib.util, "find_spec", without)
    assert made(tmp_path, "--host", "lab") == 1
    assert "pip install 'ezmsg-control[tls]'" in capsys.readouterr().err
