"""``ezmsg process``: the processes of a running graph, and how they fare."""

from typing import TYPE_CHECKING, Annotated

from cyclopts import App, Parameter

from ezmsg.control.cli.options import AddressOption, JsonOption, TimeoutOption
from ezmsg.control.cli.saying import note, say, say_json
from ezmsg.control.cli.watching import watchable
from ezmsg.control.rendering.quantities import counted

if TYPE_CHECKING:
    from ezmsg.control.connection.client import ControlConnection
    from ezmsg.control.process.faring import Fare
    from ezmsg.protocol.model.process_control import ProcessPing
    from ezmsg.protocol.model.profiling import ProcessProfilingSnapshot
    from ezmsg.protocol.model.stacks import ProcessStacks

_TIMED_OUT = 5

Target = Annotated[str, Parameter(help="A process's number, or a unit of it, or a beginning that only that has.")]

process = App(
    name="process",
    help="Show the processes of a running graph and how they fare. For example:\n\nezmsg process",
    help_format="plaintext",
)


@process.default
@watchable
def list_all(*, address: AddressOption = None, json: JsonOption = False, timeout: TimeoutOption = 2.0) -> int:
    """Show every process: its units, processor, memory, how late its event loop is, and how soon it answers.

    A loop that is more than 20 ms late is marked with !, and so is a PING above 100 ms. Of a loop that is
    blocked, LOOP LATE is for how long it has been. A process that is starting names the unit whose initialize() it
    waits for, and for how long; one that is ready waits for others. By its signs of life a process is ALIVE, which
    is not said, STALLED if its units' event loop has not moved for 3 s, UNRESPONSIVE if it says nothing at all, and
    DEAD if its host is lost, too. For example:

    ezmsg process
    """
    from attrs import asdict

    from ezmsg.control.cli.asking import ask
    from ezmsg.control.connection.discovery import find_address
    from ezmsg.control.graph.operations import take_snapshot
    from ezmsg.control.process.faring import take_fares
    from ezmsg.control.rendering.processes import MARK_SAID, is_marked, process_lines
    from ezmsg.protocol.snapshots.json_form import to_json_form

    async def ask_all(connection: "ControlConnection", timeout: float) -> "list[Fare]":
        snapshot = await take_snapshot(connection, timeout)
        return await take_fares(connection, [*snapshot.processes.values(), *snapshot.dead.values()], timeout)

    server = find_address(address)
    fares = ask(ask_all, server, timeout)
    if json:
        head = {"$schema": "ezmsg.process/1"}
        for fare in fares:
            say_json({**head, **to_json_form(asdict(fare))})
            head = {}
        return 0
    say(process_lines(fares))
    for fare in fares:
        if fare.failure is not None:
            note(f"pid {fare.pid}: {fare.failure}")
    if any(map(is_marked, fares)):
        note(MARK_SAID)
    note(f"{counted(len(fares), 'process')} at {server}")
    return 0


process.command(list_all, name="list")


@process.command
@watchable
def info(
    target: Target,
    /,
    *,
    address: AddressOption = None,
    json: JsonOption = False,
    timeout: TimeoutOption = 2.0,
) -> int:
    """Show one process: its units, how it fares, and what its publishers and subscribers have counted.

    For example, of the process that has the unit DEMO/DECODE:

    ezmsg process info DEMO/DECODE
    """
    from attrs import asdict

    from ezmsg.control.cli.asking import ask
    from ezmsg.control.cli.targets import resolved_process
    from ezmsg.control.connection.discovery import find_address
    from ezmsg.control.errors import ProcessRequestFailed
    from ezmsg.control.graph.operations import take_snapshot
    from ezmsg.control.process.faring import take_fares
    from ezmsg.control.profiling.snapshots import profiling_snapshot
    from ezmsg.control.rendering.processes import info_lines
    from ezmsg.control.rendering.profiles import profile_lines
    from ezmsg.protocol.snapshots.json_form import to_json_form

    async def ask_it(
        connection: "ControlConnection", timeout: float
    ) -> "tuple[Fare, ProcessProfilingSnapshot | None]":
        owned = (await take_snapshot(connection, timeout)).processes.values()
        unit = resolved_process(target, owned)
        (fare,) = await take_fares(connection, [one for one in owned if unit in one.answers_for], timeout)
        if fare.failure is not None:
            return fare, None
        try:
            return fare, await profiling_snapshot(connection, unit, timeout)
        except ProcessRequestFailed as error:
            note(f"! what it has counted is not known: {error.reason}")
            return fare, None

    fare, counts = ask(ask_it, find_address(address), timeout)
    if json:
        form = {**to_json_form(asdict(fare)), "profile": to_json_form(counts)}
        say_json({"$schema": "ezmsg.process.info/1", **form})
    else:
        say(info_lines(fare))
        if counts is not None:
            _, *endpoints = profile_lines([counts])
            say(endpoints)
    if fare.failure is None:
        return 0
    note(f"ezmsg: pid {fare.pid} does not answer: {fare.failure}. A longer --timeout may help.")
    return _TIMED_OUT


@process.command(name="ping")
def ping_one(
    unit: Annotated[str, Parameter(help="A unit's address, or a beginning that only it has.")],
    /,
    *,
    address: AddressOption = None,
    json: JsonOption = False,
    timeout: TimeoutOption = 2.0,
) -> int:
    """Ask the process of a unit for a sign of life; it answers also while the unit keeps its loop busy.

    For example:

    ezmsg process ping DEMO/DECODE
    """
    import time

    from ezmsg.control.cli.asking import ask
    from ezmsg.control.cli.targets import resolved
    from ezmsg.control.connection.discovery import find_address
    from ezmsg.control.graph.operations import take_snapshot
    from ezmsg.control.process.requests import ping

    async def ask_it(connection: "ControlConnection", timeout: float) -> "tuple[str, ProcessPing, float]":
        owned = (await take_snapshot(connection, timeout)).processes.values()
        name = resolved(unit, [each for one in owned for each in one.answers_for], "unit that a process owns")
        begin_s = time.perf_counter()
        answer = await ping(connection, name, timeout)
        return name, answer, time.perf_counter() - begin_s

    name, answer, took_s = ask(ask_it, find_address(address), timeout)
    if json:
        form = {"unit": name, "pid": answer.pid, "host": answer.host, "ping_s": took_s}
        say_json({"$schema": "ezmsg.process.ping/1", **form})
        return 0
    say([f"{name}   pid {answer.pid} on {answer.host}   answered in {1000 * took_s:.1f} ms"])
    return 0


@process.command(name="stacks")
@watchable
def show_stacks(
    target: Target,
    /,
    *,
    all: Annotated[  # noqa: A002  the option's name
        bool, Parameter(negative="", help="Show every frame, also ezmsg's and Python's, and all who only wait.")
    ] = False,
    address: AddressOption = None,
    json: JsonOption = False,
    timeout: TimeoutOption = 2.0,
) -> int:
    """Show where a process is in the program's own code, task by task, also while a unit blocks.

    For example, of the process that has the unit DEMO/DECODE:

    ezmsg process stacks DEMO/DECODE
    """
    from ezmsg.control.cli.asking import ask
    from ezmsg.control.cli.targets import resolved_process
    from ezmsg.control.connection.discovery import find_address
    from ezmsg.control.errors import ProcessRequestFailed
    from ezmsg.control.graph.operations import take_snapshot
    from ezmsg.control.process.requests import process_stacks
    from ezmsg.control.rendering.stacks import folded_lines, stack_lines
    from ezmsg.protocol.model.process_control import ProcessControlErrorCode
    from ezmsg.protocol.snapshots.json_form import to_json_form

    async def ask_it(connection: "ControlConnection", timeout: float) -> "ProcessStacks":
        unit = resolved_process(target, (await take_snapshot(connection, timeout)).processes.values())
        return await process_stacks(connection, unit, timeout)

    try:
        stacks = ask(ask_it, find_address(address), timeout)
    except ProcessRequestFailed as error:
        codes = (ProcessControlErrorCode.HANDLER_NOT_CONFIGURED, ProcessControlErrorCode.UNSUPPORTED_OPERATION)
        if error.error_code not in [code.value for code in codes]:
            raise
        older = "it is of a release of ezmsg that does not know how to. Start it again with a newer one"
        note(f"ezmsg: The process of {target} does not tell its stacks: {older}.")
        return 4
    if json:
        say_json({"$schema": "ezmsg.process.stacks/1", **to_json_form(stacks)})
    else:
        say(stack_lines(stacks) if all else folded_lines(stacks))
    for gap in stacks.gaps:
        note(f"! {gap}")
    return 0
