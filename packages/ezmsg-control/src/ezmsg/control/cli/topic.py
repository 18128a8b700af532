"""``ezmsg topic``: topics of a running graph, and what flows through them."""

from typing import TYPE_CHECKING, Annotated

from cyclopts import App, Parameter

from ezmsg.control.cli.options import AddressOption, JsonOption, TimeoutOption
from ezmsg.control.cli.passing_on import passing_on
from ezmsg.control.cli.saying import note, say, say_json
from ezmsg.control.cli.watching import watchable
from ezmsg.control.rendering.quantities import counted
from ezmsg.protocol.surroundings.entry_points import installed

if TYPE_CHECKING:
    from ezmsg.control.profiling.rating import Rates

topic = App(
    name="topic",
    help="Show the topics of a running graph, and what flows through them. For example:\n\nezmsg topic hz",
    help_format="plaintext",
)

MORE = "ezmsg.commands.topic"
"""The group of entry points by which other distributions add verbs to this one, imported when carried out."""

_ELSEWHERE = {"echo": "ezmsg-core", "pub": "ezmsg-core"}

Target = Annotated[str | None, Parameter(help="A topic, a beginning that only it has, or a pattern with *.")]
Window = Annotated[float, Parameter(help="Seconds over which to count.")]


@topic.default
@watchable
def list_all(*, address: AddressOption = None, json: JsonOption = False, timeout: TimeoutOption = 2.0) -> int:
    """Show every topic: its unit, by how many it is fed, and how many it feeds.

    For example:

    ezmsg topic
    """
    from attrs import asdict

    from ezmsg.control.cli.asking import ask
    from ezmsg.control.connection.discovery import find_address
    from ezmsg.control.graph.operations import take_snapshot
    from ezmsg.control.rendering.topics import list_lines, topics

    server = find_address(address)
    known = topics(ask(take_snapshot, server, timeout))
    if json:
        head = {"$schema": "ezmsg.topic/1"}
        for each in known.values():
            say_json({**head, **asdict(each)})
            head = {}
        return 0
    say(list_lines(known))
    note(f"{counted(len(known), 'topic')} at {server}")
    return 0


topic.command(list_all, name="list")


@topic.command
@watchable
def info(
    name: Annotated[str, Parameter(help="A topic, or a beginning that only it has.")],
    /,
    *,
    address: AddressOption = None,
    json: JsonOption = False,
    timeout: TimeoutOption = 2.0,
) -> int:
    """Show one topic: its unit, the type of its messages, what it feeds and what feeds it.

    For example:

    ezmsg topic info DEMO/GEN/OUTPUT
    """
    from attrs import asdict

    from ezmsg.control.cli.asking import ask
    from ezmsg.control.cli.targets import resolved
    from ezmsg.control.connection.discovery import find_address
    from ezmsg.control.graph.operations import take_snapshot
    from ezmsg.control.rendering.topics import info_lines, topics

    known = topics(ask(take_snapshot, find_address(address), timeout))
    found = known[resolved(name, known, "topic", "a name")]
    if json:
        say_json({"$schema": "ezmsg.topic/1", **asdict(found)})
        return 0
    say(info_lines(found))
    return 0


@topic.command
@watchable
def hz(
    target: Target = None,
    /,
    *,
    window: Window = 2.0,
    address: AddressOption = None,
    json: JsonOption = False,
    timeout: TimeoutOption = 2.0,
) -> int:
    """Show how many messages a second flow through topics; nothing is subscribed to for it.

    For example:

    ezmsg topic hz 'DEMO/*'
    """
    return _flows(target, window, address, timeout, json=json, bytes_first=False)


@topic.command
@watchable
def bw(
    target: Target = None,
    /,
    *,
    window: Window = 2.0,
    address: AddressOption = None,
    json: JsonOption = False,
    timeout: TimeoutOption = 2.0,
) -> int:
    """Show how many bytes a second flow through topics; nothing is subscribed to for it.

    For example:

    ezmsg topic bw 'DEMO/*'
    """
    return _flows(target, window, address, timeout, json=json, bytes_first=True)


def _flows(
    target: str | None, window: float, address: str | None, timeout: float, *, json: bool, bytes_first: bool
) -> int:
    from attrs import asdict

    from ezmsg.control.cli.asking import ask
    from ezmsg.control.cli.progress import progress
    from ezmsg.control.cli.targets import matching
    from ezmsg.control.connection.discovery import find_address
    from ezmsg.control.profiling.blame import checked_window
    from ezmsg.control.profiling.rating import measure_rates
    from ezmsg.control.rendering.topics import flow_lines, flows

    checked_window("A rate", window)  # before anybody is connected to

    async def measure(connection: object, timeout: float) -> "Rates":
        async with progress("counting", window):
            return await measure_rates(connection, window, timeout)  # type: ignore[arg-type]

    rates = ask(measure, find_address(address), timeout)
    found = flows(rates.courses.values())
    wanted = matching(target, found, "topic with a publisher")
    shown = {name: found[name] for name in wanted}
    if json:
        head = {"$schema": "ezmsg.topic.flow/1"}
        for each in shown.values():
            say_json({**head, **asdict(each)})
            head = {}
    else:
        say(flow_lines(shown, bytes_first=bytes_first))
    for process_id, reason in rates.missing.items():
        note(f"! process {process_id}: {reason}")
    if not json:
        note(f"counted where it is published over {window:g} s; nothing was subscribed to measure this")
    return 5 if rates.missing and not found else 0


def _absent(name: str, owner: str) -> App:
    def say_whose(_: list[str]) -> int:
        note(f"ezmsg: topic {name} is a verb of {owner}, which is not installed: pip install {owner}")
        return 1

    return passing_on(name, say_whose, help=f"Needs {owner}, which is not installed.")


def _add_others() -> None:
    there = installed(MORE)
    for name, (place, _) in there.items():
        topic.command(place, name=name)
    for name, owner in _ELSEWHERE.items():
        if name not in there:
            topic.command(_absent(name, owner), name=name)


_add_others()
