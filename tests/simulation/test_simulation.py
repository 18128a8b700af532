"""Seeds of the simulation: a few hundred here, ten thousand with ``hatch run soak``; and that it would find faults.

A seed that fails is told with the fewest steps that do, and with the command that shows it again.
"""

from collections.abc import Callable

import pytest

from tests.simulation import searching
from tests.simulation.plan import SERVER, SINKS, SOURCES, Step, draw
from tests.simulation.world import run

SEEDS = 200
PARTS = 8
STEPS = 12
"""How many steps a plan has here; those of the soak run are longer."""

KEPT: dict[str, list[Step]] = {}
"""Plans that once found a fault of the product."""


@pytest.mark.parametrize("part", range(PARTS))
def test_what_must_hold_holds_under_faults_of_everything(part: int) -> None:
    found: list[str] = []
    searching.search(range(part, SEEDS, PARTS), found.append, STEPS)
    assert not found, "\n\n".join(found)


def test_a_seed_replays_exactly() -> None:
    assert run(3, draw(3)) == run(3, draw(3))
    assert run(3, draw(3)) != run(4, draw(3))
