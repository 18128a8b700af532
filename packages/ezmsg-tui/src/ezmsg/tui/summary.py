"""One look at a graph for scripts: the view after two counts, as lines of text or as plain data."""

import asyncio
from collections.abc import Iterator
from typing import Any

from ezmsg.control.rendering.columns import aligned
from ezmsg.tui.model.facts import Absent, Counted, Fact
from ezmsg.tui.model.news import news
from ezmsg.tui.model.reducing import reduce
from ezmsg.tui.model.view import View
from ezmsg.tui.model.wording import NOTHING, hz, per_second
from ezmsg.tui.operating.feed import Feed

COUNTS = 3
"""After so many counts a rate is worth saying."""

SETTLED_S = 1.0
"""How long to wait for what may never come, where there are no processes to be asked."""


async def look(address: str | None, timeout_s: float) -> View:
    """Return the view as soon as it has rates, or whatever is known after a time."""
    view = View()
    counts = 0
    enough = asyncio.Event()

    def tell(fact: Fact) -> None:
        nonlocal view, counts
        view = reduce(view, fact)
        counts += isinstance(fact, Counted)
        if counts >= COUNTS or isinstance(fact, Absent):
            enough.set()

    feed = asyncio.create_task(Feed(tell, address, period_s=0.4).run())
    try:
        async with asyncio.timeout(timeout_s):
            while not enough.is_set():
                await asyncio.wait(
                    (feed, asyncio.ensure_future(enough.wait())),
                    timeout=SETTLED_S,
                    return_when=asyncio.FIRST_COMPLETED,
                )
                if view.is_live and view.snapshot is not None and not view.picture.processes:
                    break
                if feed.done():
                    break
    except TimeoutError:
        pass  # what is known then is told
    finally:
        feed.cancel()
        await asyncio.gather(feed, return_exceptions=True)
    return view


def plain(view: View) -> dict[str, Any]:
    """Return a view as plain data."""
    return {
        "$schema": "ezmsg.top/1",
        "server": view.contact.server,
        "units": [
            {"address": unit.address, "type": unit.kind, "pid": unit.pid, "host": unit.host}
            for unit in view.picture.units.values()
            if not unit.is_collection
        ],
        "edges": [list(edge) for edge in view.picture.edges],
        "sessions": len(view.picture.sessions),
        "processes": [
            {
                "process_id": str(fare.process_id),
                "pid": fare.pid,
                "host": fare.host,
                "units": fare.units,
                "cpu": fare.cpu,
                "memory_bytes": fare.memory_bytes,
                "loop_lateness_s": fare.loop_lateness_s,
                "ping_s": fare.ping_s,
                "failure": fare.failure,
            }
            for fare in view.fares.values()
        ],
        "endpoints": [
            {
                "topic": course.topic,
                "role": course.role,
                "pid": course.pid,
                "rate_hz": course.rate_hz,
                "bytes_per_s": course.bytes_per_s,
                "waited_share": course.waited_share,
                "dropped": course.dropped,
                "window_s": course.seconds,
            }
            for course in view.courses.values()
        ],
        "news": [{"what": each.what, "text": each.text, "bad": each.is_bad} for each in news(view)],
    }


def lines(view: View) -> Iterator[str]:
    """Yield a view for people: the news, then the rates."""
    for each in news(view):
        yield f"{'!' if each.is_bad else ' '} {each.text}"
    rows = [("TOPIC", "RATE", "BYTES", "WAITS")]
    rows += [
        (
            course.topic,
            hz(course.rate_hz),
            per_second(course.bytes_per_s),
            f"{100 * course.waited_share:.0f} %" if course.waited_share >= 0.005 else NOTHING,
        )
        for course in sorted(view.courses.values(), key=lambda course: course.topic)
        if course.role == "publisher"
    ]
    yield from aligned(rows)
