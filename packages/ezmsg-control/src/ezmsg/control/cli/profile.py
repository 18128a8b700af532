"""``ezmsg profile``: where the time goes in a running graph."""

from collections.abc import Callable, Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

from cyclopts import App, Parameter

from ezmsg.control.cli.options import AddressOption, JsonOption, SampleModOption, TimeoutOption
from ezmsg.control.cli.saying import note, say, say_json
from ezmsg.control.cli.watching import watchable
from ezmsg.control.rendering.quantities import counted

if TYPE_CHECKING:
    from ezmsg.control.connection.client import ControlConnection
    from ezmsg.control.profiling.trace_recording import Recording
    from ezmsg.protocol.addresses import Address
    from ezmsg.protocol.model.profiling import ProcessProfilingTraceBatch

profile = App(
    name="profile",
    help="See where the time goes in a running graph. For example:\n\nezmsg profile blame",
    help_format="plaintext",
)

_NO_CONNECTION = 3

Format = Literal["perfetto", "chrome", "speedscope"]


@profile.command
@watchable
def snapshot(*, address: AddressOption = None, json: JsonOption = False, timeout: TimeoutOption = 2.0) -> int:
    """Show what the publishers and subscribers of every process have counted so far.

    For example:

    ezmsg profile snapshot
    """
    from ezmsg.control.cli.asking import ask
    from ezmsg.control.connection.discovery import find_address
    from ezmsg.control.profiling.snapshots import profiling_snapshot_all
    from ezmsg.control.rendering.profiles import profile_lines
    from ezmsg.protocol.snapshots.json_form import to_json_form

    found, missing = ask(profiling_snapshot_all, find_address(address), timeout)
    if json:
        for process in found.values():
            say_json({"$schema": "ezmsg.profile/1", **to_json_form(process)})
    else:
        say(profile_lines(found.values()))
    for process_id, reason in missing.items():
        note(f"! process {process_id}: {reason}")
    if missing and not found:
        note("ezmsg: No process has answered. A longer --timeout may help.")
        return 5
    return 0


@profile.command
@watchable
def blame(
    topic: Annotated[
        str | None,
        Parameter(help="The publisher's topic, or a beginning that only it has. Default: the one that waits most."),
    ] = None,
    /,
    *,
    window: Annotated[float, Parameter(help="Seconds for which to watch.")] = 10.0,
    address: AddressOption = None,
    json: JsonOption = False,
    timeout: TimeoutOption = 2.0,
) -> int:
    """Watch a publisher for a while, and show for whom it waits.

    For example, of the one that waits most, and of another one for two seconds:

    ezmsg profile blame

    ezmsg profile blame DEMO/GEN --window 2
    """
    from attrs import asdict

    from ezmsg.control.cli.asking import ask
    from ezmsg.control.cli.progress import progress
    from ezmsg.control.cli.targets import resolved_publisher
    from ezmsg.control.connection.discovery import find_address
    from ezmsg.control.profiling.blame import Blame, checked_window, measure_blame, publishing
    from ezmsg.control.rendering.blame import blame_lines
    from ezmsg.protocol.snapshots.json_form import to_json_form

    checked_window("A wait", window)  # before anybody is connected to

    async def measure(connection: "ControlConnection", timeout: float) -> Blame:
        meant = None if topic is None else resolved_publisher(topic, await publishing(connection, timeout))
        async with progress("watching who waits", window):
            return await measure_blame(connection, meant, window_s=window, timeout=timeout)

    found = ask(measure, find_address(address), timeout)
    if json:
        say_json({"$schema": "ezmsg.blame/1", **to_json_form(asdict(found))})
        return 0
    say(blame_lines(found))
    for gap in found.gaps:
        note(f"! {gap}")
    return 0


@profile.command
def trace(
    *,
    output: Annotated[Path, Parameter(name=["--output", "-o"], help="The file to write.")],
    seconds: Annotated[float, Parameter(help="Seconds for which to trace.")] = 5.0,
    format: Annotated[  # noqa: A002  the option's name
        Format, Parameter(help="perfetto (needs the extra [trace]) or chrome for ui.perfetto.dev, or speedscope.")
    ] = "perfetto",
    sample_mod: SampleModOption = 1,
    address: AddressOption = None,
    json: JsonOption = False,
    timeout: TimeoutOption = 2.0,
) -> int:
    """Trace every message for a while, and write a file that shows them on their way.

    Ctrl-C ends it early; what was traced until then is written, also if the server goes away. For example:

    ezmsg profile trace -o trace.json --format chrome --seconds 2
    """
    import asyncio

    from ezmsg.control.cli.asking import ask
    from ezmsg.control.cli.interrupts import on_interrupt
    from ezmsg.control.cli.output_file import OutputFile
    from ezmsg.control.cli.progress import progress
    from ezmsg.control.connection.discovery import find_address
    from ezmsg.control.profiling.blame import checked_window
    from ezmsg.control.profiling.trace_recording import Recording, record_traces

    export = _exporter(format)
    export(())  # what is missing for it is said before anything is traced
    checked_window("A trace", seconds)

    gone: list[Address] = []

    async def record(connection: "ControlConnection", timeout: float) -> Recording:
        stop = asyncio.Event()

        def end(why: str) -> None:
            if not stop.is_set():
                note(f"{why}: what was traced until now is kept.")
                stop.set()

        def lose(_: object) -> None:
            end(f"The graph server at {connection.address} is gone")
            gone.append(connection.address)

        connection.on_lost(lose)
        with on_interrupt(lambda: end("Interrupted")):
            async with progress("tracing", seconds):
                return await record_traces(connection, seconds, sample_mod=sample_mod, timeout=timeout, until=stop)

    try:
        file = OutputFile(output)  # before anything is traced, too
    except OSError as error:
        return _unwritable(output, error)
    with file:
        recording = ask(record, find_address(address), timeout)
        for process_id, reason in () if gone else recording.failures.items():
            note(f"! process {process_id}: {reason}")
        if not recording.batches:
            note(f"ezmsg: {_why_nothing(recording)} {output} was not written.")
            return _NO_CONNECTION if gone else 1
        data = export(recording.batches)
        try:
            file.write(data)
        except OSError as error:
            return _unwritable(output, error)
    samples = sum(len(batch.samples) for batch in recording.batches)
    lost = sum(batch.lost_samples for batch in recording.batches)
    processes = len({batch.process_id for batch in recording.batches})
    if json:
        said = {"file": str(output), "processes": processes, "samples": samples, "lost_samples": lost}
        say_json({"$schema": "ezmsg.trace/1", **said})
    else:
        note(f"{output}: {counted(samples, 'sample')} of {counted(processes, 'process')}, {lost} lost")
    return _NO_CONNECTION if gone else 0


def _unwritable(output: Path, error: OSError) -> int:
    note(f"ezmsg: {output} cannot be written: {error.strerror}.")
    return 1


def _why_nothing(recording: "Recording") -> str:
    if recording.processes == 0:
        return "No process owns a unit, so there is nothing to trace."
    if len(recording.failures) == recording.processes:
        return "No process has told what it traced."
    return "No message was on its way while it was traced."


def _exporter(name: Format) -> "Callable[[Iterable[ProcessProfilingTraceBatch]], bytes]":
    match name:
        case "perfetto":
            from ezmsg.control.exporting.perfetto import to_perfetto

            return to_perfetto
        case "chrome":
            from ezmsg.control.exporting.chrome import to_chrome_json

            return lambda batches: to_chrome_json(batches).encode()
        case "speedscope":
            from ezmsg.control.exporting.speedscope import to_speedscope_json

            return lambda batches: to_speedscope_json(batches).encode()
