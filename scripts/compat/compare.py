"""Run programs written for the public package on it and on ours, side by side, and tell where they differ.

The exit status is 0 if they behave the same but for the differences that a program's header declares, 1 if not, 2
if an environment is missing. With ``--recorded`` the public package is not needed: what was recorded of it counts.
"""

from __future__ import annotations

import argparse
import difflib
import sys
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from outcomes import (
    LIMIT_S,
    Declaration,
    Outcome,
    ProgramError,
    declarations,
    differences,
    expected_of_ours,
    programs,
    record,
    run,
)

sys.path.append(str(Path(__file__).parents[1]))
import peers


@dataclass
class Report:
    """What a comparison of one program gave."""

    program: Path
    voices: int = 0
    declared: dict[str, Declaration] = field(default_factory=dict)
    """The voices that differ, and by which declaration they may."""
    undeclared: dict[str, tuple[list[str], list[str]]] = field(default_factory=dict)
    """The other voices that differ, with the lines expected and those seen."""
    hints: list[str] = field(default_factory=list)
    """What to do about a voice that differs from what was recorded of ours."""
    stale: list[Declaration] = field(default_factory=list)
    """Declarations of differences that are not there."""
    failure: str = ""

    @property
    def is_good(self) -> bool:
        """Whether nothing differs but what may, and all that was said to differ does."""
        return not (self.undeclared or self.stale or self.failure)


def compare(program: Path, expected: Outcome, seen: Outcome, declared: list[Declaration]) -> Report:
    report = Report(program, voices=len(expected.keys() | seen.keys()))
    for voice in differences(expected, seen):
        declaration = next((each for each in declared if each.covers(voice)), None)
        if declaration is None:
            report.undeclared[voice] = expected.get(voice, []), seen.get(voice, [])
        else:
            report.declared[voice] = declaration
    report.stale = [each for each in declared if each not in report.declared.values()]
    return report


def look(program: Path, ours: str, public: str | None, limit_s: float, *, write: bool) -> Report:
    """Run one program and compare; without an interpreter for the public package, with what was recorded."""
    try:
        seen = run(ours, program, limit_s)
        if public is None:
            return with_hints(compare(program, expected_of_ours(program), seen, []))
        expected = run(public, program, limit_s)
    except ProgramError as error:
        return Report(program, failure=str(error))
    report = compare(program, expected, seen, declarations(program))
    if write and report.is_good:
        record(program, expected, seen)
    return report


def with_hints(report: Report) -> Report:
    """Say which voices are declared as different: for them, what is expected was recorded of ours."""
    for declaration in declarations(report.program):
        for voice in filter(declaration.covers, report.undeclared):
            report.hints.append(
                f"{voice}: declared as {declaration.kind!r}, so this was recorded of ours; if it is the public "
                "package's behaviour now, take the declaration out and record anew"
            )
    return report


# --- printing ---------------------------------------------------------------------------------------------


def row(report: Report) -> str:
    kinds = [each.kind for each in report.declared.values()]
    cells = [report.voices, report.voices - len(kinds) - len(report.undeclared), kinds.count("differs")]
    cells += [kinds.count("open"), len(report.undeclared)]
    return f"{report.program.stem:<22}{''.join(f'{cell:>11}' for cell in cells)}   {verdict(report)}"


def header() -> str:
    columns = ("voices", "same", "deliberate", "open", "DIFFERENT")
    title = f"{'program':<22}{''.join(f'{column:>11}' for column in columns)}"
    return f"{title}\n{'-' * len(title)}"


def verdict(report: Report) -> str:
    if report.failure:
        return "FAILED"
    return "" if report.is_good else "DIFFERENT"


def details(report: Report) -> Iterator[str]:
    """Say what is wrong, as a diff from the public package to ours, and which differences are declared."""
    if report.failure:
        yield report.failure
    for voice, (expected, seen) in report.undeclared.items():
        yield from difflib.unified_diff(expected, seen, f"{voice} (expected)", f"{voice} (ours)", lineterm="", n=1)
    yield from report.hints
    for declaration in dict.fromkeys(report.declared.values()):
        yield f"{declaration.kind}: {declaration.voices}: {declaration.reason}"
    for declaration in report.stale:
        yield f"{declaration.voices}: declared as different and is not; take the declaration out of the header"


# --- command line -----------------------------------------------------------------------------------------


def parse(arguments: list[str] | None = None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        allow_abbrev=False, description=__doc__.partition("\n")[0] if __doc__ else None
    )
    parser.add_argument("--only", metavar="NAME", default="", help="programs whose name contains this")
    parser.add_argument("--ours-python", default=sys.executable, metavar="PATH", help="(this interpreter)")
    parser.add_argument(
        "--peer-python", metavar="PATH", help=f"has {peers.PUBLIC} and numpy; else one is made and kept"
    )
    mode = parser.add_mutually_exclusive_group()
    mode.add_argument("--record", action="store_true", help="write down what good comparisons gave")
    mode.add_argument("--recorded", action="store_true", help="compare with what was recorded; no public package")
    parser.add_argument(
        "--limit", type=float, default=LIMIT_S, metavar="SECONDS", help="for one program, until it counts as hung"
    )
    parser.add_argument("--list", action="store_true", help="print the names of the programs and stop")
    options = parser.parse_args(arguments)
    options.programs = programs(options.only)
    if not options.programs:
        parser.error(f"no program has {options.only!r} in its name; see --list")
    return options


def public_python(options: argparse.Namespace) -> str | None:
    """Return the interpreter of the other side; ``None`` if what was recorded takes its place."""
    if options.recorded:
        return None
    return str(options.peer_python or peers.public_peer(peers.probe(options.ours_python)))


def main() -> int:
    options = parse()
    if options.list:
        print("\n".join(program.stem for program in options.programs))
        return 0
    try:
        public = public_python(options)
    except peers.PeerError as error:
        print(error, file=sys.stderr)
        return 2
    print(header())
    good = True
    for program in options.programs:
        report = look(program, options.ours_python, public, options.limit, write=options.record)
        print(row(report), *details(report), sep="\n    ", flush=True)
        good = good and report.is_good
    return 0 if good else 1


if __name__ == "__main__":
    sys.exit(main())
