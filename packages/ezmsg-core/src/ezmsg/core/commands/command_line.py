"""The command line of ezmsg 3: serve, start, shutdown, graphviz, mermaid, inspect and dashboard, and the demo.

It needs no extra. The verbs of today's ``ezmsg`` command are in :mod:`ezmsg.control.cli`; :func:`cmdline`, the way
in that programs written for ezmsg 3 know, has these too.
"""

import argparse
import asyncio
import contextlib
import inspect
import signal
import sys
from collections.abc import Coroutine, Sequence
from typing import Any, NoReturn

from ezmsg.protocol.addresses import Address
from ezmsg.protocol.errors import EzmsgError
from ezmsg.protocol.surroundings.exact_options import ExactParser

__all__ = ["build_parser", "cmdline", "main", "run_command"]

PROGRAM = "ezmsg.core"

COMMANDS = ("dashboard", "demo", "graphviz", "inspect", "mermaid", "serve", "shutdown", "start")


async def run_command(
    cmd: str,
    graph_address: Address,
    target: str = "live",
    compact: int | None = None,
    nobrowser: bool = False,
    dashboard: int | bool | None = None,
    log_file: str | None = None,
) -> None:
    """Carry out a command: ``serve``, ``start``, ``shutdown``, ``graphviz`` or ``mermaid``.

    :param target: for ``mermaid``, the site that draws: ``live``, ``play`` or ``ink``.
    :param compact: for drawings, how many levels of detail to leave out.
    :param nobrowser: for ``mermaid``, write the drawing's source instead of opening a browser.
    :param dashboard: for ``serve`` and ``start``, whether to serve the dashboard too, or the port for it.
    :param log_file: for ``serve`` and ``start``, a file to which the log is appended.
    :raises UnknownCommand: if it is none of them.
    :raises EzmsgError: if it cannot be carried out.
    """
    from ezmsg.core.commands import drawing, ending, serving

    match cmd:
        case "serve":
            await serving.serve(graph_address, dashboard, log_file)
        case "start":
            await serving.start(graph_address, dashboard, log_file)
        case "shutdown":
            await ending.shutdown(graph_address)
        case "graphviz":
            await drawing.graphviz(graph_address, compact)
        case "mermaid":
            await drawing.mermaid(graph_address, target, compact, nobrowser)
        case _:
            from ezmsg.core.errors import UnknownCommand

            choices = [each for each in COMMANDS if each not in ("dashboard", "demo", "inspect")]
            raise UnknownCommand(given=cmd, choices=choices)


def cmdline(argv: Sequence[str] | None = None) -> None:
    """Carry out a command line, and leave with a status if that is not 0."""
    arguments = list(sys.argv[1:] if argv is None else argv)
    if arguments and not arguments[0].startswith("-") and arguments[0] not in COMMANDS:
        from ezmsg.control.cli import main as run_verb

        status = run_verb(arguments)
    else:
        status = main(arguments)
    if status:
        sys.exit(status)


def main(arguments: Sequence[str] | None = None) -> int:
    """Carry out a command line of the commands in this module, and return the exit status.

    0 is well, 2 wrong usage, 3 no connection, 4 refused, 5 timed out, 130 interrupted.
    """
    from ezmsg.control.cli.encodings import escape_what_does_not_fit

    escape_what_does_not_fit()
    try:
        return carry_out(arguments)
    except EzmsgError as error:
        from ezmsg.control.cli.exits import exit_code
        from ezmsg.protocol.surroundings.visible import visible_lines

        sys.stderr.write(f"{visible_lines(str(error))}\n")
        return exit_code(error)


def carry_out(arguments: Sequence[str] | None, program: str = PROGRAM) -> int:
    """Carry out a command line as :func:`main` does, whose ``program`` is named so; what goes wrong is raised.

    :raises EzmsgError: if it cannot be carried out.
    """
    options = build_parser(program).parse_args(arguments)
    try:
        done = options._handler(options)
        if inspect.iscoroutine(done):
            done = asyncio.run(_until_terminated(done))
    except asyncio.CancelledError:  # SIGTERM
        return 0
    except KeyboardInterrupt:
        return 0 if options.command == "serve" else 130
    return done if isinstance(done, int) else 0


def build_parser(program: str = PROGRAM) -> argparse.ArgumentParser:
    """Return the parser; what it makes of a command line has the function to call as ``_handler``."""
    parser = ExactParser(prog=program, description="Real-time dataflow for Python.")
    versions = "say which parts are installed, and go"
    parser.add_argument("--version", action=_TellVersions, nargs=0, default=argparse.SUPPRESS, help=versions)
    commands = parser.add_subparsers(dest="command", required=True)
    _add_serving(commands, "serve", "serve the graph until the end is asked for")
    _add_serving(commands, "start", "start a graph server that stays, and return when it answers")
    shutdown = _add(commands, "shutdown", "end a graph server")
    graphviz = _add(commands, "graphviz", "write the graph for Graphviz")
    mermaid = _add(commands, "mermaid", "show the graph in a browser, drawn by Mermaid")
    for each in (shutdown, graphviz, mermaid):
        _add_address(each)
    for each in (graphviz, mermaid):
        each.add_argument("-c", "--compact", action="count", help="leave out a level of detail; -cc leaves out two")
    mermaid.add_argument("--target", default="live", help="the site that draws: live (default), play or ink")
    mermaid.add_argument("-n", "--nobrowser", action="store_true", help="write the source of the drawing instead")
    _add_inspect(commands)
    _add_demo(commands)
    _add_dashboard(commands)
    return parser


class _TellVersions(argparse.Action):
    """Says which parts of ezmsg are installed, when it is asked and not before."""

    def __call__(self, parser: argparse.ArgumentParser, *_: object) -> NoReturn:
        from importlib.metadata import distributions

        from ezmsg.protocol.surroundings.parts import version_text

        sys.stdout.write(f"{version_text('ezmsg-core', distributions())}\n")
        parser.exit()


async def _until_terminated(coroutine: Coroutine[Any, Any, Any]) -> Any:
    """Await, and take SIGTERM for what SIGINT is anyway: the end of what is under way."""
    task = asyncio.ensure_future(coroutine)
    with contextlib.suppress(NotImplementedError):  # Windows
        asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, task.cancel)
    return await task


def _add(commands: Any, name: str, help: str) -> argparse.ArgumentParser:  # noqa: A002  argparse's word
    parser: argparse.ArgumentParser = commands.add_parser(name, help=help, description=help)
    parser.set_defaults(_handler=_run)
    return parser


def _add_address(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--address", help="the graph server, HOST:PORT; default EZMSG_GRAPHSERVER_ADDR, else what runs here"
    )


def _add_serving(commands: Any, name: str, help: str) -> None:  # noqa: A002  argparse's word
    parser = _add(commands, name, help)
    _add_address(parser)
    parser.add_argument("--log-file", help="append the log to this file too; default EZMSG_LOG_FILE")
    parser.add_argument(
        "--dashboard", nargs="?", type=int, const=True, metavar="PORT", help="serve the dashboard too"
    )


def _add_inspect(commands: Any) -> None:
    parser = _add(commands, "inspect", "describe the components of a file or module as JSON, without running them")
    parser.add_argument("source", help="a Python file, or the name of a module")
    parser.add_argument("--component", help="only this class; else all that it defines")
    parser.add_argument("--indent", type=int, help="how far each level is indented; else all is one line")
    parser.set_defaults(_handler=_run_inspect)


def _add_demo(commands: Any) -> None:
    parser = _add(commands, "demo", "run a live graph on a real electrocardiogram")
    parser.add_argument("--seconds", type=float, help="how much of the record to play; default 20")
    parser.add_argument("--speed", choices=("real", "max"), default="real", help="the pace")
    parser.add_argument("--json", action="store_true", help="write JSON lines and nothing else")
    parser.add_argument("--slow", action="store_true", help="have a unit in it that is too slow")
    parser.add_argument("--top", action="store_true", help="open the terminal application on it")
    parser.set_defaults(_handler=_run_demo)


def _add_dashboard(commands: Any) -> None:
    """Let the dashboard's own package add its command, with its options."""
    from ezmsg.core.commands.dashboards import find_dashboard

    module = find_dashboard()
    if module is not None:
        module.setup_dashboard_cmdline(commands)
        return
    parser = _add(commands, "dashboard", "serve the dashboard of a running graph; needs ezmsg-dashboard")
    for option in ("--graph-address", "--host", "--port", "--log-level"):
        parser.add_argument(option, help=argparse.SUPPRESS)
    parser.add_argument("--open-browser", action="store_true", help=argparse.SUPPRESS)
    parser.set_defaults(_handler=_miss_dashboard)


def _run(options: argparse.Namespace) -> Coroutine[Any, Any, None]:
    from ezmsg.control.connection.discovery import DEFAULT_ADDRESS, find_address, named_address

    given = {name: value for name, value in vars(options).items() if name not in ("command", "address", "_handler")}
    if options.command in ("serve", "start"):  # where a server is to be, whatever else runs
        address = named_address(options.address) or DEFAULT_ADDRESS
    else:
        address = find_address(options.address)
    return run_command(options.command, address, **given)


def _run_demo(options: argparse.Namespace) -> int:
    from ezmsg.core.demo.command import demo

    return demo(seconds=options.seconds, speed=options.speed, json=options.json, slow=options.slow, top=options.top)


def _run_inspect(options: argparse.Namespace) -> None:
    from ezmsg.core.commands.programs.inspecting import inspect

    inspect(options.source, options.component, options.indent)


def _miss_dashboard(_: argparse.Namespace) -> None:
    from ezmsg.core.commands.dashboards import require_dashboard

    require_dashboard()
