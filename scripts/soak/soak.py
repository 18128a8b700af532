"""Everything that may go wrong, for as long as there is time: simulation, promises, chaos and fuzzers.

``hatch run soak`` takes less than an hour on two cores, and ends with a table of what was promised and measured.
``--write`` puts it into ``docs/reference/promises.md``. The exit status is 1 if a promise was not held.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

from chaos import run_chaos
from promises import ROWS, Figure, table
from rows import run_row

ROOT = Path(__file__).parents[2]
PAGE = ROOT / "docs" / "reference" / "promises.md"
TARGETS = sorted(path.stem for path in (ROOT / "tests" / "fuzz" / "targets").glob("*.py"))
PARTS = ("simulation", "rows", "chaos", "fuzz")
HEAD = """# Promises under faults

What ezmsg promises when something goes wrong, and what was measured when this page was written, with
`hatch run soak{options}` on {cores} cores. Each trial is a test with real processes. Nothing here says how fast a
machine is: the times are those of whole trials, with the start of their programs.

"""


def main() -> int:
    """Run what was asked for; return how the process ends."""
    options = _options()
    parts: dict[str, Callable[[], Iterator[Figure]]] = {
        "simulation": lambda: _simulation(options.seeds),
        "rows": lambda: _rows(options.rows, options.trials),
        "chaos": lambda: _chaos(options.minutes, options.seed),
        "fuzz": lambda: _fuzz(options.fuzz_minutes),
    }
    figures: list[Figure] = []
    for name in [options.only] if options.only else PARTS:
        began_s = time.monotonic()
        print(f"== {name}", flush=True)
        for figure in parts[name]():
            figures.append(figure)
            print(f"  {'ok  ' if figure.held else 'FAIL'} {figure.fault}: {figure.measured}", flush=True)
        print(f"   after {time.monotonic() - began_s:.0f} s", flush=True)
    print(f"\n{table(figures)}")
    if options.write:
        told = "".join(f" {argument}" for argument in sys.argv[1:] if argument != "--write")
        PAGE.write_text(HEAD.format(options=told, cores=os.cpu_count()) + table(figures) + "\n", encoding="utf-8")
    return 0 if all(figure.held for figure in figures) else 1


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", choices=PARTS, help="run only this part")
    parser.add_argument("--seeds", type=int, default=10_000, help="how many seeds of the simulation")
    parser.add_argument("--rows", nargs="*", choices=[row.name for row in ROWS], help="only these promises")
    parser.add_argument("--trials", type=int, default=20, help="how often each test of a promise runs")
    parser.add_argument("--minutes", type=float, default=30.0, help="how long the chaos lasts")
    parser.add_argument("--seed", type=int, default=1, help="of the chaos")
    parser.add_argument("--fuzz-minutes", type=float, default=5.0, help="how long all fuzzers together run")
    parser.add_argument("--write", action="store_true", help=f"write {PAGE.relative_to(ROOT)}")
    return parser.parse_args()


def _simulation(seeds: int) -> Iterator[Figure]:
    """Run seeds on every core."""
    cores = os.cpu_count() or 1
    shares = [(core * seeds // cores, (core + 1) * seeds // cores) for core in range(cores)]
    running = [
        subprocess.Popen(
            [sys.executable, "-m", "tests.simulation", str(end - first), "--first", str(first)],
            cwd=ROOT,
            stdout=subprocess.PIPE,
            text=True,
        )
        for first, end in shares
    ]
    outputs = [process.communicate()[0] for process in running]
    failed = [process.returncode for process in running if process.returncode]
    for output in outputs if failed else ():
        print(output)
    yield Figure(
        "kills, restarts, cuts, freezes and delays of any of eight nodes, simulated",
        "rules of the graph, declarations, losses, streams and windows hold after every step",
        f"{seeds} seeds, {'some failed' if failed else 'none failed'}",
        held=not failed,
    )


def _rows(names: list[str] | None, trials: int) -> Iterator[Figure]:
    for row in ROWS:
        if not names or row.name in names:
            yield run_row(row, trials)


def _chaos(minutes: float, seed: int) -> Iterator[Figure]:
    yield from run_chaos(minutes, seed)


def _fuzz(minutes: float) -> Iterator[Figure]:
    """Give each target its share of the time."""
    seconds = max(1, int(60 * minutes / len(TARGETS)))
    for target in TARGETS:
        command = [sys.executable, "-m", "tests.fuzz", target, f"-max_total_time={seconds}"]
        done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
        last = [line for line in done.stderr.splitlines() if line.startswith("Done ")]
        if done.returncode:
            print(done.stderr[-3000:])
        measured = last[0].removeprefix("Done ") if last else f"exit status {done.returncode}"
        yield Figure(
            f"any bytes, at {target}", "no crash, and nothing but typed errors", measured, held=not done.returncode
        )


if __name__ == "__main__":
    sys.exit(main())
