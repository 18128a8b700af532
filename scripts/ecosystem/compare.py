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
REAL: dict[str, tuple[str, ...]] = {"pipeline": (), "tuned_live": (), "dashboard_live": ("--browser",)}
"""The scripts that use packages as people do, and with which arguments."""

QUICK: dict[str, tuple[str, ...]] = {"pipeline": (), "dashboard_live": ()}
"""Those for each change, and without a browser."""

NEEDED = ("ezmsg-dashboard", "ezmsg-sigproc", "httpx", "websockets")
"""What they need beside ezmsg."""

NO_MATTER = ("seconds", "events")
"""What may differ between the sides."""


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


def use_for_real(folder: Path, sides: list[Side], scripts: dict[str, tuple[str, ...]]) -> list[str]:
    """Run the scripts on each side; return what went wrong on ours, or was different there.

    :raises NotPossible: if there is no environment for them.
    """
    wrong = []
    browser = ("playwright",) if any("--browser" in arguments for arguments in scripts.values()) else ()
    environments = {
        side.name: Environment.make(folder / f"real-{side.name}", side, None, (*NEEDED, *browser)) for side in sides
    }
    for name, arguments in scripts.items():
        found: dict[str, dict[str, object]] = {}
        for side, environment in environments.items():
            try:
                found[side] = environment.run_script(HERE / f"{name}.py", *arguments)
                print(f"{name:<16}{side:<8}{found[side]}", flush=True)
            except NotPossible as error:
                print(f"{name:<16}{side:<8}FAILED: {error}", flush=True)
        ours, others = _compared(found.get("ours")), [_compared(each) for each in found.values()]
        if ours is None or any(each != ours for each in others):
            wrong.append(name)
            print(f"{name} {'FAILS' if ours is None else 'does not do the same'} on ours", flush=True)
    return wrong


def _compared(form: dict[str, object] | None) -> dict[str, object] | None:
    return form and {name: value for name, value in form.items() if name not in NO_MATTER}


def parse() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(allow_abbrev=False, description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("packages", nargs="*", help="such as sigproc; all of them if none is named")
    parser.add_argument(
        "--folder", type=Path, default=Path.home() / ".cache" / "ezmsg-ecosystem", help="(%(default)s)"
    )
    parser.add_argument("--side", choices=("ours", "public"), action="append", help="only this side")
    parser.add_argument("--real", action="store_true", help="only the pipelines and the dashboard")
    parser.add_argument(
        "--quick", action="store_true", help="only on ours, and only what is looked at with each change"
    )
    parser.add_argument("--table", action="store_true", help="print what is recorded, and run nothing")
    return parser.parse_args()


def try_packages(packages: list[Package], folder: Path, wheels: Path, sides: list[str]) -> bool:
    """Run the suites of packages, record them and print the table; return whether ours is below none."""
    record, well = folder / "record.json", True
    known = load(record)
    for package in packages if sides else []:
        print(f"{package.distribution} ...", flush=True)
        try:
            known[package.distribution] = compare(package, folder, wheels, sides)
        except Exception:  # noqa: BLE001  the other packages are to be tried, too
            traceback.print_exc()
            well = False
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
    return well and all(each.good for each in shown)


def main() -> int:
    """Do what is asked for; 0 says that all is well on ours, 2 that it could not be tried."""
    options = parse()
    options.folder.mkdir(parents=True, exist_ok=True)
    wheels = options.folder / "wheels"
    sides = [] if options.table else options.side or ["ours", "public"]
    only_real, wrong = options.real or options.quick, []
    try:
        packages = selected(options.packages)
        if sides:
            build_wheels(wheels)
        if sides and (only_real or not options.packages):
            both = [Side.ours(wheels)] if options.quick else [Side.ours(wheels), Side.public()]
            wrong = use_for_real(options.folder, both, QUICK if options.quick else REAL)
    except ValueError as error:
        print(error, file=sys.stderr)
        return 2
    except NotPossible as error:
        print(f"What this needs could not be installed; can the package index be reached? {error}", file=sys.stderr)
        return 2
    if only_real:
        return 1 if wrong else 0
    return 0 if try_packages(packages, options.folder, wheels, sides) and not wrong else 1


if __name__ == "__main__":
    sys.exit(main())
