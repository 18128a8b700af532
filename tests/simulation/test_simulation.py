"""Seeds of the simulation: some here, ten thousand with ``hatch run soak``; and faults that are put in are found.

A seed that fails is told with the fewest steps that do, and with the command that shows it again.
"""

import pytest
from tests.simulation import searching
from tests.simulation.mutants import MUTANTS
from tests.simulation.plan import SERVER, SOURCES, WATCHER, Step, draw
from tests.simulation.programs import Watcher
from tests.simulation.world import run

SEEDS = 100
PARTS = 10
STEPS = 8
"""How many steps a plan has here; those of the soak run are longer."""


@pytest.mark.parametrize("part", range(PARTS))
def test_what_must_hold_holds_under_faults_of_everything(part: int) -> None:
    found: list[str] = []
    searching.search(range(part, SEEDS, PARTS), found.append, STEPS)
    assert not found, "\n\n".join(found)


def test_a_seed_replays_exactly() -> None:
    assert run(3, draw(3, STEPS)) == run(3, draw(3, STEPS))
    assert run(3, draw(3, STEPS)) != run(4, draw(3, STEPS))


KEPT = {
    "a stream in which nothing has happened yet goes on over a lost line and a frozen server": [
        Step(1.041, "slow", WATCHER, 8.0),
        Step(5.108, "forget", WATCHER),
        Step(7.048, "freeze", SERVER),
        Step(15.048, "thaw", SERVER),
    ],
    "what a publisher sends before it has returned to a server that is new is told as missed": [
        Step(1.0, "publish", SOURCES[0], [0]),
        Step(1.5, "freeze", SOURCES[0]),
        Step(2.0, "kill", SERVER),
        Step(2.1, "start", SERVER),
        Step(6.0, "thaw", SOURCES[0]),
        Step(6.001, "publish", SOURCES[0], [0, 0, 0]),
    ],
}
"""What was wrong once, and found by a seed."""


@pytest.mark.parametrize("steps", KEPT.values(), ids=list(KEPT))
def test_what_was_wrong_once_is_right(steps: list[Step], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Watcher, "opens_again", False)
    run(152, steps)


FOUND_BY = {
    "an older connection of a client is still heard": 9,
    "a gap in a stream of events is not told": 2,
    "nothing is said again on a new line": 0,
    "settings are not said again": 1,
    "a message counts as held by one, of several": 0,
    "buffers of the dead do not come back": 1,
    "what is missed is not counted": 1,
    "edges outlive their session": 2,
    "settings of the dead go in silence": 3,
    "routes are torn down while clients return": 18,
    "endpoints of the dead stay": 8,
}
"""The first seed of short plans that finds each fault."""


@pytest.mark.parametrize("mutant", MUTANTS)
def test_a_fault_that_is_put_in_is_found(mutant: str) -> None:
    seed = FOUND_BY[mutant]
    with MUTANTS[mutant]():
        assert searching.failure(seed, draw(seed, STEPS))


def test_a_failing_plan_is_shrunk() -> None:
    with MUTANTS["an older connection of a client is still heard"]():
        plan = draw(9, STEPS)
        fewest = searching.shrink(9, plan)
        assert 0 < len(fewest) < len(plan) / 4
        assert searching.failure(9, fewest)
