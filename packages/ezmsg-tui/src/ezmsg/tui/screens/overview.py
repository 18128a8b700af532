"""The overview: the worst news first, and the rate of each topic as a small chart."""

from collections import Counter, defaultdict
from typing import ClassVar

from textual import events, on
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.widget import Widget

from ezmsg.control.profiling.rates import Course
from ezmsg.tui.model.charts import sparkline
from ezmsg.tui.model.news import News, news
from ezmsg.tui.model.view import Place, View
from ezmsg.tui.model.wording import NOTHING, hz, per_second
from ezmsg.tui.screens.frame import ViewScreen
from ezmsg.tui.widgets.columns import Column, Row
from ezmsg.tui.widgets.listing import Listing
from ezmsg.tui.widgets.rate_chart import RateChart

CHART = 10
WORTH_SAYING, BAD = 0.005, 0.05
"""Which part of the time a publisher has to wait before it is shown, and before it is bad."""

NEWS = (Column("", 1), Column("NEWS", 20, grow=True))
TOPICS = (
    Column("TOPIC", 16, grow=True, crop="left"),
    Column("RATE", 9, align="right"),
    Column("BYTES", 10, rank=3, align="right"),
    Column("WAITS", 6, rank=1, align="right"),
    Column("SUBS", 4, rank=4, align="right"),
    Column("DROPPED", 7, rank=2, align="right"),
    Column("10 s", CHART, rank=5),
)


class Overview(ViewScreen):
    """What an operator looks at first."""

    NAME = "overview"
    HELP = (
        "**Overview**: what is wrong comes first: who waits for whom, late event loops, dropped messages, "
        "processes that are gone. *Enter* goes to the place.\n\nBelow, every topic that has a publisher, with its "
        "rate over ten seconds, counted where it is published: nothing is subscribed to. WAITS is for which part "
        "of the time its publisher waited for a free buffer. *s* sorts, *S* turns the order round."
    )
    DEFAULT_CSS = """
    Overview #news { height: auto; min-height: 2; max-height: 40%; }
    Overview #chart { height: 6; }
    Overview #topics { height: 1fr; min-height: 3; }
    Overview.-low #chart { display: none; }
    """
    BINDINGS: ClassVar[list[BindingType]] = [Binding("enter", "choose", "Go there", show=True, id="overview.go")]

    def __init__(self) -> None:
        super().__init__()
        self._is_untouched = True
        self._news: dict[str, News] = {}

    def compose_body(self) -> ComposeResult:
        """News, topics, and a chart of the topic under the cursor."""
        yield Listing(NEWS, id="news", empty="  all is well: nobody waits, no loop is late, nothing was dropped")
        yield Listing(TOPICS, id="topics", empty="no process has counted anything yet")
        yield RateChart(id="chart")

    def show_body(self, view: View) -> None:
        """Show the news and the rates."""
        told = [each for each in news(view) if self.fits(each.text)]
        self._news = {f"{each.what} {each.place}" if each.place else each.what: each for each in told}
        listing = self.query_one("#news", Listing)
        listing.show([_news_row(key, each) for key, each in self._news.items()])
        listing.styles.height = 1 + max(1, len(self._news))
        topics = self.query_one("#topics", Listing)
        topics.show([row for row in topic_rows(view) if self.fits(row.key)])
        if self._is_untouched and self.focused in (None, listing, topics):
            listing.action_edge(0)  # what becomes the worst is under the cursor
            self._focus_list()
        self._show_chart()

    def main(self) -> Widget:
        """Return the news, or the topics if there are none."""
        return self.query_one("#news" if self._news else "#topics")

    @on(events.Key)
    @on(events.MouseDown)
    def _touch(self) -> None:
        """Leave the cursor and the keys to who has taken them."""
        self._is_untouched = False

    def on_resize(self) -> None:
        """Leave out the chart where there is little room."""
        self.set_class(self.size.height < 20, "-low")

    @on(Listing.Moved, "#topics")
    def _show_chart(self) -> None:
        topic = self.query_one("#topics", Listing).cursor_key
        courses = self.view.courses.values()
        rates = [each.rates_hz for each in courses if each.role == "publisher" and each.topic == topic]
        length = max(map(len, rates), default=0)
        padded = [[0.0] * (length - len(each)) + each for each in rates]
        self.query_one(RateChart).show(topic, [sum(column) for column in zip(*padded, strict=True)])

    @on(Listing.Chosen)
    def _go(self, event: Listing.Chosen) -> None:
        if event.listing.id == "topics":
            self.application.go_to(Place("topology", event.key))
        elif (place := self._news[event.key].place) is not None:
            self.application.go_to(place)

    def command_here(self) -> str:
        """Return the command that shows rates."""
        topic = self.query_one("#topics", Listing).cursor_key
        return f"ezmsg topic hz {topic}".rstrip()


def _news_row(key: str, each: News) -> Row:
    return Row(key, ("!" if each.is_bad else " ", each.text), "bad" if each.is_bad else "warn")


def topic_rows(view: View) -> list[Row]:
    """Return a row for each topic that has a publisher, by its name."""
    published: dict[str, list[Course]] = defaultdict(list)
    topic_of: dict[str, str] = {}
    for course in view.courses.values():
        if course.role == "publisher":
            published[course.topic].append(course)
            topic_of[course.endpoint_id.rpartition(":")[2]] = course.topic
    heard: Counter[str] = Counter()
    dropped: Counter[str] = Counter()
    for course in view.courses.values():
        for topic in {topic_of.get(str(publisher), "") for publisher in course.publishers}:
            heard[topic] += 1
            dropped[topic] += course.dropped
    return [_topic_row(topic, its, heard[topic], dropped[topic]) for topic, its in sorted(published.items())]


def _topic_row(topic: str, courses: list[Course], heard: int, dropped: int) -> Row:
    rate = _sum([course.rate_hz for course in courses])
    amount = _sum([course.bytes_per_s for course in courses])
    waits = max(course.waited_share for course in courses)
    cells = (
        topic,
        hz(rate),
        per_second(amount),
        f"{100 * waits:.0f} %" if waits >= WORTH_SAYING else NOTHING,
        str(heard),
        str(dropped) if dropped else NOTHING,
        sparkline(max((course.rates_hz for course in courses), key=len), CHART),
    )
    tones: tuple[tuple[int, str], ...] = ((6, "accent"),)
    if waits >= WORTH_SAYING:
        tones += ((3, "bad" if waits >= BAD else "warn"),)
    if dropped:
        tones += ((5, "bad"),)
    return Row(topic, cells, "", (topic, rate, amount, waits, heard, dropped, rate), tones)


def _sum(numbers: list[float | None]) -> float | None:
    known = [each for each in numbers if each is not None]
    return sum(known) if known else None
