"""The control plane of the package under test: pings, snapshots, settings, endpoints and edges, few or many.

Only the public API that both packages share is used. Roles beside the server and the lead:

- `host` is a program under `ez.run` with one unit that takes settings and, if told to, blocks its event loop;
- `process` is a process that owns one unit and answers for it, with no `ez.run` about it;
- `describe` holds a session with the metadata of many units;
- `stopped` follows the events of topology and settings, then stops reading its sockets altogether;
- `churn` makes events, as fast as it can.
"""

from __future__ import annotations

import asyncio
import statistics
import time
from collections.abc import Awaitable, Callable
from typing import Any

from role import Address, Parameters, Result, clock_ns, on_end_of_input, report, summary

import ezmsg.core as ez
from ezmsg.core.graphmeta import (
    DynamicSettingsMetadata,
    GraphMetadata,
    InputStreamMetadata,
    OutputStreamMetadata,
    ProcessControlResponse,
    SettingsFieldMetadata,
    SettingsSchemaMetadata,
    TaskMetadata,
    UnitMetadata,
)
from ezmsg.core.processclient import ProcessControlClient

UNIT = "BENCH/KNOB"
SLOW = "BENCH_SLOW"
SLOW_S = 0.05
"""How long a process takes over the operation `SLOW`."""
BLOCK_S = 0.25
"""How long the blocking units keep their event loop at a time."""
REQUEST_TIMEOUT_S = 5.0
SETTINGS_HZ = 200.0
SNAPSHOTS, FIRST_SNAPSHOTS = 300, 12
CHAIN_LIMIT_S = 25.0
MORE_EDGES = 50
LOOKS, LOOKS_S = 5, 60.0
MESSAGES_ON_TOPICS = 4000
GRID = 50
"""Edges go from each topic of one column to the next: this many topics in a column."""

ended = False
"""Whether standard input has ended; a unit cannot be told by anything else that both packages have."""


# --- a program ----------------------------------------------------------------------------------------------


class KnobSettings(ez.Settings):
    gain: float = 1.0
    order: int = 4


class Knob(ez.Unit):
    """Takes settings and lets time pass."""

    SETTINGS = KnobSettings
    INPUT_SETTINGS = ez.InputStream(KnobSettings)

    @ez.subscriber(INPUT_SETTINGS)
    async def on_settings(self, message: KnobSettings) -> None:
        self.apply_settings(message)

    async def pass_time(self) -> None:
        await asyncio.sleep(0.05)

    @ez.task
    async def live(self) -> None:
        report("ready")
        while not ended:
            await self.pass_time()
        raise ez.NormalTermination


class SleepingKnob(Knob):
    """User code that waits for something and does not say so, as a driver's blocking call does."""

    async def pass_time(self) -> None:
        time.sleep(BLOCK_S)  # noqa: ASYNC251  that is what is measured
        await asyncio.sleep(0)


class ComputingKnob(Knob):
    """User code that computes in Python, and so holds the interpreter as well as the loop."""

    async def pass_time(self) -> None:
        end = time.perf_counter() + BLOCK_S
        number = 1
        while time.perf_counter() < end:
            number = number * 3 % 1_000_003
        await asyncio.sleep(0)


KNOBS: dict[str, type[Knob]] = {"free": Knob, "sleeping": SleepingKnob, "computing": ComputingKnob}


def host(parameters: Parameters, address: Address) -> None:
    def finish() -> None:
        global ended
        ended = True

    on_end_of_input(finish)
    unit = KNOBS[parameters.get("unit", "free")](KnobSettings())
    ez.run(components={"KNOB": unit}, root_name="BENCH", graph_address=address)


async def own_a_unit(number: int, address: Address) -> None:
    client = ProcessControlClient(address)

    async def answer(request: Any) -> ProcessControlResponse:
        await asyncio.sleep(SLOW_S)
        return ProcessControlResponse(request.request_id, ok=True)

    client.set_request_handler(answer)
    await client.register([f"UNIT{number}"])
    report("ready")
    try:
        await asyncio.Event().wait()
    finally:
        await client.close()


async def describe(parameters: Parameters, address: Address) -> None:
    async with ez.GraphContext(address) as context:
        await context.register_metadata(program(parameters["units"]))
        report("ready")
        await asyncio.Event().wait()


async def stop_reading(seconds: float, address: Address) -> None:
    async with ez.GraphContext(address) as context:
        following = [
            asyncio.create_task(read_one(context.subscribe_topology_events(after_seq=0))),
            asyncio.create_task(read_one(context.subscribe_settings_events(after_seq=0))),
        ]
        await asyncio.wait(following, timeout=0.5)  # there may be nothing to read yet
        report("ready")
        await asyncio.sleep(0.1)
        time.sleep(seconds + 10.0)  # noqa: ASYNC251  nothing in this process reads any more
        for each in following:
            each.cancel()


async def read_one(events: Any) -> None:
    async for _ in events:
        return


async def churn(address: Address) -> None:
    """Change edges and metadata, with names long enough to fill the sockets of who does not read."""
    async with ez.GraphContext(address) as context:
        report("ready")
        start, end = "FROM/" + "X" * 400, "TO/" + "Y" * 400
        while True:
            await context.connect(start, end)
            await context.disconnect(start, end)


# --- what is measured -----------------------------------------------------------------------------------------


async def measure_ping(context: ez.GraphContext, _: Parameters, seconds: float) -> Result:
    async def ping() -> object:
        return await context.process_ping(UNIT, timeout=REQUEST_TIMEOUT_S)

    await until_it_works(ping)
    return summary(await sampled(ping, seconds))


async def measure_snapshot(context: ez.GraphContext, parameters: Parameters, seconds: float) -> Result:
    await lay_edges(context, parameters["edges"])
    change = None
    if parameters.get("changing"):
        names = iter(range(1_000_000))

        async def change() -> None:
            await context.connect("CHANGE", f"CHANGE/{next(names)}")

    found = await context.snapshot()
    edges = len(found.edge_owners)
    if edges != parameters["edges"]:
        raise RuntimeError(f"{edges} edges in the snapshot instead of {parameters['edges']}")
    samples = await sampled(context.snapshot, seconds, change, at_most=SNAPSHOTS)
    return summary(samples) | {"edges": edges}


async def measure_units(context: ez.GraphContext, parameters: Parameters, seconds: float) -> Result:
    """The first snapshot of a connection, or the later ones, of metadata that somebody else registered."""
    if parameters["which"] == "again":
        check_units(await context.snapshot(), parameters["units"])
        return summary(await sampled(context.snapshot, seconds, at_most=SNAPSHOTS))
    samples: list[int] = []
    address = context.graph_address
    await context.revert()
    for _ in range(FIRST_SNAPSHOTS):
        async with ez.GraphContext(address) as fresh:
            start = clock_ns()
            found = await fresh.snapshot()
            samples.append(clock_ns() - start)
            check_units(found, parameters["units"])
            del found
    return summary(samples)


async def measure_asking_all(context: ez.GraphContext, parameters: Parameters, seconds: float) -> Result:
    units = [f"UNIT{number}" for number in range(parameters["processes"])]

    async def ask(unit: str) -> None:
        if parameters["what"] == "stats":
            await context.process_stats(unit, timeout=REQUEST_TIMEOUT_S)
            return
        response = await context.process_request(unit, SLOW, timeout=REQUEST_TIMEOUT_S)
        if not response.ok:
            raise RuntimeError(str(response.error))

    async def ask_all() -> None:
        await asyncio.gather(*map(ask, units))

    for unit in units:
        await until_it_works(lambda unit=unit: ask(unit))  # type: ignore[misc]
    return summary(await sampled(ask_all, seconds)) | {"processes": len(units)}


async def measure_settings(context: ez.GraphContext, _: Parameters, seconds: float) -> Result:
    """Set a field 200 times a second, each time awaited; then as fast as one caller can."""
    numbers = iter(range(1, 1_000_000))

    async def change() -> None:
        wanted = float(next(numbers))
        value = await context.update_setting(UNIT, "gain", wanted, timeout=REQUEST_TIMEOUT_S)
        if value.structured_value is None or value.structured_value["gain"] != wanted:
            raise RuntimeError(f"asked for {wanted}, acknowledged {value.structured_value}")

    await until_it_works(change)
    paced, elapsed_s, late_s = await at_a_rate(change, SETTINGS_HZ, seconds)
    shown = (await context.settings_snapshot())[UNIT].structured_value
    free = await sampled(change, seconds)
    return summary(paced) | {
        "changes_per_s": len(paced) / elapsed_s,
        "late_max_ns": int(late_s * 1e9),
        "free_changes_per_s": 1e9 / statistics.mean(free),
        "shown_gain": None if shown is None else shown["gain"],
    }


async def at_a_rate(
    call: Callable[[], Awaitable[object]], rate_hz: float, seconds: float
) -> tuple[list[int], float, float]:
    """Call at a steady rate, the next one only when the last has ended; return how long each took."""
    samples: list[int] = []
    begin, latest_s = time.perf_counter(), 0.0
    for number in range(round(rate_hz * seconds)):
        due = begin + number / rate_hz
        wait = due - time.perf_counter()
        if wait > 0:
            await asyncio.sleep(wait)
        latest_s = max(latest_s, time.perf_counter() - due)
        start = clock_ns()
        await call()
        samples.append(clock_ns() - start)
    return samples, time.perf_counter() - begin, latest_s


async def measure_bystander(context: ez.GraphContext, _: Parameters, seconds: float) -> Result:
    """What a client that asks for snapshots notices of the others."""
    return summary(await sampled(context.snapshot, seconds, pause_s=0.002))


async def measure_chain(context: ez.GraphContext, parameters: Parameters, _: float) -> Result:
    """Time one session that connects T0 -> T1 -> ... one edge after the other, or as far as it gets."""
    start, edges = clock_ns(), 0
    end = start + int(CHAIN_LIMIT_S * 1e9)
    while edges < parameters["edges"] and clock_ns() < end:
        await context.connect(f"T{edges}", f"T{edges + 1}")
        edges += 1
    return {"edges": edges, "each_ns": (clock_ns() - start) / edges}


async def measure_edges(context: ez.GraphContext, parameters: Parameters, _: float) -> Result:
    """Lay edges from column to column, then one more, and one more, and look at all of them."""
    if units := parameters.get("units"):
        await context.register_metadata(program(units))
    start = clock_ns()
    await lay_edges(context, parameters["edges"])
    each_ns = (clock_ns() - start) / parameters["edges"]
    more = []
    for number in range(MORE_EDGES):
        start = clock_ns()
        await context.connect(f"{topic_at(number)}", f"MORE/{number}")
        more.append(clock_ns() - start)
    looks = await sampled(context.snapshot, LOOKS_S, at_most=LOOKS)
    return {
        "each_ns": each_ns,
        "one_more_ns": statistics.median(more),
        "snapshot_each_ns": statistics.median(looks) / parameters["edges"],
    }


async def measure_endpoints(context: ez.GraphContext, parameters: Parameters, _: float) -> Result:
    """Open publishers one after the other; with ``pairs``, and a subscriber to each, and send over all of them."""
    count, pairs = parameters["endpoints"], parameters.get("pairs", False)
    start = clock_ns()
    publishers = [await context.publisher(f"TOPIC{number}") for number in range(count)]
    subscribers = [await context.subscriber(f"TOPIC{number}") for number in range(count if pairs else 0)]
    result: Result = {"each_ns": (clock_ns() - start) / count}
    if pairs:
        rounds = max(1, MESSAGES_ON_TOPICS // count)
        for number in range(rounds + 1):
            if number == 1:  # the first round is the warm-up
                start = clock_ns()
            for publisher, subscriber in zip(publishers, subscribers, strict=True):
                await publisher.broadcast(number)
                async with subscriber.recv_zero_copy():
                    pass
        result["message_ns"] = (clock_ns() - start) / count / rounds
    return result


async def measure_metadata(context: ez.GraphContext, parameters: Parameters, _: float) -> Result:
    """Register the metadata of many units, and look at all of them."""
    described = program(parameters["units"])
    start = clock_ns()
    await context.register_metadata(described)
    each_ns = (clock_ns() - start) / parameters["units"]
    first, *again = await sampled(context.snapshot, LOOKS_S, at_most=LOOKS)
    return {
        "each_ns": each_ns,
        "snapshot_each_ns": first / parameters["units"],
        "again_each_ns": statistics.median(again) / parameters["units"],
    }


MEASURES: dict[str, Callable[[ez.GraphContext, Parameters, float], Awaitable[Result]]] = {
    "ping": measure_ping,
    "snapshot": measure_snapshot,
    "snapshot of units": measure_units,
    "asking all": measure_asking_all,
    "settings": measure_settings,
    "bystander": measure_bystander,
    "chain": measure_chain,
    "edges": measure_edges,
    "endpoints": measure_endpoints,
    "metadata": measure_metadata,
}


def follow(role: str, parameters: Parameters, seconds: float, number: int, address: Address) -> Any:
    """Return the coroutine of a role."""
    roles: dict[str, Callable[[], Any]] = {
        "process": lambda: own_a_unit(number, address),
        "describe": lambda: describe(parameters, address),
        "stopped": lambda: stop_reading(seconds, address),
        "churn": lambda: churn(address),
    }
    return roles[role]()


# --- parts ----------------------------------------------------------------------------------------------------


async def lay_edges(context: ez.GraphContext, count: int) -> None:
    """Connect columns of topics, each to the next, in one session."""
    for number in range(count):
        await context.connect(topic_at(number), topic_at(number + GRID))


def topic_at(number: int) -> str:
    column, row = divmod(number, GRID)
    return f"SYSTEM/STAGE{column:03}/UNIT{row:03}"


async def until_it_works(call: Callable[[], Awaitable[object]]) -> None:
    """Call until it does not fail: a process may be known a moment after it says that it is ready."""
    while True:
        try:
            await call()
        except RuntimeError:
            await asyncio.sleep(0.05)
        else:
            return


async def sampled(
    call: Callable[[], Awaitable[object]],
    seconds: float,
    before: Callable[[], Awaitable[object]] | None = None,
    at_most: int = 100_000,
    pause_s: float | None = None,
) -> list[int]:
    """Call for some time, one call after the other; return how many nanoseconds each took."""
    samples: list[int] = []
    end = clock_ns() + int(seconds * 1e9)
    while clock_ns() < end and len(samples) < at_most:
        if before is not None:
            await before()
        if pause_s is not None:
            await asyncio.sleep(pause_s)
        start = clock_ns()
        await call()
        samples.append(clock_ns() - start)
    return samples


def check_units(found: Any, wanted: int) -> None:
    units = sum(len(session.metadata.components) for session in found.sessions.values() if session.metadata)
    if units != wanted:
        raise RuntimeError(f"{units} units in the snapshot instead of {wanted}")


def program(count: int) -> GraphMetadata:
    """Describe units as `ez.run` does: two streams, a task and the schema of four settings each."""
    units = [unit(f"SYSTEM/STAGE{number // GRID:03}/UNIT{number % GRID:03}") for number in range(count)]
    return GraphMetadata(schema_version=1, root_name="SYSTEM", components={each.address: each for each in units})


def unit(address: str) -> UnitMetadata:
    fields = [
        SettingsFieldMetadata("order", "int", False, 4, "How steep.", (1.0, 20.0), None, None),
        SettingsFieldMetadata("cutoff", "float", False, 30.0, "In hertz.", (0.0, None), None, None),
        SettingsFieldMetadata("kind", "str", False, "low", None, None, ["low", "high"], "choice"),
        SettingsFieldMetadata("axis", "str | None", False, None, None, None, None, None),
    ]
    values = {"order": 4, "cutoff": 30.0, "kind": "low", "axis": None}
    topic = f"{address}/INPUT_SETTINGS"
    return UnitMetadata(
        address=address,
        name=address.rpartition("/")[2],
        component_type="bench.Filter",
        settings_type="bench.FilterSettings",
        initial_settings=(b"\x80\x04" + bytes(80), values),
        dynamic_settings=DynamicSettingsMetadata(True, topic, "bench.FilterSettings"),
        settings_schema=SettingsSchemaMetadata("dataclass", "bench.FilterSettings", fields),
        streams={
            "INPUT_SETTINGS": InputStreamMetadata("INPUT_SETTINGS", topic, "bench.FilterSettings"),
            "INPUT": InputStreamMetadata("INPUT", f"{address}/INPUT", "numpy.ndarray"),
            "OUTPUT": OutputStreamMetadata("OUTPUT", f"{address}/OUTPUT", "numpy.ndarray", num_buffers=32),
        },
        tasks=[TaskMetadata("on_message", "INPUT", ["OUTPUT"]), TaskMetadata("on_settings", "INPUT_SETTINGS")],
        main=None,
        threads=[],
    )
