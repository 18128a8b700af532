"""``ezmsg process``: the processes of a running graph, and how they fare."""

import sys
from typing import TYPE_CHECKING, Annotated

from cyclopts import App, Parameter

from ezmsg.control.cli.options import AddressOption, JsonOption, TimeoutOption

if TYPE_CHECKING:
    from ezmsg.control.connection.client import ControlConnection
    from ezmsg.control.process.faring import Fare
    from ezmsg.protocol.model.process_control import ProcessPing
    from ezmsg.protocol.model.stacks import ProcessStacks

process = App(
    name="process",
    help="Show the processes of a running graph and how they fare.",
    help_format="plaintext",
)


@process.default
def list_all(*, address: AddressOption = None, json: JsonOption = False, timeout: TimeoutOption = 2.0) -> int:
    """Show every process: its units, processor, memory, how late its event loop is, and how soon it answers."""
    import json as json_text

    from attrs import asdict

    from ezmsg.control.cli.asking import ask
    from ezmsg.control.connection.discovery import find_address
    from ezmsg.control.graph.operations import take_snapshot
    from ezmsg.control.process.faring import take_fares
    from ezmsg.control.rendering.processes import process_lines
    from ezmsg.protocol.snapshots.json_form import to_json_form

    async def ask_all(connection: "ControlConnection", timeout: float) -> "list[Fare]":
        return await take_fares(connection, (await take_snapshot(connection, timeout)).processes.values(), timeout)

    server = find_address(address)
    fares = ask(ask_all, server, timeout)
    if json:
        head = {"$schema": "ezmsg.process/1"}
        for fare in fares:
            print(json_text.dumps({**head, **to_json_form(asdict(fare))}))
            head = {}
        return 0
    for line in process_lines(fares):
        print(line)
    for fare in fares:
        if fare.failure is not None:
            print(f"pid {fare.pid}: {fare.failure}", file=sys.stderr)
    print(f"{len(fares)} processes at {server}", file=sys.stderr)
    return 0


process.command(list_all, name="list")


@process.command(name="ping")
def ping_one(
    unit: Annotated[str, Parameter(help="A unit's address, or a beginning that only it has.")],
    /,
    *,
    address: AddressOption = None,
    json: JsonOption = False,
    timeout: TimeoutOption = 2.0,
) -> int:
    """Ask the process of a unit for a sign of life; it answers also while the unit keeps its loop busy."""
    import json as json_text
    import time

    from ezmsg.control.cli.asking import ask
    from ezmsg.control.cli.targets import resolved
    from ezmsg.control.connection.discovery import find_address
    from ezmsg.control.graph.operations import take_snapshot
    from ezmsg.control.process.requests import ping

    async def ask_it(connection: "ControlConnection", timeout: float) -> "tuple[str, ProcessPing, float]":
        owned = (await take_snapshot(connection, timeout)).processes.values()
        name = resolved(unit, [each for one in owned for each in one.units], "unit that a process owns")
        begin_s = time.perf_counter()
        answer = await ping(connection, name, timeout)
        return name, answer, time.perf_counter() - begin_s

    name, answer, took_s = ask(ask_it, find_address(address), timeout)
    if json:
        form = {"unit": name, "pid": answer.pid, "host": answer.host, "ping_s": took_s}
        print(json_text.dumps({"$schema": "ezmsg.process.ping/1", **form}))
        return 0
    print(f"{name}   pid {answer.pid} on {answer.host}   answered in {1000 * took_s:.1f} ms")
    return 0


@process.command(name="stacks")
def show_stacks(
    target: Annotated[
        str, Parameter(help="A process's number, or a unit of it, or a beginning that only that has.")
    ],
    /,
    *,
    address: AddressOption = None,
    json: JsonOption = False,
    timeout: TimeoutOption = 2.0,
) -> int:
    """Show where a process is: the stacks of its units' tasks and of all its threads, also while a unit blocks."""
    import json as json_text

    from ezmsg.control.cli.asking import ask
    from ezmsg.control.cli.targets import resolved_process
    from ezmsg.control.connection.discovery import find_address
    from ezmsg.control.errors import ProcessRequestFailed
    from ezmsg.control.graph.operations import take_snapshot
    from ezmsg.control.process.requests import process_stacks
    from ezmsg.control.rendering.stacks import stack_lines, visible
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
        print(f"ezmsg: The process of {target} does not tell its stacks: {older}.", file=sys.stderr)
        return 4
    if json:
        print(json_text.dumps({"$schema": "ezmsg.process.stacks/1", **to_json_form(stacks)}))
    else:
        for line in stack_lines(stacks):
            print(line)
    for gap in stacks.gaps:
        print(f"! {visible(gap)}", file=sys.stderr)
    return 0
