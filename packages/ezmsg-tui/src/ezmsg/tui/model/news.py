"""The worst news first: what an operator has to know now, each in a sentence with the place to look at. Pure."""

from collections.abc import Iterator

from attrs import frozen

from ezmsg.control.profiling.blaming import Blame
from ezmsg.control.rendering.processes import LATE_S, short_units
from ezmsg.control.rendering.quantities import counted, percent
from ezmsg.protocol.model.snapshot import ProcessState
from ezmsg.tui.model.view import Kind, Link, Place, View

CUT_NEWS_S = 60.0


@frozen
class News:
    """``weight`` puts the worst first; ``is_bad`` tells trouble from what is only worth a look."""

    weight: float
    what: str
    text: str
    place: Place | None = None
    is_bad: bool = True


_HELD_UP = {
    ProcessState.STALLED: "the event loop of its units has not moved for 3 s",
    ProcessState.UNRESPONSIVE: "it says nothing at all",
}


def news(view: View) -> list[News]:
    """Return what there is to tell, the worst first."""
    found = [*_server(view), *_processes(view), *_waits(view), *_late(view), *_drops(view), *_events(view)]
    return sorted(found, key=lambda each: (-each.weight, each.what, each.text))


def _server(view: View) -> Iterator[News]:
    if view.contact.link is Link.LOST:
        yield News(1000, "server", f"the graph server is gone: {view.contact.reason}")


def _processes(view: View) -> Iterator[News]:
    for gone in view.departed:
        process = gone.process
        ago = max(0, round(view.now_s - gone.at_s))
        text = f"process {process.pid} on {process.host} is gone since {ago} s, with {short_units(process.units)}"
        yield News(900, "lost", text, Place("processes"))
    for process_id, process in view.picture.processes.items():
        if (why := _HELD_UP.get(process.state)) is not None:
            where = f"process {process.pid} on {process.host} ({short_units(process.units)})"
            place = Place("processes", str(process_id))
            yield News(850, "silent", f"{where} is {process.state.value.lower()}: {why}", place)
    for process_id, fare in view.fares.items():
        known = view.picture.processes.get(process_id)
        if fare.failure is not None and (known is None or known.state not in _HELD_UP):
            where = f"process {fare.pid} on {fare.host} ({short_units(fare.units)})"
            yield News(
                800, "silent", f"{where} does not answer: {fare.failure}", Place("processes", str(process_id))
            )


def _waits(view: View) -> Iterator[News]:
    for each in view.blames:
        is_bad = each.share >= 0.05
        yield News(500 + 100 * each.share, "waits", blame_sentence(each), Place("profiling", each.topic), is_bad)


def blame_sentence(blame: Blame) -> str:
    """Return who waits for whom, in one sentence."""
    waits = f"{blame.topic} waits {percent(blame.share)} of the time"
    if not blame.culprits:
        return f"{waits}; nobody can be named"
    worst = blame.culprits[0]
    others = len(blame.culprits) - 1
    more = f", and {counted(others, 'other')}" if others else ""
    through = f" through {', '.join(worst.through)}" if worst.through else ""
    part = "" if worst.share > 0.995 else f", {percent(worst.share)} of it"
    return f"{waits} for {worst.topic} (pid {worst.pid}{part}){through}{more}"


def _late(view: View) -> Iterator[News]:
    for process_id, fare in view.fares.items():
        late_s = fare.loop_lateness_s or 0.0
        if late_s > LATE_S:
            units = short_units(fare.units)
            text = f"the event loop of process {fare.pid} ({units}) is {1000 * late_s:.0f} ms late"
            yield News(
                400 + min(99.0, late_s), "late", text, Place("processes", str(process_id)), late_s > 5 * LATE_S
            )


def _drops(view: View) -> Iterator[News]:
    for course in view.courses.values():
        if course.dropped > 0:
            text = f"{course.topic} dropped {counted(course.dropped, 'message')} in {course.seconds:.0f} s"
            yield News(300 + min(99.0, course.dropped / 1e6), "drops", text, Place("profiling", course.topic))


def _events(view: View) -> Iterator[News]:
    for entry in reversed(view.journal):
        if not 0 <= view.wall - entry.at < CUT_NEWS_S:
            continue
        if entry.kind is Kind.WARNING and "cut off" in entry.text:
            yield News(350, "cut", entry.text, entry.place)
    if view.missed:
        text = f"{counted(view.missed, 'event')} came and went before they could be read"
        yield News(10, "missed", text, Place("events"), is_bad=False)
