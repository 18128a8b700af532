"""What a suite did, test by test, read from pytest's report; and two sides compared. Pure, but for the reading."""

import json
import xml.etree.ElementTree as ElementTree
from collections import Counter
from dataclasses import asdict, dataclass, field
from pathlib import Path

PASSED, FAILED, ERROR, SKIPPED = "passed", "failed", "error", "skipped"


@dataclass
class Suite:
    """The outcome of each test, by name; ``problem`` says why there is none, ``seconds`` how long it took."""

    outcomes: dict[str, str] = field(default_factory=dict)
    seconds: float = 0.0
    problem: str = ""

    def count(self, outcome: str) -> int:
        """Return how many tests ended so."""
        return Counter(self.outcomes.values())[outcome]


@dataclass
class Comparison:
    """One package on both sides; ``worse`` are the tests that pass on the public package alone."""

    name: str
    version: str
    ours: Suite
    public: Suite
    left_out: str = ""

    @property
    def worse(self) -> list[str]:
        """The tests that pass on the public package and not on ours."""
        return sorted(
            test
            for test, outcome in self.public.outcomes.items()
            if outcome == PASSED and self.ours.outcomes.get(test) != PASSED
        )

    @property
    def better(self) -> list[str]:
        """The tests that pass on ours and not on the public package."""
        return sorted(
            test
            for test, outcome in self.ours.outcomes.items()
            if outcome == PASSED and self.public.outcomes.get(test) != PASSED
        )

    @property
    def good(self) -> bool:
        """Whether ours is not below the public package."""
        return not self.worse and not self.ours.problem


def read_report(path: Path) -> dict[str, str]:
    """Return the outcome of every test in a report of pytest's."""
    outcomes = {}
    for case in ElementTree.parse(path).getroot().iter("testcase"):  # noqa: S314  pytest's own, just written
        name = f"{case.get('classname')}::{case.get('name')}"
        kinds = {child.tag for child in case}
        if "error" in kinds:
            outcomes[name] = ERROR
        elif "failure" in kinds:
            outcomes[name] = FAILED
        else:
            outcomes[name] = SKIPPED if "skipped" in kinds else PASSED
    return outcomes


def table(comparisons: list[Comparison]) -> list[str]:
    """Return all comparisons as lines."""
    head = f"{'package':<24}{'ours':>32}{'public':>32}   verdict"
    rows = [head, "-" * len(head)]
    for each in comparisons:
        verdict = "ok" if each.good else f"WORSE in {len(each.worse)}" if each.worse else each.ours.problem
        if each.better:
            verdict += f", better in {len(each.better)}"
        rows.append(
            f"{each.name + ' ' + each.version:<24}{_cell(each.ours):>32}{_cell(each.public):>32}   {verdict}"
        )
    return rows


def _cell(suite: Suite) -> str:
    if suite.problem:
        return "no result"
    wrong = suite.count(FAILED) + suite.count(ERROR)
    bad = f" {wrong} bad" if wrong else ""
    return f"{suite.count(PASSED):,} pass{bad} {suite.count(SKIPPED)} skip {suite.seconds:.0f} s"


def load(path: Path) -> dict[str, Comparison]:
    """Return what was recorded of earlier runs, by package."""
    if not path.exists():
        return {}
    forms = json.loads(path.read_text(encoding="utf-8"))
    return {
        name: Comparison(**{**form, "ours": Suite(**form["ours"]), "public": Suite(**form["public"])})
        for name, form in forms.items()
    }


def save(path: Path, comparisons: dict[str, Comparison]) -> None:
    """Record what is known of all packages."""
    forms = {name: asdict(each) for name, each in sorted(comparisons.items())}
    path.write_text(f"{json.dumps(forms, indent=1)}\n", encoding="utf-8")
