"""The words of ``ezmsg perf``: benchmark, report, compare, hotpath and ab, with the arguments that ezmsg 3.10 has.

``python -m ezmsg.util.perf.command hotpath`` is the same, and the way in which `ab` asks another interpreter.
"""

import argparse
import json
import sys
import time
import webbrowser
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from ezmsg.protocol.errors import EzmsgError
from ezmsg.protocol.surroundings.exact_options import ExactParser
from ezmsg.protocol.surroundings.visible import visible_lines
from ezmsg.util.perf.cases import APIS, PAYLOAD_SIZES, TRANSPORTS, all_cases, suite_form

_FAILED = 4


def command(argv: Sequence[str] | None = None) -> None:
    """Carry out a command line, and leave with a status if that is not 0."""
    status = main(argv)
    if status:
        sys.exit(status)


def main(argv: Sequence[str] | None = None, program: str = "ezmsg perf") -> int:
    """Carry out a command line and return the exit status."""
    words = list(sys.argv[1:] if argv is None else argv)
    options = build_parser(program).parse_args(words[1:] if words[:1] == ["perf"] else words)
    try:
        options._handler(options)
    except EzmsgError as error:
        sys.stderr.write(f"ezmsg: {visible_lines(str(error))}\n")
        return _FAILED
    except KeyboardInterrupt:
        return 130
    return 0


def build_parser(program: str = "ezmsg perf") -> argparse.ArgumentParser:
    """Return the parser; what it makes of a command line has the function to call as ``_handler``."""
    parser = ExactParser(prog=program, description="Measure how fast messages go on this machine.")
    add_verbs(parser.add_subparsers(dest="perf_command", required=True))
    return parser


def setup_perf_cmdline(subparsers: Any) -> None:
    """Add ``perf`` to somebody else's parser."""
    parser = subparsers.add_parser("perf", help="measure how fast messages go on this machine", allow_abbrev=False)
    add_verbs(parser.add_subparsers(dest="perf_command", required=True, parser_class=ExactParser))


def add_verbs(commands: Any) -> None:
    """Add all verbs."""
    _add_benchmark(commands.add_parser("benchmark", help="run graphs under load, and note what comes of it"))
    _add_report(commands.add_parser("report", help="write a page about a benchmark's file"))
    _add_compare(commands.add_parser("compare", help="write a page about a benchmark's file beside another one"))
    _add_hotpath(commands.add_parser("hotpath", help="time one message in flight"))
    _add_ab(commands.add_parser("ab", help="time two trees or interpreters in turns"))


# --- hotpath --------------------------------------------------------------------------------------------------


def _add_grid(parser: argparse.ArgumentParser, count: int, warmup: int, what: str) -> None:
    parser.add_argument("--count", type=int, default=count, help=f"messages of a sample ({count})")
    parser.add_argument("--warmup", type=int, default=warmup, help=f"messages before the first sample ({warmup})")
    parser.add_argument("--apis", nargs="*", choices=APIS, default=["async"], help="interfaces (async)")
    parser.add_argument(
        "--transports", nargs="*", choices=TRANSPORTS, default=list(TRANSPORTS), help="transports (all)"
    )
    parser.add_argument(
        "--payload-sizes", nargs="*", type=int, default=list(PAYLOAD_SIZES), help="bytes of a message (64 4096)"
    )
    parser.add_argument("--num-buffers", type=int, default=1, help="the publisher's buffers (1)")
    parser.add_argument("--trace", action="store_true", help="have every message traced meanwhile")
    parser.add_argument("--seed", type=int, default=0, help="decides the order (0)")
    parser.add_argument("--json-out", type=Path, help="write every number there")
    parser.add_argument("--quiet", action="store_true", help=f"log only errors of {what}")


def _add_hotpath(parser: argparse.ArgumentParser) -> None:
    _add_grid(parser, 5000, 500, "the run")
    parser.add_argument("--samples", type=int, default=5, help="samples of each case (5)")
    parser.set_defaults(_handler=_hotpath)


def _hotpath(options: argparse.Namespace) -> None:
    import ezmsg.core as ez
    from ezmsg.util.perf.hotpath import measure_case, quiet

    cases = all_cases(
        options.apis, options.transports, options.payload_sizes, options.num_buffers, options.trace, options.seed
    )
    results = []
    with quiet(options.quiet):
        server = ez.GraphServer()
        server.start(("127.0.0.1", 0))
        try:
            for case in cases:
                result = measure_case(case, options.count, options.warmup, options.samples, server.address)
                results.append(result)
                _say(_case_line(result))
        finally:
            server.stop()
    results.sort(key=lambda result: str(result["case_id"]))
    _write_json(options.json_out, suite_form(results, options.count, options.warmup, options.seed))


def _case_line(result: dict[str, Any]) -> str:
    summary = result["summary"]
    times = f"{summary['us_per_message_median']:10.2f} us/msg {summary['messages_per_second_median']:12,.0f} msg/s"
    return f"{result['case_id']:<58} {times}   cv={summary['seconds_cv']:.3f}"


# --- benchmark, report, compare -------------------------------------------------------------------------------


def _add_benchmark(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--max-duration", type=float, default=5.0, help="seconds that a test may take (5)")
    parser.add_argument("--num-msgs", type=int, default=1000, help="messages of each source (1000)")
    parser.add_argument("--num-buffers", type=int, default=1, help="publishers' buffers (1)")
    parser.add_argument("--iters", "-i", type=int, default=5, help="runs of a test, one after the other (5)")
    parser.add_argument("--repeats", "-r", type=int, default=10, help="rounds over all tests (10)")
    parser.add_argument("--msg-sizes", nargs="*", type=int, help="bytes of a message (16 1048576)")
    parser.add_argument("--n-clients", nargs="*", type=int, help="clients (1 16)")
    parser.add_argument("--comms", nargs="*", help="local, shm, tcp, shm_spread, tcp_spread (all)")
    parser.add_argument("--configs", nargs="*", help="fanin, fanout, relay (all)")
    parser.add_argument("--warmup", type=float, default=60.0, help="seconds of work before the first test (60)")
    parser.add_argument("--name", help="names perf_NAME.txt and report_NAME.html; else the time does")
    parser.add_argument("--no-browser", action="store_true", help="do not open the page")
    parser.set_defaults(_handler=_benchmark)


def _benchmark(options: argparse.Namespace) -> None:
    from ezmsg.core.errors import UnknownCommand
    from ezmsg.util.perf import benchmark
    from ezmsg.util.perf.loads import CONFIGS

    comms, configs = options.comms or benchmark.COMMS, options.configs or list(CONFIGS)
    for given, known in ((comms, benchmark.COMMS), (configs, list(CONFIGS))):
        for each in given:
            if each not in known:
                raise UnknownCommand(given=each, choices=list(known))
    tests = benchmark.all_tests(
        options.msg_sizes or benchmark.MSG_SIZES,
        options.n_clients or benchmark.N_CLIENTS,
        comms,
        configs,
        num_msgs=options.num_msgs,
        num_buffers=options.num_buffers,
        max_duration=options.max_duration,
    )
    name = options.name or time.strftime("%Y%m%d_%H%M%S")
    file = Path(f"perf_{name}.txt")
    benchmark.warm_up(options.warmup)
    benchmark.run_tests(tests, options.repeats, options.iters, file)
    _say(f"Every number is in {file}")
    _show(file, None, Path(f"report_{name}.html"), options.no_browser)


def _add_report(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("perf", type=Path, help="a benchmark's file")
    _add_page(parser)
    parser.set_defaults(_handler=lambda options: _show(options.perf, None, options.output, options.no_browser))


def _add_compare(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("perf", type=Path, help="a benchmark's file")
    parser.add_argument("--baseline", "-b", type=Path, required=True, help="the file that it is compared with")
    _add_page(parser)
    parser.set_defaults(
        _handler=lambda options: _show(options.perf, options.baseline, options.output, options.no_browser)
    )


def _add_page(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--output", type=Path, help="the page's file; else beside the benchmark's")
    parser.add_argument("--no-browser", action="store_true", help="do not open the page")


def _show(file: Path, baseline: Path | None, output: Path | None, no_browser: bool) -> None:
    from ezmsg.util.errors import BenchmarkUnreadable
    from ezmsg.util.perf.benchmark import read
    from ezmsg.util.perf.pages import medians, page

    read_files = []
    for each in (file, baseline):
        if each is None:
            continue
        try:
            found = list(read(each))
        except (OSError, UnicodeDecodeError) as error:
            raise BenchmarkUnreadable(file=str(each), reason=str(error)) from error
        if not medians(found):
            raise BenchmarkUnreadable(file=str(each), reason="it has no results in it")
        read_files.append(found)
    title = file.stem if baseline is None else f"{file.stem} beside {baseline.stem}"
    place = output or file.with_name(f"report_{file.stem.removeprefix('perf_')}.html")
    place.write_text(page(title, *read_files), encoding="utf-8")
    _say(f"The page is {place}")
    if not no_browser:
        webbrowser.open(place.resolve().as_uri())


# --- ab -------------------------------------------------------------------------------------------------------


def _add_ab(parser: argparse.ArgumentParser) -> None:
    for side, what in (("a", "baseline"), ("b", "candidate")):
        parser.add_argument(f"--ref-{side}", help=f"the commit of side {side.upper()}, the {what}; CURRENT is here")
        parser.add_argument(f"--dir-{side}", type=Path, help=f"a folder of sources for side {side.upper()}")
        parser.add_argument(f"--python-{side}", help=f"the interpreter of side {side.upper()}")
        parser.add_argument(f"--env-{side}", action="append", default=[], help="NAME=VALUE, any number of times")
    parser.add_argument("--env", action="append", default=[], help="NAME=VALUE for both sides")
    modes = ("shared", "existing")
    parser.add_argument("--env-mode", choices=modes, default="shared", help="whose interpreter")
    parser.add_argument("--force-shared-env", action="store_true", help="for scripts of ezmsg 3; always so")
    parser.add_argument("--rounds", type=int, default=6, help="pairs of runs (6)")
    parser.add_argument("--prewarm", type=int, default=1, help="runs of each side that do not count (1)")
    parser.add_argument("--keep-worktrees", action="store_true", help="leave the trees of commits")
    _add_grid(parser, 2000, 200, "both sides")
    parser.set_defaults(_handler=_ab)


def _ab(options: argparse.Namespace) -> None:
    from ezmsg.util.perf.ab import compare, lines
    from ezmsg.util.perf.sides import CURRENT, Side, interpreter, sources_of, tree, variables

    common = variables(options.env)
    grid = [
        *(
            "--count",
            str(options.count),
            "--warmup",
            str(options.warmup),
            "--num-buffers",
            str(options.num_buffers),
        ),
        *("--apis", *options.apis, "--transports", *options.transports),
        *("--payload-sizes", *map(str, options.payload_sizes), "--samples", "1"),
        *(["--trace"] if options.trace else []),
        *(["--quiet"] if options.quiet else []),
    ]
    keep = options.keep_worktrees
    with (
        tree(options.ref_a, options.dir_a, keep) as folder_a,
        tree(options.ref_b, options.dir_b, keep) as folder_b,
    ):
        side_a, side_b = (
            Side(
                str(given or ref or python or CURRENT),
                interpreter(python, folder, options.env_mode),
                sources_of(folder),
                {**common, **variables(own)},
            )
            for given, ref, python, folder, own in (
                (options.dir_a, options.ref_a, options.python_a, folder_a, options.env_a),
                (options.dir_b, options.ref_b, options.python_b, folder_b, options.env_b),
            )
        )
        form = compare(side_a, side_b, grid, options.rounds, options.prewarm, options.seed)
    for line in lines(form):
        _say(line)
    _write_json(options.json_out, form)


def _write_json(place: Path | None, form: dict[str, Any]) -> None:
    if place is not None:
        place.write_text(f"{json.dumps(form, indent=2)}\n", encoding="utf-8")
        _say(f"Every number is in {place}")


def _say(line: str) -> None:
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    command()
