"""Everything that may go wrong, for as long as there is time: simulation, promises, chaos and fuzzers.

``hatch run soak`` takes less than an hour on two cores, and ends with a table of what was promised and measured.
``--write`` puts it into ``docs/reference/promises.md``. The exit status is 1 if a promise was not held.
"""

from __future__ import annotations

import argparse
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from chaos import kill_everybody, run_chaos
from promises import ROWS, Figure, table
from rows import run_rows

ROOT = Path(__file__).parents[2]
PAGE = ROOT / "docs" / "reference" / "promises.md"
TARGETS = sorted(path.stem for path in (ROOT / "tests" / "fuzz" / "targets").glob("*.py"))
PARTS = ("simulation", "fuzz", "chaos", "rows")
NAMES = [row.name for row in ROWS]
HEAD = """# Promises under faults

What ezmsg promises when something goes wrong, and what was measured when this page was written, with
`hatch run soak{options}` on {cores} cores. Each trial is a test with real processes. Nothing here says how fast a
machine is: the times are those of whole trials, with the start of their programs.

"""


def main() -> int:
    """Run what was asked for; return how the process ends."""
    options = _options()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, _end)
    parts: dict[str, Callable[[], list[Figure]]] = {
        "simulation": lambda: _simulation(options.seeds),
        "fuzz": lambda: _fuzz(options.fuzz_minutes),
        "chaos": lambda: run_chaos(options.minutes, options.seed),
        "rows": lambda: run_rows([row for row in ROWS if row.name in (options.rows or NAMES)], options.trials),
    }
    figures = _run([options.only] if options.only else list(parts), parts)
    print(f"\n{table(figures)}")
    if options.write:
        told = "".join(f" {argument}" for argument in sys.argv[1:] if argument != "--write")
        PAGE.write_text(HEAD.format(options=told, cores=os.cpu_count()) + table(figures) + "\n", encoding="utf-8")
    return 0 if all(figure.held for figure in figures) else 1


def _end(number: int, _frame: object) -> None:
    """End at once, and whoever was started for the chaos, too."""
    kill_everybody()
    os._exit(128 + number)


def _run(names: list[str], parts: dict[str, Callable[[], list[Figure]]]) -> list[Figure]:
    """Run these parts: the chaos beside the simulation and the fuzzers, which keep the cores busy meanwhile."""
    with ThreadPoolExecutor(1) as beside:
        chaos = beside.submit(_run_part, "chaos", parts["chaos"]) if "chaos" in names else None
        figures = [
            figure for name in ("simulation", "fuzz") if name in names for figure in _run_part(name, parts[name])
        ]
        figures += [] if chaos is None else chaos.result()
    return figures + (_run_part("rows", parts["rows"]) if "rows" in names else [])


def _run_part(name: str, part: Callable[[], list[Figure]]) -> list[Figure]:
    began_s = time.monotonic()
    figures = part()
    lines = [f"== {name}, after {time.monotonic() - began_s:.0f} s"]
    lines += [f"  {'ok  ' if figure.held else 'FAIL'} {figure.fault}: {figure.measured}" for figure in figures]
    print("\n".join(lines), flush=True)
    return figures


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        allow_abbrev=False, description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--only", choices=PARTS, help="run only this part")
    parser.add_argument("--seeds", type=int, default=10_000, help="how many seeds of the simulation")
    parser.add_argument("--rows", nargs="*", choices=NAMES, help="only these promises")
    parser.add_argument("--trials", type=int, default=20, help="how often each test of a promise runs")
    parser.add_argument("--minutes", type=float, default=30.0, help="how long the chaos lasts")
    parser.add_argument("--seed", type=int, default=1, help="of the chaos")
    parser.add_argument("--fuzz-minutes", type=float, default=5.0, help="how long all fuzzers together run")
    parser.add_argument("--write", action="store_true", help=f"write {PAGE.relative_to(ROOT)}")
    return parser.parse_args()


def _simulation(seeds: int) -> list[Figure]:
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
    failed = [output for output, process in zip(outputs, running, strict=True) if process.returncode]
    print("".join(failed), end="", flush=True)
    return [
        Figure(
            "kills, restarts, cuts, freezes and delays of any of eight nodes, simulated",
            "the rules of the graph, declarations, streams, windows and losses are right after every step",
            f"{seeds} seeds, {'some failed' if failed else 'none failed'}",
            held=not failed,
        )
    ]


def _fuzz(minutes: float) -> list[Figure]:
    """Give each target its share of the time."""
    seconds = max(1, int(60 * minutes / len(TARGETS)))
    return [_fuzz_one(target, seconds) for target in TARGETS]


def _fuzz_one(target: str, seconds: int) -> Figure:
    command = [sys.executable, "-m", "tests.fuzz", target, f"-max_total_time={seconds}"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    last = [line for line in done.stderr.splitlines() if line.startswith("Done ")]
    if done.returncode:
        print(done.stderr[-3000:], flush=True)
    measured = last[0].removeprefix("Done ") if last else f"it ended with {done.returncode}"
    what = f"any bytes, at {target.replace('_', ' ')}"
    return Figure(what, "no crash, and nothing but typed errors", measured, held=not done.returncode)


if __name__ == "__main__":
    sys.exit(main())
