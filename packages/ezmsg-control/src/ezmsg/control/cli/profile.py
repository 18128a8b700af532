"""``ezmsg profile``: where the time goes in a running graph."""

import sys
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

from cyclopts import App, Parameter

from ezmsg.control.cli.options import AddressOption, JsonOption, TimeoutOption

if TYPE_CHECKING:
    from ezmsg.control.connection.client import ControlConnection
    from ezmsg.control.profiling.trace_recording import Recording
    from ezmsg.protocol.model.profiling import ProcessProfilingTraceBatch

profile = App(
    name="profile",
    help="See where the time goes in a running graph.",
    help_format="plaintext",
)

Format = Literal["perfetto", "chrome", "speedscope"]


@profile.command
def snapshot(*, address: AddressOption = None, json: JsonOption = False, timeout: TimeoutOption = 2.0) -> int:
    """Show what the publishers and subscribers of every process have counted so far."""
    import json as json_text

    from ezmsg.control.cli.asking import ask
    from ezmsg.control.connection.discovery import find_address
    from ezmsg.control.profiling.snapshots import profiling_snapshot_all
    from ezmsg.control.rendering.profiles import profile_lines
    from ezmsg.protocol.snapshots.json_form import to_json_form

    found, missing = ask(profiling_snapshot_all, find_address(address), timeout)
    if json:
        for process in found.values():
            print(json_text.dumps({"$schema": "ezmsg.profile/1", **to_json_form(process)}))
    else:
        for line in profile_lines(found.values()):
            print(line)
    for process_id, reason in missing.items():
        print(f"! process {process_id}: {reason}", file=sys.stderr)
    if missing and not found:
        print("ezmsg: No process has answered. A longer --timeout may help.", file=sys.stderr)
        return 5
    return 0


@profile.command
def blame(
    topic: Annotated[str, Parameter(help="The topic of the publisher that is held up.")],
    /,
    *,
    window: Annotated[float, Parameter(help="Seconds for which to watch.")] = 10.0,
    address: AddressOption = None,
    json: JsonOption = False,
    timeout: TimeoutOption = 2.0,
) -> int:
    """Watch a publisher for a while, and show for whom it waits."""
    import json as json_text

    from attrs import asdict

    from ezmsg.control.cli.asking import ask
    from ezmsg.control.connection.discovery import find_address
    from ezmsg.control.profiling.blame import Blame, checked_window, measure_blame
    from ezmsg.control.rendering.blame import blame_lines
    from ezmsg.protocol.snapshots.json_form import to_json_form

    checked_window("A wait", window)  # before anybody is connected to

    async def measure(connection: "ControlConnection", timeout: float) -> Blame:
        return await measure_blame(connection, topic, window_s=window, timeout=timeout)

    found = ask(measure, find_address(address), timeout)
    if json:
        print(json_text.dumps({"$schema": "ezmsg.blame/1", **to_json_form(asdict(found))}))
        return 0
    for line in blame_lines(found):
        print(line)
    for gap in found.gaps:
        print(f"! {gap}", file=sys.stderr)
    return 0


@profile.command
def trace(
    *,
    output: Annotated[Path, Parameter(name=["--output", "-o"], help="The file to write.")],
    seconds: Annotated[float, Parameter(help="Seconds for which to trace.")] = 5.0,
    format: Annotated[  # noqa: A002  the option's name
        Format, Parameter(help="perfetto (needs the extra [trace]) or chrome for ui.perfetto.dev, or speedscope.")
    ] = "perfetto",
    sample_mod: Annotated[int, Parameter(help="Take every so-manieth message only.")] = 1,
    address: AddressOption = None,
    json: JsonOption = False,
    timeout: TimeoutOption = 2.0,
) -> int:
    """Trace every message for a while, and write a file that shows them on their way."""
    import json as json_text

    from ezmsg.control.cli.asking import ask
    from ezmsg.control.cli.output_file import OutputFile
    from ezmsg.control.connection.discovery import find_address
    from ezmsg.control.profiling.blame import checked_window
    from ezmsg.control.profiling.trace_recording import Recording, record_traces

    export = _exporter(format)
    export(())  # what is missing for it is said before anything is traced
    checked_window("A trace", seconds)

    async def record(connection: "ControlConnection", timeout: float) -> Recording:
        return await record_traces(connection, seconds, sample_mod=sample_mod, timeout=timeout)

    try:
        file = OutputFile(output)  # before anything is traced, too
    except OSError as error:
        return _unwritable(output, error)
    with file:
        recording = ask(record, find_address(address), timeout)
        for process_id, reason in recording.failures.items():
            print(f"! process {process_id}: {reason}", file=sys.stderr)
        if not recording.batches:
            print(f"ezmsg: {_why_nothing(recording)} {output} was not written.", file=sys.stderr)
            return 1
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
        print(json_text.dumps({"$schema": "ezmsg.trace/1", **said}))
    else:
        print(f"{output}: {samples} samples of {processes} processes, {lost} lost", file=sys.stderr)
    return 0


def _unwritable(output: Path, error: OSError) -> int:
    print(f"ezmsg: {output} cannot be written: {error.strerror}.", file=sys.stderr)
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
