"""``hatch run ecosystem``: the suites of packages that build on ezmsg, on ours and on the public package.

Each package comes from the index, its tests from its source distribution, and nothing of either is changed. The
exit status says whether a suite is below its result on the public package, or a real use fails on ours.
"""

import argparse
import sys
import traceback
from pathlib import Path

from outcomes import Comparison, Suite, load, save, table
from packages import Package, selected
from places import Environment, NotPossible, Side, build_wheels, fetch_tests

HERE = Path(__file__).parent
REAL = {
    "pipeline": ("ezmsg-sigproc",),
    "dashboard_live": ("ezmsg-dashboard", "ezmsg-sigproc", "httpx", "websockets"),
}
"""The scripts that use packages as people do, and what they need."""


def compare(package: Package, folder: Path, wheels: Path, sides: list[str]) -> Comparison:
    """Run one package's suite on both sides."""
    suites = {"ours": Suite(problem="not asked for"), "public": Suite(problem="not asked for")}
    version = "?"
    for side in (Side.ours(wheels), Side.public()):
        if side.name not in sides:
            continue
        try:
            environment = Environment.make(folder / f"{package.name}-{side.name}", side, package)
            version = environment.version(package.distribution)
            tests = fetch_tests(package, version, folder / f"{package.name}-tests-{side.name}")
            if tests is None:
                suites[side.name] = Suite(problem="its source distribution has no tests")
                continue
            suites[side.name] = environment.run_suite(tests, package)
        except NotPossible as error:
            suites[side.name] = Suite(problem=str(error))
    comparison = Comparison(package.distribution, version, suites["ours"], suites["public"], package.left_out)
    if comparison.worse and not comparison.ours.problem:
        environment = Environment(folder / f"{package.name}-ours")
        tests = next((folder / f"{package.name}-tests-ours").glob("*/tests")).parent
        environment.run_again(tests, package, comparison.ours, comparison.worse)
    return comparison


def use_for_real(folder: Path, wheels: Path) -> list[str]:
    """Run the scripts on both sides; return what went wrong on ours."""
    wrong = []
    for name, needs in REAL.items():
        for side in (Side.ours(wheels), Side.public()):
            try:
                environment = Environment.make(folder / f"{name}-{side.name}", side, None, needs)
                print(f"{name:<16}{side.name:<8}{environment.run_script(HERE / f'{name}.py')}", flush=True)
            except NotPossible as error:
                print(f"{name:<16}{side.name:<8}FAILED: {error}", flush=True)
                if side.name == "ours":
                    wrong.append(name)
    return wrong


def parse() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("packages", nargs="*", help="such as sigproc; all of them if none is named")
    parser.add_argument(
        "--folder", type=Path, default=Path.home() / ".cache" / "ezmsg-ecosystem", help="(%(default)s)"
    )
    parser.add_argument("--side", choices=("ours", "public"), action="append", help="only this side")
    parser.add_argument("--real", action="store_true", help="only the pipelines and the dashboard")
    parser.add_argument("--table", action="store_true", help="print what is recorded, and run nothing")
    return parser.parse_args()


def main() -> int:
    """Run what is asked for, record it, and print the table of all that is recorded."""
    options = parse()
    options.folder.mkdir(parents=True, exist_ok=True)
    record, wheels = options.folder / "record.json", options.folder / "wheels"
    known, wrong = load(record), []
    try:
        packages = selected(options.packages)
        if not options.table:
            build_wheels(wheels)
    except (ValueError, NotPossible) as error:
        print(error, file=sys.stderr)
        return 2
    if options.real or not (options.packages or options.table):
        wrong = use_for_real(options.folder, wheels)
    for package in [] if options.real or options.table else packages:
        print(f"{package.distribution} ...", flush=True)
        try:
            known[package.distribution] = compare(
                package, options.folder, wheels, options.side or ["ours", "public"]
            )
        except Exception:  # noqa: BLE001  the other packages are to be tried, too
            traceback.print_exc()
            wrong.append(package.distribution)
        save(record, known)
    shown = [known[each.distribution] for each in packages if each.distribution in known]
    print("\n".join(table(shown)))
    for each in shown:
        for test in each.worse:
            print(f"  {each.name}: {test} passes on the public package only")
        if each.left_out:
            print(f"  {each.name}: left out is {each.left_out}")
        for name, suite in (("ours", each.ours), ("public", each.public)):
            if suite.problem:
                print(f"  {each.name}, {name}: {suite.problem}")
    return 1 if wrong or not all(each.good for each in shown) else 0


if __name__ == "__main__":
    sys.exit(main())
