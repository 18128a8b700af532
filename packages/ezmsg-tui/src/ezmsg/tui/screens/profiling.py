"""Profiling: endpoints with sparklines, blame in a sentence, traces with a time limit as lanes and as a flame."""

from collections.abc import Iterable
from typing import ClassVar

from textual import on, work
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import VerticalScroll
from textual.content import Content
from textual.widgets import Static

from ezmsg.control.errors import MissingExtra
from ezmsg.control.profiling.rates import Course
from ezmsg.control.rendering.blame import blame_lines
from ezmsg.control.rendering.quantities import counted, duration
from ezmsg.protocol.model.profiling import ProcessProfilingTraceBatch
from ezmsg.protocol.surroundings.visible import visible
from ezmsg.tui.model.charts import sparkline
from ezmsg.tui.model.intents import MeasureBlame, StopTrace, Trace, Write, command_for
from ezmsg.tui.model.lanes import flames, icicle, lanes
from ezmsg.tui.model.news import blame_sentence
from ezmsg.tui.model.view import View
from ezmsg.tui.model.wording import NOTHING, hz, per_second
from ezmsg.tui.screens.asking import Choice, LineAsked
from ezmsg.tui.screens.frame import ViewScreen
from ezmsg.tui.widgets.columns import Column, Row, laid
from ezmsg.tui.widgets.listing import Listing

CHART = 10
COLUMNS = (
    Column("ENDPOINT", 14, grow=True, crop="left"),
    Column("", 2),
    Column("PID", 7, rank=7, align="right"),
    Column("KIND", 5, rank=6),
    Column("RATE", 9, align="right"),
    Column("BYTES", 10, rank=5, align="right"),
    Column("IN USE", 7, rank=2, align="right"),
    Column("WAITS", 6, rank=1, align="right"),
    Column("WAITED FOR", 10, rank=3, align="right"),
    Column("DROPPED", 7, rank=4, align="right"),
    Column("10 s", CHART, rank=8),
)
TRACE_S = 5.0
BLAME_S = 5.0
EXPORTS = {
    "chrome": "Chrome's trace format, for ui.perfetto.dev: trace.json",
    "perfetto": "Perfetto, needs ezmsg-control[trace]: trace.pftrace",
    "speedscope": "speedscope: trace.speedscope.json",
}
FILES = {"chrome": "trace.json", "perfetto": "trace.pftrace", "speedscope": "trace.speedscope.json"}


class Profiling(ViewScreen):
    """Where the time goes."""

    NAME = "profiling"
    HELP = (
        "**Profiling**: every publisher (->) and subscriber (<-). IN USE is how many of a publisher's buffers are "
        "taken, or how many messages wait for a subscriber. WAITS is for which part of the time a publisher "
        "waited, WAITED FOR for which part somebody waited for this one.\n\n*b* watches the publisher under the "
        "cursor for five seconds and says in a sentence whom it waits for; this traces meanwhile. *T* traces "
        "everything, for five seconds unless you say otherwise and thirty at the most; then *l* shows lanes of "
        "the last 200 ms, *f* where the time went, and *e* writes it for Perfetto or speedscope. Nothing is ever "
        "traced by itself."
    )
    DEFAULT_CSS = """
    Profiling #told { height: auto; max-height: 8; padding: 0 1; background: $panel; display: none; }
    Profiling #told.-shown { display: block; }
    Profiling #traced { height: 1fr; display: none; border-top: solid $primary; padding: 0 1; }
    Profiling #traced.-shown { display: block; }
    """
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("b", "blame", "Blame", id="profiling.blame"),
        Binding("T", "trace", "Trace", id="profiling.trace", key_display="T"),
        Binding("l", "lanes", "Lanes", id="profiling.lanes"),
        Binding("f", "flame", "Flame", id="profiling.flame"),
        Binding("e", "export", "Export", id="profiling.export"),
        Binding("escape", "close", "Close", show=False, id="profiling.close"),
    ]

    def __init__(self) -> None:
        super().__init__()
        self._pane: str | None = None
        self._told: list[str] = []
        self._drawn: tuple[object, ...] = ()
        self._has_begun = False

    def compose_body(self) -> ComposeResult:
        """The endpoints, what blame says, and what was traced."""
        yield Listing(COLUMNS, id="endpoints", empty="no process has told what it counts yet")
        yield Static(id="told")
        with VerticalScroll(id="traced"):
            yield Static(id="traced-text")

    def show_body(self, view: View) -> None:
        """Show a row for each endpoint, and what was traced."""
        rows = [row for row in endpoint_rows(view) if self.fits(row.cells[0])]
        self.query_one("#endpoints", Listing).show(rows)
        if rows and view.blames and not self._has_begun:
            self._has_begun = True
            self.choose(view.blames[0].topic)
        lines = self._told or [blame_sentence(each) for each in view.blames]
        told = self.query_one("#told", Static)
        told.set_class(bool(lines), "-shown")
        told.update(Content("\n".join(map(visible, lines))))
        self._show_traced(view)

    def choose(self, key: str) -> None:
        """Put the cursor on the first endpoint of a topic."""
        listing = self.query_one("#endpoints", Listing)
        for row in listing.rows:
            if row.cells[0] == key or row.key == key:
                listing.put_cursor(row.key)
                return

    def _here(self) -> Course | None:
        return self.view.courses.get(self.query_one("#endpoints", Listing).cursor_key)

    # --- blame ---------------------------------------------------------------------------------------------

    @on(Listing.Chosen)
    def _chosen(self) -> None:
        self.action_blame()

    @work(group="blame", exclusive=True)
    async def action_blame(self) -> None:
        """Watch the publisher under the cursor, or the one that feeds the subscriber there."""
        topic = self._topic_here()
        if topic is None:
            self.notify("Nobody publishes here.", severity="warning")
            return
        self._told = [f"watching {topic} for {BLAME_S:g} s; its processes trace meanwhile..."]
        self.show_body(self.view)
        outcome = await self.application.perform(MeasureBlame(topic, BLAME_S))
        if outcome.ok:
            self._told = [*blame_lines(outcome.answer), *(f"! {gap}" for gap in outcome.answer.gaps)]
        else:
            self._told = [outcome.text]
        self.show_body(self.view)

    def _topic_here(self) -> str | None:
        here = self._here()
        if here is None or here.role == "publisher":
            return None if here is None else here.topic
        for course in self.view.courses.values():
            if course.role == "publisher" and any(
                course.endpoint_id.endswith(str(each)) for each in here.publishers
            ):
                return course.topic
        return None

    # --- traces --------------------------------------------------------------------------------------------

    @work(group="trace")
    async def action_trace(self) -> None:
        """Ask for how long, and trace; or end the trace that is on."""
        if self.view.tracing.is_on:
            await self.application.perform(StopTrace())
            return
        said = "Every process traces every message meanwhile, which costs it some time; at most 30 s."
        text = await self.app.push_screen_wait(LineAsked("Trace for how many seconds?", f"{TRACE_S:g}", said=said))
        if text is None:
            return
        try:
            seconds = float(text)
        except ValueError:
            seconds = 0.0
        if not 0 < seconds <= 30:
            self.notify(f"{text!r} is no time from above 0 to 30 seconds.", severity="error", markup=False)
            return
        outcome = await self.application.perform(Trace(seconds))
        self.notify(outcome.text, severity="information" if outcome.ok else "error", markup=False)
        if outcome.ok:
            self._pane = self._pane or "lanes"
            self.show_body(self.view)

    def action_lanes(self) -> None:
        """Show what was traced last as lanes, or close that."""
        self._turn("lanes")

    def action_flame(self) -> None:
        """Show where the time of the last trace went, or close that."""
        self._turn("flame")

    def _turn(self, pane: str) -> None:
        if not self.view.tracing.batches:
            self.notify("Nothing was traced yet: T begins a trace.", severity="warning")
            return
        self._pane = None if self._pane == pane else pane
        self._drawn = ()
        self.show_body(self.view)

    def action_close(self) -> None:
        """Close what was traced, then what blame says, then the filter."""
        if self._pane is not None:
            self._pane = None
        elif self._told:
            self._told = []
        else:
            self.action_leave_filter()
        self.show_body(self.view)

    def _show_traced(self, view: View) -> None:
        place = self.query_one("#traced")
        place.set_class(self._pane is not None, "-shown")
        batches = view.tracing.batches
        width = max(20, self.size.width - 4)
        wanted = (self._pane, id(batches), width)
        if self._pane is None or wanted == self._drawn:
            return
        self._drawn = wanted
        draw = _lane_lines if self._pane == "lanes" else _flame_lines
        self.query_one("#traced-text", Static).update(Content("\n").join(draw(batches, width)))

    def on_resize(self) -> None:
        """Draw what was traced anew."""
        self._drawn = ()

    @work(group="export", exclusive=True)
    async def action_export(self) -> None:
        """Ask for a form and a file, and write what was traced last."""
        batches = self.view.tracing.batches
        if not batches:
            self.notify("Nothing was traced yet: T begins a trace.", severity="warning")
            return
        form = await self.app.push_screen_wait(Choice("Write the trace for", EXPORTS))
        if form is None:
            return
        path = await self.app.push_screen_wait(LineAsked("To which file?", FILES[form]))
        if path is None:
            return
        try:
            data = exported(form, batches)
        except MissingExtra as error:
            self.notify(error.sentence(), severity="error", markup=False)
            return
        outcome = await self.application.perform(Write(path, data))
        self.notify(outcome.text, severity="information" if outcome.ok else "error", markup=False)

    def command_here(self) -> str:
        """Return the command that blames for the publisher here."""
        topic = self._topic_here()
        return "ezmsg profile snapshot" if topic is None else command_for(MeasureBlame(topic, BLAME_S)) or ""


def exported(form: str, batches: Iterable[ProcessProfilingTraceBatch]) -> bytes:
    """Return a trace in a form that other programs read.

    :raises MissingExtra: if it needs what is not installed.
    """
    if form == "perfetto":
        from ezmsg.control.exporting.perfetto import to_perfetto

        return to_perfetto(batches)
    if form == "speedscope":
        from ezmsg.control.exporting.speedscope import to_speedscope_json

        return to_speedscope_json(batches).encode()
    from ezmsg.control.exporting.chrome import to_chrome_json

    return to_chrome_json(batches).encode()


def endpoint_rows(view: View) -> list[Row]:
    """Return a row for each endpoint, publishers first, by topic."""
    waited_for: dict[str, float] = {}
    for (_, subscriber), share in view.pressure.items():
        waited_for[subscriber] = max(share, waited_for.get(subscriber, 0.0))
    ordered = sorted(view.courses.values(), key=lambda each: (each.role, each.topic, each.pid, each.endpoint_id))
    return [
        _row(course, waited_for.get(course.topic, 0.0) if course.role == "subscriber" else 0.0)
        for course in ordered
    ]


def _row(course: Course, waited_for: float) -> Row:
    is_publisher = course.role == "publisher"
    waits = course.waited_share
    used = f"{course.in_flight}/{course.buffers}" if is_publisher else str(course.queued)
    cells = (
        course.topic,
        "->" if is_publisher else "<-",
        str(course.pid),
        course.kind if course.kind not in ("", "unknown") else NOTHING,
        hz(course.rate_hz),
        per_second(course.bytes_per_s),
        used,
        _share(waits),
        _share(waited_for),
        str(course.dropped) if course.dropped else NOTHING,
        sparkline(course.rates_hz, CHART),
    )
    tones = [(10, "accent")]
    tones += [
        (place, "bad" if share >= 0.05 else "warn")
        for place, share in ((7, waits), (8, waited_for))
        if share >= 0.005
    ]
    tones += [(9, "bad")] if course.dropped else []
    order = (
        course.topic,
        course.role,
        course.pid,
        course.kind,
        course.rate_hz,
        course.bytes_per_s,
        course.in_flight or course.queued,
        waits,
        waited_for,
        course.dropped,
        course.rate_hz,
    )
    return Row(course.endpoint_id, cells, "", order, tuple(tones))


def _share(share: float) -> str:
    return f"{100 * share:.0f} %" if share >= 0.005 else NOTHING


def _lane_lines(batches: Iterable[ProcessProfilingTraceBatch], width: int) -> list[Content]:
    name = min(34, width // 3)
    found = lanes(batches, max(1, width - name - 1))
    if not found.lanes:
        return [Content("nothing in it has a length")]
    head = f"lanes, last {duration(found.span_ns)}: ░ waiting  ▒ lease  █ user code"
    lines = [Content.styled(head, "dim")]
    column = Column("", name, crop="left")
    lines += [
        Content.assemble(laid(lane.topic, column, name), " ", (lane.cells, "$text-accent")) for lane in found.lanes
    ]
    return lines


_FLAME_STYLES = (
    "$text on $primary-muted",
    "$text on $accent-muted",
    "$text on $success-muted",
    "$text on $warning-muted",
)


def _flame_lines(batches: Iterable[ProcessProfilingTraceBatch], width: int) -> list[Content]:
    whole = flames(batches)
    if not whole.ns:
        return [Content("nothing in it has a length")]
    head = f"where {duration(whole.ns)} of waiting and user code went, in {counted(len(whole.parts), 'process')}"
    lines = [Content.styled(head, "dim")]
    column = Column("", 1)
    for depth, row in enumerate(icicle(whole, width)):
        pieces = []
        for place, (text, cells) in enumerate(row):
            style = _FLAME_STYLES[(depth + place) % len(_FLAME_STYLES)] if text else ""
            pieces.append(
                Content.styled(laid(text, column, cells - 1) + " ", style)
                if cells > 1
                else Content.styled(" ", style)
            )
        lines.append(Content("").join(pieces))
    return lines
