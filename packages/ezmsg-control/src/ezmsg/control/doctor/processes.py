"""The processes of the graph: does each answer, is its event loop in time, does it run out of descriptors?"""

from collections.abc import Iterator

from ezmsg.control.doctor.examination import Examination, Surroundings
from ezmsg.control.doctor.findings import Finding, fail, ok, warn
from ezmsg.control.graph.operations import take_snapshot
from ezmsg.control.process.faring import Fare, take_fares
from ezmsg.control.rendering.processes import LATE_S
from ezmsg.control.rendering.quantities import counted

_NEARLY = 0.8
"""The share of its descriptors from which a process is said to run out of them."""


def judge(fares: list[Fare]) -> Iterator[Finding]:
    """Yield those that do not answer, are late or run out; or one word that all are fine."""
    wrong = [finding for fare in fares for finding in _judge_one(fare)]
    yield from wrong
    if fares and not wrong:
        latest = max((fare.loop_lateness_s for fare in fares if fare.loop_lateness_s is not None), default=None)
        late = "" if latest is None else f"; the latest event loop is {1000 * latest:.1f} ms late"
        most = max(fares, key=_share)
        used = f"; {most.descriptors} of {most.descriptor_limit} descriptors at most" if _share(most) else ""
        yield ok(f"{counted(len(fares), 'process')} answer{'s' if len(fares) == 1 else ''}{late}{used}")


def _judge_one(fare: Fare) -> Iterator[Finding]:
    who = f"pid {fare.pid} on {fare.host}"
    if fare.failure is not None:
        if fare.units:
            yield fail(f"{who} does not answer: {fare.failure}", f"ezmsg process stacks {fare.units[0]}")
        return
    if fare.loop_lateness_s is not None and fare.loop_lateness_s > LATE_S:
        late = f"event loop {1000 * fare.loop_lateness_s:.0f} ms late; messages and requests wait as long"
        yield warn(f"{who}: {late}", f"ezmsg process stacks {fare.pid}")
    if _share(fare) > _NEARLY:
        open_files = f"{fare.descriptors} of {fare.descriptor_limit} file descriptors are open"
        advice = f"ulimit -n {4 * (fare.descriptor_limit or 0)}, before the program is started"
        yield warn(f"{who}: {open_files}; at the limit, nothing more can be connected", advice)


def _share(fare: Fare) -> float:
    if fare.descriptors is None or not fare.descriptor_limit:
        return 0.0
    return fare.descriptors / fare.descriptor_limit


async def _gather(surroundings: Surroundings) -> list[Fare]:
    connection, timeout = surroundings.connection, surroundings.timeout
    if connection is None:
        return []
    return await take_fares(connection, (await take_snapshot(connection, timeout)).processes.values(), timeout)


PROCESSES = Examination("the processes of the graph", _gather, judge)
