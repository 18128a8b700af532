"""What is done to a simulated graph, drawn from a seed: orders to programs, and faults of everything."""

from random import Random
from typing import Any, NamedTuple

SERVER = "server"
SOURCES = ("source-1", "source-2")
SINKS = ("sink-1", "sink-2")
OWNERS = ("owner-1", "owner-2")
WATCHER = "watcher"
PROGRAMS = (*SOURCES, *SINKS, *OWNERS, WATCHER)
EVERYBODY = (SERVER, *PROGRAMS)

BEGIN_S = 1.0
"""By when everybody is there, in virtual seconds."""

STEPS = 40
ORDERS = 0.65
"""How many orders and faults there are, and which part of them are orders."""

TOPICS = 5
UNITS = 2


class Step(NamedTuple):
    """Something is done to somebody at a time, in virtual seconds."""

    at_s: float
    action: str
    whom: str
    what: Any = None


def draw(seed: int, steps_drawn: int = STEPS) -> list[Step]:
    """Return the plan of a seed, in the order of time: so many orders and faults."""
    random = Random(f"plan of {seed}")
    steps = _beginning(random)
    now_s = BEGIN_S
    for _ in range(steps_drawn):
        now_s += random.choice((0.0, 0.001, 0.02, 0.1, 0.3, 1.0))
        steps += [_order(random, now_s)] if random.random() < ORDERS else _fault(random, now_s)
    return sorted(steps, key=lambda step: step.at_s)


def _beginning(random: Random) -> list[Step]:
    """Give everybody something to lose."""
    steps = [Step(BEGIN_S, "connect", whom, _edge(random)) for whom in PROGRAMS if random.random() < 0.5]
    steps += [Step(BEGIN_S, "publish", whom, [0]) for whom in SOURCES]
    for whom in OWNERS:
        steps += [Step(BEGIN_S, "own", whom, f"{whom}/U0"), Step(BEGIN_S, "report", whom, (f"{whom}/U0", 0))]
    return steps


def _edge(random: Random) -> tuple[str, str]:
    """Return an edge that leads from a topic to a later one, so that no two of them close a circle."""
    below = random.randrange(TOPICS - 1)
    return f"T{below}", f"T{random.randrange(below + 1, TOPICS)}"


def _order(random: Random, at_s: float) -> Step:
    whom = random.choice((*PROGRAMS, *SOURCES))
    if random.random() < 0.4:
        action = random.choice(("connect", "connect", "disconnect", "close_circle"))
        return Step(at_s, action, whom, _edge(random))
    if whom in SOURCES:
        size = random.choice((0, 0, 0, 30_000))
        return Step(at_s, "publish", whom, [size] * random.choice((1, 3, 10)))
    if whom in SINKS:
        return Step(at_s, "nap", whom, random.choice((0.2, 2.0)))
    if whom in OWNERS:
        unit = f"{whom}/U{random.randrange(UNITS)}"
        match random.choice(("own", "own", "disown", "report", "report", "report")):
            case "report":
                return Step(at_s, "report", whom, (unit, random.randrange(1000)))
            case action:
                return Step(at_s, action, whom, unit)
    return Step(at_s, "again", whom, random.choice((0.0, 0.5, 3.0)))


def _fault(random: Random, at_s: float) -> list[Step]:
    """Return a fault and the end of it."""
    until_s = at_s + random.choice((0.001, 0.05, 0.5, 2.0, 3.3, 4.0, 8.0))
    whom = random.choice((*EVERYBODY, SERVER, SERVER))
    match random.choice(("kill", "kill", "freeze", "cut", "cut", "forget", "slow")):
        case "kill":
            return [Step(at_s, "kill", whom), Step(until_s, "start", whom)]
        case "freeze":
            return [Step(at_s, "freeze", whom), Step(until_s, "thaw", whom)]
        case "cut":
            other = random.choice([name for name in EVERYBODY if name != whom])
            return [Step(at_s, "cut", whom, other), Step(until_s, "join", whom, other)]
        case "forget":
            return [Step(at_s, "forget", random.choice(PROGRAMS))]
        case _:
            return [Step(at_s, "slow", whom, until_s - at_s)]
