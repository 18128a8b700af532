"""Every target over its corpus, and over a few inputs made from that; ``hatch run soak`` goes on from there."""

from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.fuzz.corpora import CORPUS, TARGETS, inputs, load

MUTATED = 25


@pytest.mark.parametrize("name", TARGETS)
def test_a_targets_corpus_does_no_harm(name: str) -> None:
    target = load(name)
    for data in inputs(name):
        target(data)


@pytest.mark.parametrize("name", TARGETS)
def test_nor_does_what_is_like_it(name: str) -> None:
    target, corpus = load(name), inputs(name)

    @settings(max_examples=MUTATED, database=None)
    @given(st.sampled_from(corpus), st.integers(0, 2**32), st.binary(max_size=8))
    def check(data: bytes, seed: int, more: bytes) -> None:
        target(_mutated(data, Random(seed), more))

    check()


def test_every_target_has_a_corpus_and_every_corpus_a_target() -> None:
    assert {path.name for path in CORPUS.iterdir()} == set(TARGETS)


def _mutated(data: bytes, random: Random, more: bytes) -> bytes:
    """Change a few bytes, leave some out, or put others in."""
    changed = bytearray(data)
    for _ in range(random.randrange(1, 4)):
        at = random.randrange(len(changed) + 1)
        match random.randrange(3):
            case 0 if at < len(changed):
                changed[at] = random.choice((0, 1, 0x7F, 0x80, 0xFF, random.randrange(256)))
            case 1:
                del changed[at : at + random.randrange(1, 16)]
            case _:
                changed[at:at] = more
    return bytes(changed)
