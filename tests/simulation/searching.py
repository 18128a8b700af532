"""Runs seeds, and of one that fails finds the few steps that it takes."""

from collections.abc import Callable, Iterable

from tests.simulation.plan import STEPS, Step, draw
from tests.simulation.world import Violation, run


def failure(seed: int, plan: list[Step]) -> str:
    """Return what does not hold under a plan, or nothing."""
    try:
        run(seed, plan)
    except Violation as error:
        return str(error)
    return ""


def shrink(seed: int, plan: list[Step]) -> list[Step]:
    """Return as few of a failing plan's steps as still fail: leave out halves, then quarters, and so on."""
    size = len(plan) // 2
    while size:
        start = 0
        while start < len(plan):
            fewer = plan[:start] + plan[start + size :]
            if failure(seed, fewer):
                plan = fewer
            else:
                start += size
        size //= 2
    return plan


def report(seed: int, steps_drawn: int = STEPS) -> str:
    """Return nothing if a seed holds, else what fails, the fewest steps that do, and how to see it again."""
    plan = draw(seed, steps_drawn)
    problem = failure(seed, plan)
    if not problem:
        return ""
    fewest = shrink(seed, plan)
    steps = "\n".join(f"    {step!r}," for step in fewest)
    again = f"python -m tests.simulation --seed {seed} --steps {steps_drawn}"
    return (
        f"Seed {seed} fails; see it again with: {again}\n{problem}\n"
        f"It takes these {len(fewest)} of {len(plan)} steps:\n{steps}\n{failure(seed, fewest)}"
    )


def search(seeds: Iterable[int], tell: Callable[[str], object], steps_drawn: int = STEPS) -> int:
    """Run seeds, tell of each that fails, and return how many did."""
    failed = 0
    for seed in seeds:
        told = report(seed, steps_drawn)
        if told:
            failed += 1
            tell(told)
    return failed
