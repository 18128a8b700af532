"""Run seeds of the simulation: ``python -m tests.simulation 10000``, or one of them, ``--seed 17``."""

import argparse
import sys
import time

from tests.simulation.plan import STEPS
from tests.simulation.searching import search


def main() -> int:
    """Run, and return how the process ends."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("seeds", nargs="?", type=int, default=1000, help="how many")
    parser.add_argument("--first", type=int, default=0, help="the first of them")
    parser.add_argument("--seed", type=int, help="run only this one, and tell each step")
    parser.add_argument("--steps", type=int, default=STEPS, help="how many orders and faults there are in each")
    options = parser.parse_args()
    first, number = (options.first, options.seeds) if options.seed is None else (options.seed, 1)
    began_s = time.process_time()
    found = search(range(first, first + number), print, options.steps)
    print(f"{number} seeds, {found} failed, {time.process_time() - began_s:.1f} s of processor time")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
