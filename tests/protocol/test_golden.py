"""Golden vectors: bytes that were written once must decode to the same values for ever."""

import runpy
from pathlib import Path
from typing import Any

import pytest

from ezmsg.protocol import messages
from ezmsg.protocol.errors import EzmsgError
from ezmsg.protocol.messages.envelopes import Failure
from ezmsg.protocol.testing import ERRORS
from ezmsg.protocol.wire.codec import body_from_wire, decode, unpack_map
from ezmsg.protocol.wire.failures import from_failure

GOLDEN = Path(__file__).parent / "golden"
EXPECTED: dict[str, Any] = runpy.run_path(str(GOLDEN / "values.py"))["EXPECTED"]
ALL = (*messages.HANDSHAKE, *messages.ENVELOPES, *messages.BODIES, *messages.CHANNELS)
HINT = "run scripts/golden.py, which adds what is missing"


def vector(name: str) -> bytes:
    return bytes.fromhex((GOLDEN / f"{name}.hex").read_text(encoding="ascii"))


def test_every_message_and_every_error_has_a_vector() -> None:
    names = {cls.TAG for cls in ALL} | {cls.code for cls in ERRORS}
    assert names - EXPECTED.keys() == set(), "add a value to golden/values.py"
    assert {path.stem for path in GOLDEN.glob("*.hex")} == EXPECTED.keys(), HINT


@pytest.mark.parametrize("cls", ALL, ids=lambda cls: cls.TAG)
def test_the_value_of_a_vector_is_of_its_class(cls: type[Any]) -> None:
    assert type(EXPECTED[cls.TAG]) is cls


@pytest.mark.parametrize("cls", ALL, ids=lambda cls: cls.TAG)
def test_a_messages_vector_decodes_by_its_tag(cls: type[Any]) -> None:
    assert body_from_wire(unpack_map(vector(cls.TAG)), ALL) == EXPECTED[cls.TAG]


@pytest.mark.parametrize("cls", ERRORS, ids=lambda cls: cls.code)
def test_an_errors_vector_decodes_by_its_code(cls: type[EzmsgError]) -> None:
    failure = decode(vector(cls.code), Failure)
    error = from_failure(failure.code, failure.text, failure.fields)
    assert type(error) is cls is type(EXPECTED[cls.code])
    assert error.fields() == EXPECTED[cls.code].fields()


MODEL = [name for name in EXPECTED if name not in {cls.TAG for cls in ALL} | {cls.code for cls in ERRORS}]


@pytest.mark.parametrize("name", MODEL)
def test_a_models_vector_decodes_as_its_class(name: str) -> None:
    decoded = decode(vector(name), type(EXPECTED[name]))
    assert decoded == EXPECTED[name]
    assert repr(decoded) == repr(EXPECTED[name])  # it has also the fields without which it is compared
