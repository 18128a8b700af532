"""Few cases out of a product of many, such that whatever two things can come together does come together once.

Most faults of combinations need two values to meet, not five; so a covering of all pairs finds nearly what the
whole product would, with a hundredth of the cases.
"""

import itertools
import random
from collections.abc import Callable, Mapping, Sequence

Case = dict[str, str]
Table = Mapping[str, Sequence[str]]
Pair = tuple[tuple[str, str], tuple[str, str]]


def product(table: Table, possible: Callable[[Case], bool]) -> list[Case]:
    """Return every possible case, in the order of the table."""
    cases = (dict(zip(table, values, strict=True)) for values in itertools.product(*table.values()))
    return [case for case in cases if possible(case)]


def pairs(case: Case) -> list[Pair]:
    """Return the pairs of values of two dimensions that meet in a case."""
    return list(itertools.combinations(case.items(), 2))


def covering(table: Table, possible: Callable[[Case], bool], seed: int = 0) -> list[Case]:
    """Return few possible cases in which each pair is met that is met in any; always the same ones for one seed.

    Greedy: the next one is the case that brings most pairs that were not met yet. Of those that bring as many it is
    the first, and each seed but 0 has an order of its own.
    """
    cases = product(table, possible)
    if seed:
        random.Random(seed).shuffle(cases)
    bits: dict[Pair, int] = {}
    masks = [sum(1 << bits.setdefault(pair, len(bits)) for pair in pairs(case)) for case in cases]
    missing = (1 << len(bits)) - 1
    chosen = []
    while missing:
        best = max(range(len(cases)), key=lambda each: (masks[each] & missing).bit_count())
        chosen.append(cases[best])
        missing &= ~masks[best]
    return chosen
