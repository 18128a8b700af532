"""Processes: processor, memory, lateness, ping; and where one is in its own code."""

from typing import ClassVar
from uuid import UUID

from textual import on, work
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import VerticalScroll
from textual.widgets import Static

from ezmsg.control.rendering.processes import LATE_S, MARK_SAID, SLOW_PING_S, short_units
from ezmsg.control.rendering.stacks import folded_lines, stack_lines
from ezmsg.protocol.model.snapshot import ProcessState, SnapshotProcess
from ezmsg.protocol.model.stacks import ProcessStacks
from ezmsg.tui.model.intents import Intent, Ping, TakeStacks, command_for
from ezmsg.tui.model.view import View
from ezmsg.tui.model.wording import NOTHING, ago
from ezmsg.tui.screens.frame import ViewScreen
from ezmsg.tui.widgets.columns import Column, Row
from ezmsg.tui.widgets.listing import Listing

COLUMNS = (
    Column("PID", 7, align="right"),
    Column("HOST", 10, rank=5),
    Column("UNITS", 12, grow=True),
    Column("CPU", 6, rank=1, align="right"),
    Column("MEMORY", 8, rank=3, align="right"),
    Column("UP", 7, rank=6, align="right"),
    Column("LOOP LATE", 10, rank=0, align="right"),
    Column("PING", 10, rank=4, align="right"),
)


class Processes(ViewScreen):
    """Who runs what, and how it fares."""

    NAME = "processes"
    HELP = (
        f"**Processes**: LOOP LATE is how long a call on the units' event loop had to wait; {MARK_SAID} *stalled* "
        "stands there if that loop has not moved for 3 s, *unresponsive* if the process says nothing at all.\n\n"
        "*t* shows where the process is now, task by task, the frames of its own code only; *p* asks it for a sign "
        "of life, which it gives also while a unit blocks."
    )
    DEFAULT_CSS = """
    Processes #stacks-pane { height: 2fr; display: none; border-top: solid $primary; padding: 0 1; }
    Processes #stacks-pane.-open { display: block; }
    """
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("t,enter", "stacks", "Stacks", id="processes.stacks", key_display="t"),
        Binding("p", "ping", "Ping", id="processes.ping"),
        Binding("a", "all", "All frames", id="processes.all"),
        Binding("escape", "close", "Close", show=False, id="processes.close"),
    ]

    def __init__(self) -> None:
        super().__init__()
        self._stacks: ProcessStacks | None = None
        self._shows_all = False

    def compose_body(self) -> ComposeResult:
        """The processes, and stacks below when they were asked for."""
        yield Listing(COLUMNS, id="processes", empty="no process has joined")
        with VerticalScroll(id="stacks-pane"):
            yield Static(id="stacks", markup=False)

    def show_body(self, view: View) -> None:
        """Show a row for each process."""
        rows = [row for row in process_rows(view) if self.fits(" ".join(row.cells[:3]))]
        self.query_one("#processes", Listing).show(rows)

    def choose(self, key: str) -> None:
        """Put the cursor on a process."""
        self.query_one("#processes", Listing).put_cursor(key)

    def _unit_here(self) -> str | None:
        key = self.query_one("#processes", Listing).cursor_key
        process = self.view.picture.processes.get(UUID(key)) if key else None
        return process.units[0] if process is not None and process.units else None

    @on(Listing.Chosen)
    def action_stacks(self) -> None:
        """Ask where the process under the cursor is."""
        if (unit := self._unit_here()) is not None:
            self._ask(TakeStacks(unit))

    def action_ping(self) -> None:
        """Ask the process under the cursor for a sign of life."""
        if (unit := self._unit_here()) is not None:
            self._ask(Ping(unit))

    def action_close(self) -> None:
        """Close the stacks, else the filter."""
        pane = self.query_one("#stacks-pane")
        if pane.has_class("-open"):
            pane.remove_class("-open")
            self.query_one("#processes").focus()
        else:
            self.action_leave_filter()

    @work(group="asking", exclusive=True)
    async def _ask(self, intent: Intent) -> None:
        outcome = await self.application.perform(intent)
        if not outcome.ok or isinstance(intent, Ping):
            self.notify(outcome.text, severity="information" if outcome.ok else "error", markup=False)
            return
        self._stacks = outcome.answer
        self._show_stacks()

    def action_all(self) -> None:
        """Show every frame, or the program's own only."""
        self._shows_all = not self._shows_all
        self._show_stacks()

    def _show_stacks(self) -> None:
        if self._stacks is None:
            return
        drawn = stack_lines(self._stacks) if self._shows_all else folded_lines(self._stacks)
        lines = [line.replace("; all of it: --all)", "; a shows all of it)") for line in drawn]
        lines += [f"! {gap}" for gap in self._stacks.gaps]
        self.query_one("#stacks", Static).update("\n".join(lines))
        self.query_one("#stacks-pane").add_class("-open")

    def command_here(self) -> str:
        """Return the command for the stacks of the process under the cursor."""
        unit = self._unit_here()
        return "ezmsg process" if unit is None else command_for(TakeStacks(unit)) or ""


def process_rows(view: View) -> list[Row]:
    """Return a row for each process, by host and number."""
    ordered = sorted(view.picture.processes.values(), key=lambda each: (each.host or "", each.pid or 0))
    return [_row(view, process) for process in ordered]


def _row(view: View, process: SnapshotProcess) -> Row:
    fare = view.fares.get(process.process_id)
    head = (str(process.pid or NOTHING), process.host or NOTHING, short_units(process.units))
    order = (process.pid, process.host or "", head[2])
    if fare is None or fare.failure is not None:
        said = state_words(process) or (NOTHING if fare is None else "no answer")
        return Row(
            str(process.process_id),
            (*head, NOTHING, NOTHING, NOTHING, said, NOTHING),
            "" if said == NOTHING else "bad",
            (*order, None, None, None, None, None),
        )
    late, ping = fare.loop_lateness_s, fare.ping_s
    cells = (
        *head,
        NOTHING if fare.cpu is None else f"{100 * fare.cpu:.0f} %",
        NOTHING if fare.memory_bytes is None else f"{fare.memory_bytes / 1e6:.0f} MB",
        NOTHING if fare.uptime_s is None else ago(fare.uptime_s),
        state_words(process) or _late(late, LATE_S),
        _late(ping, SLOW_PING_S),
    )
    limited = ((6, late, LATE_S), (7, ping, SLOW_PING_S))
    tones = tuple((place, "bad") for place, each, limit_s in limited if each is not None and each > limit_s)
    if state_words(process):
        tones = ((6, "bad"), *tones)
    numbers = (fare.cpu, fare.memory_bytes, fare.uptime_s, late, ping)
    return Row(str(process.process_id), cells, "", (*order, *numbers), tones)


def state_words(process: SnapshotProcess) -> str:
    """Return what is known of a process that does not do what it should, in a word; nothing of others."""
    return "" if process.state in (ProcessState.ALIVE, ProcessState.UNKNOWN) else process.state.value.lower()


def _late(seconds: float | None, limit_s: float) -> str:
    if seconds is None:
        return NOTHING
    return f"{1000 * seconds:.1f} ms{' !' if seconds > limit_s else '  '}"
