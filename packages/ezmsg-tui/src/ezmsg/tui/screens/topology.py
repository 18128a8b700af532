"""Topology: the graph as a tree and as a drawing, followed up- and downstream, connected, and written to a file."""

from typing import ClassVar

from textual import on, work
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Horizontal
from textual.widgets import Static

from ezmsg.control.rendering.diagrams import draw
from ezmsg.protocol.model.snapshot import Edge
from ezmsg.tui.model.drawing import as_svg
from ezmsg.tui.model.drawn import Drawn, drawn, marks
from ezmsg.tui.model.intents import Connect, Disconnect, Intent, Write, command_for
from ezmsg.tui.model.layering import Drawing, layout
from ezmsg.tui.model.picture import is_persistent
from ezmsg.tui.model.tree import Line, Shown, tree_lines
from ezmsg.tui.model.view import View
from ezmsg.tui.model.wording import NOTHING, hz
from ezmsg.tui.screens.asking import Choice, LineAsked
from ezmsg.tui.screens.frame import ViewScreen
from ezmsg.tui.widgets.columns import Column, Row
from ezmsg.tui.widgets.graph_canvas import GraphCanvas
from ezmsg.tui.widgets.listing import Listing

COLUMNS = (
    Column("GRAPH", 20, grow=True),
    Column("TYPE", 12, rank=4),
    Column("PID", 7, rank=5, align="right"),
    Column("RATE", 9, rank=1, align="right"),
    Column("WAITS", 5, rank=2, align="right"),
    Column("JOINED WITH", 20, rank=3, grow=True, crop="right"),
)
WIDE = 110
FOLD_FROM = 60
"""A graph of more units begins with its collections closed."""


class Topology(ViewScreen):
    """What is connected with what, and what flows there."""

    NAME = "topology"
    HELP = (
        "**Topology**: left the tree of collections, units and streams, right the graph as data flows through it, "
        "with the rate behind each box. The colour of a wire is for which part of the time its publisher waits for "
        "who is at the other end.\n\n*Enter* or *right* opens and closes a collection; *[* and *]* go up- and "
        "downstream; *g* shows the tree, the drawing, or both. *c* connects two topics for good, *x* takes such an "
        "edge away; edges of a session go with it. *e* writes the graph as DOT, Mermaid or SVG. *u* hides what is "
        "quiet, *o* the streams."
    )
    DEFAULT_CSS = """
    Topology #panes { height: 1fr; }
    Topology #tree { width: 1fr; }
    Topology GraphCanvas { width: 1fr; border-left: solid $panel; }
    Topology.-tree GraphCanvas { display: none; }
    Topology.-graph #tree { display: none; }
    Topology #where { height: 1; padding: 0 1; color: $text-muted; text-wrap: nowrap; }
    """
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("g", "panes", "Tree/graph", id="topology.panes"),
        Binding("left", "close_here", "Close", show=False, id="topology.close"),
        Binding("right", "open_here", "Open", show=False, id="topology.open"),
        Binding("left_square_bracket", "follow(0)", "Upstream", key_display="[", id="topology.up"),
        Binding("right_square_bracket", "follow(1)", "Downstream", key_display="]", id="topology.down"),
        Binding("c", "connect", "Connect", id="topology.connect"),
        Binding("x", "disconnect", "Disconnect", id="topology.disconnect"),
        Binding("e", "export", "Export", id="topology.export"),
        Binding("u", "hide('quiet')", "Hide quiet", show=False, id="topology.quiet"),
        Binding("o", "hide('streams')", "Hide streams", show=False, id="topology.streams"),
    ]

    def __init__(self) -> None:
        super().__init__()
        self._folded: set[str] = set()
        self._has_begun = False
        self._hides: set[str] = set()
        self._lines: dict[str, Line] = {}
        self._chosen: str | None = None
        self._drawn = Drawn()
        self._drawing = Drawing()
        self._asked: tuple[object, ...] = ()
        self._panes: str | None = None

    def compose_body(self) -> ComposeResult:
        """Tree and drawing, and where one is."""
        with Horizontal(id="panes"):
            yield Listing(COLUMNS, id="tree", empty="nothing fits")
            yield GraphCanvas()
        yield Static(id="where", markup=False)

    def show_body(self, view: View) -> None:
        """Show the tree, and the drawing with its rates."""
        if not self._has_begun and view.picture.units:
            self._has_begun = True
            if len(view.picture.units) > FOLD_FROM:
                self._folded = _collections(view)
        self._show_tree(view)
        self._show_drawing(view)

    def _show_tree(self, view: View) -> None:
        shown = Shown(frozenset(self._folded), self.fits, "quiet" in self._hides, "streams" in self._hides)
        lines = tree_lines(view, shown)
        self._lines = {line.key: line for line in lines}
        self.query_one("#tree", Listing).show([_row(line) for line in lines])

    def _show_drawing(self, view: View) -> None:
        canvas = self.query_one(GraphCanvas)
        if not canvas.display:
            return
        asked = (id(view.picture), frozenset(self._folded), self.fits, self._chosen if self._drawn.near else None)
        if asked != self._asked:
            found = drawn(view.picture, self._folded, self.fits, self._chosen)
            if (found.nodes, found.steps) != (self._drawn.nodes, self._drawn.steps):
                self._drawing = layout(found.nodes, found.steps)
            self._drawn, self._asked = found, (*asked[:3], self._chosen if found.near else None)
        canvas.show(self._drawing, marks(view, self._drawn, self._box(self._chosen)))
        self._show_where(view)

    def _show_where(self, view: View) -> None:
        said = self._chosen or ""
        unit = view.picture.units.get(said)
        if unit is not None:
            said = f"{said}   {unit.kind}" + (f"   pid {unit.pid} on {unit.host}" if unit.pid else "")
        if self._drawn.near is not None:
            said += f"   (only what is near {self._drawn.near} is drawn of {len(view.picture.units)} units)"
        hidden = f"   hidden: {', '.join(sorted(self._hides))}" if self._hides else ""
        self.query_one("#where", Static).update(said + hidden)

    def on_resize(self) -> None:
        """Show both where there is room, else the tree."""
        self._arrange()

    def _arrange(self) -> None:
        panes = self._panes or ("both" if self.size.width >= WIDE else "tree")
        self.set_class(panes == "tree", "-tree")
        self.set_class(panes == "graph", "-graph")
        if self.is_current:
            self.call_after_refresh(self._show_drawing, self.view)

    # --- where one is --------------------------------------------------------------------------------------

    def choose(self, key: str) -> None:
        """Put the cursor on a unit or a topic, and open what it lies in."""
        parts = key.split("/")
        self._folded -= {"/".join(parts[:count]) for count in range(1, len(parts))}
        self.show_body(self.view)
        tree = self.query_one("#tree", Listing)
        if not tree.put_cursor(key):
            tree.put_cursor(self.view.picture.owner(key))

    def _box(self, unit: str | None) -> str | None:
        if unit is None:
            return None
        if unit in self._drawn.units:
            return unit
        return next((box for box, units in self._drawn.units.items() if unit in units), None)

    @on(Listing.Moved, "#tree")
    def _tree_moved(self, event: Listing.Moved) -> None:
        line = self._lines.get(event.key)
        if line is not None:
            self._chosen = self.view.picture.owner(line.topic) if line.topic else line.key
            self._show_drawing(self.view)
            if (box := self._box(self._chosen)) is not None:
                self.query_one(GraphCanvas).bring_in_sight(box)
            self._show_where(self.view)

    @on(GraphCanvas.Moved)
    def _box_moved(self, event: GraphCanvas.Moved) -> None:
        self._chosen = event.key
        self._show_drawing(self.view)
        self.query_one("#tree", Listing).put_cursor(event.key)

    @on(GraphCanvas.Chosen)
    def _box_opened(self, event: GraphCanvas.Chosen) -> None:
        self._turn(event.key)

    @on(Listing.Chosen, "#tree")
    def _line_opened(self, event: Listing.Chosen) -> None:
        self._turn(event.key)

    def _turn(self, key: str, *, to_open: bool | None = None) -> None:
        is_open = key not in self._folded
        if to_open is None or to_open != is_open:
            self._folded ^= {key}
            self.show_body(self.view)

    def action_open_here(self) -> None:
        """Open what is under the cursor."""
        line = self._here()
        if line is not None and line.topic is None:
            self._turn(line.key, to_open=True)

    def action_close_here(self) -> None:
        """Close what is under the cursor, or what it lies in."""
        line = self._here()
        if line is None:
            return
        key = self.view.picture.owner(line.topic) if line.topic else line.key
        if key in self._folded or (not line.topic and not line.more):
            key = key.rpartition("/")[0]
        if key:
            self._turn(key, to_open=False)
            self.query_one("#tree", Listing).put_cursor(key)

    def _here(self) -> Line | None:
        return self._lines.get(self.query_one("#tree", Listing).cursor_key)

    def action_follow(self, down: int) -> None:
        """Go to the first that the stream or unit under the cursor feeds, or that feeds it."""
        line = self._here()
        if line is None:
            return
        picture = self.view.picture
        if line.topic is None:
            others = sorted((picture.down if down else picture.up).get(line.key, ()))
        else:  # from a stream to the one at the other end; at the last one, to the unit of it
            others = list((picture.after if down else picture.before).get(line.topic, ()))
            others = others or [picture.owner(line.topic)]
        if others:
            self.choose(others[0])

    def action_panes(self) -> None:
        """Show both, the tree alone, or the drawing alone."""
        order = ["both", "tree", "graph"] if self.size.width >= WIDE else ["tree", "graph"]
        now = "tree" if self.has_class("-tree") else "graph" if self.has_class("-graph") else "both"
        self._panes = order[(order.index(now) + 1) % len(order)] if now in order else order[0]
        self._arrange()
        (self.query_one(GraphCanvas) if self._panes == "graph" else self.query_one("#tree")).focus()

    def action_hide(self, what: str) -> None:
        """Hide something, or show it again."""
        self._hides ^= {what}
        self.show_body(self.view)
        self._show_where(self.view)

    # --- what is done --------------------------------------------------------------------------------------

    @work(group="acting", exclusive=True)
    async def action_connect(self) -> None:
        """Ask for two topics, and set an edge between them that outlives every session."""
        topics = self.view.picture.topics
        line = self._here()
        begin = ""
        if line is not None:
            outputs = [line.topic] if line.topic else list(line.unit.outputs) if line.unit else []
            begin = outputs[0] if outputs else ""
        said = "The edge outlives every session, until it is disconnected. Right arrow completes a name."
        start = await self.app.push_screen_wait(LineAsked("Connect from which topic?", begin, topics, said))
        if start is None:
            return
        end = await self.app.push_screen_wait(LineAsked(f"{start} -> which topic?", "", topics))
        if end is not None:
            await self._do(Connect(start, end))

    @work(group="acting", exclusive=True)
    async def action_disconnect(self) -> None:
        """Ask which of the edges here that outlive their sessions is to go."""
        edges = self._edges_here()
        lasting = [edge for edge in edges if is_persistent(self.view.picture.edges[edge])]
        if not lasting:
            why = "they are of a session, and go with it" if edges else "there are none"
            self.notify(f"No edge here can be taken away: {why}.", severity="warning", markup=False)
            return
        choices = {str(place): f"{edge.from_topic} -> {edge.to_topic}" for place, edge in enumerate(lasting)}
        chosen = await self.app.push_screen_wait(Choice("Disconnect which edge?", choices))
        if chosen is not None:
            edge = lasting[int(chosen)]
            await self._do(Disconnect(edge.from_topic, edge.to_topic))

    def _edges_here(self) -> list[Edge]:
        line = self._here()
        if line is None:
            return []
        picture = self.view.picture
        if line.topic:
            return sorted(edge for edge in picture.edges if line.topic in edge)
        inside = f"{line.key}/"
        return sorted(
            edge
            for edge in picture.edges
            if any(picture.owner(topic) == line.key or topic.startswith(inside) for topic in edge)
        )

    @work(group="acting", exclusive=True)
    async def action_export(self) -> None:
        """Ask for a form and a file, and write the graph."""
        forms = {
            "svg": "SVG: the drawing as it is shown, with rates",
            "dot": "DOT, for Graphviz: every topic",
            "mermaid": "Mermaid: every topic",
        }
        form = await self.app.push_screen_wait(Choice("Write the graph as", forms))
        if form is None:
            return
        name = {"svg": "graph.svg", "dot": "graph.dot", "mermaid": "graph.mmd"}[form]
        path = await self.app.push_screen_wait(LineAsked("To which file?", name))
        if path is not None:
            await self._do(Write(path, self._exported(form).encode()))

    def _exported(self, form: str) -> str:
        view = self.view
        if form == "svg":
            found = drawn(view.picture, self._folded, self.fits, self._chosen)
            return as_svg(layout(found.nodes, found.steps), marks(view, found, None))
        graph = {} if view.snapshot is None else {key: set(ends) for key, ends in view.snapshot.graph.items()}
        return draw(graph, "graphviz" if form == "dot" else "mermaid")

    async def _do(self, intent: Intent) -> None:
        outcome = await self.application.perform(intent)
        self.notify(outcome.text, severity="information" if outcome.ok else "error", markup=False)

    def command_here(self) -> str:
        """Return the command that disconnects an edge here, or shows the graph."""
        lasting = [edge for edge in self._edges_here() if is_persistent(self.view.picture.edges[edge])]
        return (command_for(Disconnect(*lasting[0])) or "") if len(lasting) == 1 else "ezmsg graph"


def _collections(view: View) -> set[str]:
    """Return every part of an address that others lie in, but the outermost if it is the only one."""
    inner = {address.rpartition("/")[0] for address in view.picture.units} - {""}
    paths = {"/".join(path.split("/")[:count]) for path in inner for count in range(1, path.count("/") + 2)}
    roots = {address.split("/")[0] for address in view.picture.units}
    return paths - roots if len(roots) == 1 else paths


def _row(line: Line) -> Row:
    mark = "  " if not line.more else "▾ " if line.is_open else "▸ "
    if line.topic is not None:
        mark = "→ " if line.is_output else "← "
    name = f"{'  ' * line.depth}{mark}{line.name}"
    if not line.is_open:
        name += f" ({line.more})"
    unit = line.unit
    peers = ", ".join(line.peers)
    cells = (
        name,
        unit.kind if unit else "",
        str(unit.pid) if unit and unit.pid else "",
        hz(line.rate_hz) if line.rate_hz is not None or line.topic else "",
        f"{100 * line.waits:.0f} %" if line.waits >= 0.005 else "",
        f"{peers} (persistent)" if line.persistent else peers or (NOTHING if line.topic else ""),
    )
    tones = ((4, "bad" if line.waits >= 0.05 else "warn"),) if line.waits >= 0.005 else ()
    return Row(line.key, cells, "" if line.topic is None else "dim", (), tones)
