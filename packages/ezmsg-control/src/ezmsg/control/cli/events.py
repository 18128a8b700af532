"""``ezmsg events``: what happened in a graph, and what happens."""

from typing import TYPE_CHECKING, Annotated, Any

from cyclopts import Parameter

from ezmsg.control.cli.options import AddressOption, JsonOption, TimeoutOption
from ezmsg.control.cli.saying import note, say, say_json

if TYPE_CHECKING:
    import asyncio

    from ezmsg.control.connection.client import ControlConnection

_LAST = 50


def events(
    *,
    follow: Annotated[bool, Parameter(negative="", help="Go on with what happens, until Ctrl-C.")] = False,
    last: Annotated[int, Parameter(help="How many of each kind that happened before to show.")] = _LAST,
    count: Annotated[int | None, Parameter(help="With --follow, end after so many.")] = None,
    address: AddressOption = None,
    json: JsonOption = False,
    timeout: TimeoutOption = 2.0,
) -> int:
    """Show the last changes of a graph and of its settings, with who asked for them; and follow what comes.

    For example:

    ezmsg events --follow
    """
    from ezmsg.control.cli.asking import ask
    from ezmsg.control.connection.discovery import find_address

    server = find_address(address)

    async def read(connection: "ControlConnection", timeout: float) -> int:
        import math

        from ezmsg.control.graph.operations import take_snapshot
        from ezmsg.control.rendering.events import event_form, event_line

        snapshot = await take_snapshot(connection, timeout)
        seqs = snapshot.topology_seq or 0, snapshot.settings_seq or 0
        arrivals, tasks = _begin(connection, seqs, max(0, last), snapshot.epoch)
        head: dict[str, Any] = {"$schema": "ezmsg.event/1"}

        def tell(item: Any) -> None:
            nonlocal head
            if json:
                say_json({**head, **event_form(item)}, flush=True)
                head = {}
            else:
                say([event_line(item)], flush=True)

        try:
            for item in await _before(arrivals, seqs, timeout):
                tell(item)
            if not follow:
                return 0
            note(f"Following {server}. Ctrl-C ends it.")
            connection.on_lost(lambda _: note(f"{server} is gone; waiting for it."))
            left = math.inf if count is None else count
            while left > 0:
                _, item = await arrivals.get()
                if isinstance(item, Exception):
                    raise item
                tell(item)
                left -= 1
            return 0
        finally:
            await _end(tasks)

    return ask(read, server, timeout)


def _begin(
    connection: "ControlConnection", seqs: tuple[int, int], last: int, epoch: Any
) -> "tuple[asyncio.Queue[Any], list[asyncio.Task[None]]]":
    """Read both streams, each from some events before now on, into one line of arrivals."""
    import asyncio
    from contextlib import aclosing

    from ezmsg.control.graph.watching import follow_settings, follow_topology

    arrivals: asyncio.Queue[Any] = asyncio.Queue(maxsize=10_000)

    async def read(kind: int, stream: Any) -> None:
        try:
            async with aclosing(stream) as items:
                async for item in items:
                    await arrivals.put((kind, item))
        except Exception as error:  # noqa: BLE001  it is raised where arrivals are read
            await arrivals.put((kind, error))

    streams = (
        follow_topology(connection, max(0, seqs[0] - last), epoch),
        follow_settings(connection, max(0, seqs[1] - last), epoch),
    )
    tasks = [asyncio.create_task(read(kind, stream)) for kind, stream in enumerate(streams)]
    return arrivals, tasks


async def _before(arrivals: "asyncio.Queue[Any]", seqs: tuple[int, int], timeout: float) -> list[Any]:
    """Return what happened until now, of both kinds in the order of time."""
    import asyncio

    from ezmsg.protocol.errors import DeadlineExceeded
    from ezmsg.protocol.messages.events import Gap, Reset

    reached = [seq == 0 for seq in seqs]
    found: list[Any] = []
    try:
        async with asyncio.timeout(timeout):
            while not all(reached):
                kind, item = await arrivals.get()
                if isinstance(item, Exception):
                    raise item
                found.append(item)
                seq = (
                    item.last if isinstance(item, Gap) else item.after_seq if isinstance(item, Reset) else item.seq
                )
                reached[kind] = reached[kind] or seq >= seqs[kind]
    except TimeoutError:
        raise DeadlineExceeded(operation="Reading what happened", seconds=timeout) from None
    return sorted(found, key=lambda item: getattr(item, "timestamp", 0.0))


async def _end(tasks: "list[asyncio.Task[None]]") -> None:
    import asyncio

    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
