"""How endpoints measure while somebody wants it: they note a few integers a message, which are settled in bulk.

To note them is one ``+=`` of a list, which is whole however threads alternate. All that costs more waits for
two thousand of them, or for a reader, who may be another thread. It is done under a lock, for which an endpoint
that has just noted something never waits. An endpoint that nobody traces has no tracer.
"""

import threading
import time
from collections import deque
from collections.abc import Callable, Iterable, Sequence
from typing import NamedTuple, Protocol, Self
from uuid import UUID
from weakref import ref

import numpy as np

from ezmsg.core.profiling import trace_sources
from ezmsg.core.profiling.metrics import (
    BACKPRESSURE_WAIT,
    LEASE_TIME,
    LEASE_WIDTH,
    MANY_LEASES,
    PUBLISH_DELTA,
    SETTLE_ROWS,
    USER_SPAN,
)
from ezmsg.core.profiling.recording import Recording
from ezmsg.core.profiling.ring import Column, Rows
from ezmsg.protocol.model.profiling import MetricTotals

LABELS_LIMIT = 1000
"""So many labels are told apart at one endpoint; further ones share :data:`OTHER_LABELS`."""

OTHER_LABELS = "(other labels)"

_STEP = LABELS_LIMIT + 2  # more than there are labels

CODES_LIMIT = 60_000
"""So many combinations of metric, label and channel are told apart at one endpoint: their numbers have 16 bits."""


class Noted(Protocol):
    """Takes the integers of one measurement after the other, by ``+=``: it is whole, and costs less than a call."""

    def __iadd__(self, integers: Iterable[int], /) -> Self: ...

    def __len__(self) -> int: ...


_NOWHERE: Noted = deque[int](maxlen=0)
_ignore: Callable[[int], object] = deque[int](maxlen=0).append


class Lease(Protocol):
    """A message that a subscriber has taken."""

    number: int

    @property
    def source(self) -> "Source": ...


class Source(Protocol):
    """The channel that it came by."""

    number_in_traces: int


class Code(NamedTuple):
    """What many samples have in common; the source is a channel's number, 0 for none.

    ``within`` is the label of the span that a span lies in.
    """

    metric: str
    label: str = ""
    source: int = 0
    within: str = ""


class Line:
    """The measurements of one metric that are not yet settled: ``width`` integers each, one after the other."""

    def __init__(self, metric: str, width: int) -> None:
        self.metric = metric
        self.noted: list[int] = []
        self._width = width

    @property
    def is_long(self) -> bool:
        """Whether it is worth while to settle them."""
        return len(self.noted) >= SETTLE_ROWS * self._width

    def take(self) -> Column:
        """Take what is whole; in columns."""
        count = len(self.noted) // self._width * self._width
        noted = self.noted[:count]
        del self.noted[:count]
        return np.fromiter(noted, np.int64, count).reshape(-1, self._width).T


class Tracer:
    """What publishers' and subscribers' tracers have in common. It outlives the traces, as its totals only rise."""

    def __init__(self, publisher_id: UUID | None, lines: Sequence[Line]) -> None:
        self.publisher_id = publisher_id
        self.totals: dict[str, MetricTotals] = {}
        self.tasks: dict[str, MetricTotals] = {}
        self.recordings: tuple[Recording, ...] = ()
        self.codes: list[Code] = []
        self._code_of: dict[Code, int] = {}
        self._labels: list[str] = [""]
        self._label_of: dict[str, int] = {"": 0}
        self._lines = lines
        self._lock = threading.Lock()
        self._arm()

    # --- who wants it ---------------------------------------------------------------------------------------

    def add(self, recording: Recording) -> None:
        """Measure for somebody more."""
        self._change((*self.recordings, recording))

    def remove(self, recording: Recording) -> None:
        """Measure for somebody no more; what was measured until now still counts."""
        self._change(tuple(other for other in self.recordings if other is not recording))

    def read(self, recording: Recording, limit: int) -> tuple[Rows, int]:
        """Take samples out of a recording, and the number of those that were lost before them."""
        with self._lock:
            return recording.ring.read(limit)

    def _change(self, recordings: tuple[Recording, ...]) -> None:
        with self._lock:
            self._settle()
            self.recordings = recordings
            self._arm()

    def _noted(self, line: Line) -> Noted:
        """Return what takes the measurements of a metric; nothing stays in it if nobody wants the metric."""
        return line.noted if any(line.metric in each.metrics for each in self.recordings) else _NOWHERE

    def _arm(self) -> None:
        """Let the endpoint note what is wanted."""
        raise NotImplementedError

    # --- from notes to samples ------------------------------------------------------------------------------

    def settle(self) -> None:
        """Settle everything that is noted; from any thread."""
        with self._lock:
            self._settle()

    def settle_many(self) -> None:
        """Settle if that is worth while, and nobody else does; for the endpoint itself."""
        if any(line.is_long for line in self._lines) and self._lock.acquire(blocking=False):
            try:
                self._settle()
            finally:
                self._lock.release()

    def _settle(self) -> None:
        for line in self._lines:
            if line.noted:
                start_ns, rows = self._measured(line)
                self._add_up(line.metric, start_ns, rows)
                for recording in self.recordings:
                    recording.take(line.metric, start_ns, rows)

    def _measured(self, line: Line) -> tuple[Column, Rows]:
        """Return when each noted measurement of a line began, and what is to be told of it."""
        raise NotImplementedError

    def _add_up(self, metric: str, start_ns: Column, rows: Rows) -> None:
        since_ns = [recording.since_ns for recording in self.recordings if metric in recording.metrics]
        if not since_ns:
            return
        value_ns, code = rows.value_ns, rows.code
        if start_ns.min() < min(since_ns):
            counted = start_ns >= min(since_ns)
            value_ns, code = value_ns[counted], code[counted]
        if metric != USER_SPAN:
            _add(self.totals, metric, value_ns)
            return
        for each in np.unique(code):
            if not self.codes[each].within:  # else its time is in that of another one
                values_ns = value_ns[code == each]
                _add(self.totals, metric, values_ns)
                if self.codes[each].label:
                    _add(self.tasks, self.codes[each].label, values_ns)

    def _code(self, metric: str, label: int = 0, source: int = 0, within: int = 0) -> int:
        """Return the code of a combination."""
        code = Code(metric, self._labels[label], source, self._labels[within])
        known = self._code_of.get(code)
        if known is None:
            if len(self.codes) >= CODES_LIMIT:  # the channel is not told any more, rather than a wrong one
                code = code._replace(source=0)
                if code in self._code_of:
                    return self._code_of[code]
            known = self._code_of[code] = len(self.codes)
            self.codes.append(code)
        return known

    def _codes(self, metric: str, sources: Column, labels: Column | int = 0, within: Column | int = 0) -> Column:
        """Return the codes of many measurements."""
        combined = (sources * _STEP + labels) * _STEP + within

        def code(each: int) -> int:
            return self._code(metric, each // _STEP % _STEP, each // _STEP**2, each % _STEP)

        if (combined == combined[0]).all():
            return np.full(len(combined), code(int(combined[0])), np.uint16)
        found, places = np.unique(combined, return_inverse=True)
        return np.array([code(each) for each in found.tolist()], np.uint16)[places]


class Publishing(Protocol):
    """A publisher."""

    id: UUID
    next_message: int


class PublisherTracer(Tracer):
    """Notes when a publisher publishes, and from when to when it waits for a buffer."""

    published: Callable[[int], object]
    """Takes the time of each message, before it is counted."""

    waited: Noted
    """Takes beginning and end of a wait, and the number of the message that waited."""

    def __init__(self, publisher: Publishing) -> None:
        self._deltas, self._waits = Line(PUBLISH_DELTA, 1), Line(BACKPRESSURE_WAIT, 3)
        self._last_ns = -1
        self._next_message = 0
        self._wanted = False
        self.published = _ignore
        self._publisher = ref(publisher)
        super().__init__(publisher.id, (self._deltas, self._waits))

    def _arm(self) -> None:
        wanted = self._noted(self._deltas) is not _NOWHERE
        if wanted != self._wanted:
            self._wanted = wanted
            self._deltas.noted = []  # what is noted at this very moment goes to the old one, and is not counted
            self.published = self._note_first if wanted else _ignore
        self.waited = self._noted(self._waits)

    def _note_first(self, now_ns: int) -> None:
        """Note a message, and its number: those of all later ones follow from it."""
        publisher = self._publisher()
        if publisher is not None:
            self._next_message = publisher.next_message
            self.published = self._deltas.noted.append
            self._deltas.noted.append(now_ns)

    def _measured(self, line: Line) -> tuple[Column, Rows]:
        if line is self._waits:
            start_ns, end_ns, message = line.take()
        else:
            (end_ns,) = line.take()
            message = np.arange(self._next_message, self._next_message + len(end_ns))
            self._next_message += len(end_ns)
            # Before the first one lies the start of time, which is too early for everybody.
            start_ns = np.concatenate((np.array([self._last_ns]), end_ns[:-1]))
            self._last_ns = int(end_ns[-1])
        code = np.full(len(end_ns), self._code(line.metric), np.uint16)
        return start_ns, Rows(end_ns, end_ns - start_ns, message, code)


class SubscriberTracer(Tracer):
    """Notes for how long a subscriber holds messages, and what its user does with them meanwhile.

    ``latest`` is the message that was taken last, ``taken_ns`` is when, until it is released, and then 0;
    ``also_taken_ns`` is when others were taken that are held at the same time.
    """

    leases: Noted
    """Takes when a message was taken (0 if nobody looked) and released, its number, and that of its channel."""

    _spent: Noted

    def __init__(self) -> None:
        self._leases, self._spans = Line(LEASE_TIME, LEASE_WIDTH), Line(USER_SPAN, 6)
        self._leases_since_ns: int | None = None
        self._lease_ns = 0
        self.latest: Lease | None = None
        self.taken_ns = 0
        self.also_taken_ns: set[int] = set()
        super().__init__(None, (self._leases, self._spans))

    def took(self, lease: Lease) -> int:
        """Note that a message was taken now; return when, for :meth:`let_go`."""
        if self.taken_ns:
            self.also_taken_ns.add(self.taken_ns)
        self.latest = lease
        self.taken_ns = taken_ns = time.perf_counter_ns()
        return taken_ns

    def let_go(self, taken_ns: int, lease: Lease) -> None:
        """Note that a message was released now."""
        noted = self.leases
        noted += (taken_ns, time.perf_counter_ns(), lease.number, lease.source.number_in_traces)
        if self.taken_ns == taken_ns:
            self.taken_ns = 0
        else:
            self.also_taken_ns.discard(taken_ns)
        if len(noted) >= MANY_LEASES:
            self.settle_many()

    def add_span(self, start_ns: int, lease: Lease | None, label: str, within: str = "") -> None:
        """Note that something was done with a message, from a moment until now, maybe within another span."""
        end_ns = time.perf_counter_ns()
        number, source = (-1, 0) if lease is None else (lease.number, lease.source.number_in_traces)
        noted = self._spent
        noted += (start_ns, end_ns, number, source, self._label(label), self._label(within))
        if self._spans.is_long:
            self.settle_many()

    def leases_until(self, now_ns: int) -> tuple[int, int]:
        """Return how many messages were held a moment ago, and for how long all together until then.

        Only the time counts in which leases were wanted; of those taken before, only what is known: once they end.
        """
        with self._lock:
            self._settle()
            since_ns = self._leases_since_ns
            if since_ns is None:
                return 0, self._lease_ns
            # What is noted by now has been released since then, and was held a moment ago.
            taken_ns = {self.taken_ns, *self.also_taken_ns, *self._leases.noted[::LEASE_WIDTH]} - {0}
            held_ns = [now_ns - max(each, since_ns) for each in taken_ns if each <= now_ns]
            return len(held_ns), self._lease_ns + sum(held_ns)

    def _add_up(self, metric: str, start_ns: Column, rows: Rows) -> None:
        super()._add_up(metric, start_ns, rows)
        if metric == LEASE_TIME and self._leases_since_ns is not None:
            self._lease_ns += int((rows.time_ns - np.maximum(start_ns, self._leases_since_ns)).sum())

    def _label(self, label: str) -> int:
        known = self._label_of.get(label)
        return self._new_label(label) if known is None else known

    def _new_label(self, label: str) -> int:
        with self._lock:
            if label not in self._label_of:
                if len(self._labels) > LABELS_LIMIT:
                    label = OTHER_LABELS
                if label not in self._label_of:
                    self._labels.append(label)
                    self._label_of[label] = len(self._labels) - 1
            return self._label_of[label]

    def _arm(self) -> None:
        self.leases, self._spent = self._noted(self._leases), self._noted(self._spans)
        since_ns = [each.since_ns for each in self.recordings if LEASE_TIME in each.metrics]
        if not since_ns:
            self._leases_since_ns = None
        elif self._leases_since_ns is None:
            self._leases_since_ns = min(since_ns)
        if not self.recordings:
            self.latest = None
            self.taken_ns = 0
            self.also_taken_ns.clear()

    def _measured(self, line: Line) -> tuple[Column, Rows]:
        if line is self._leases:
            start_ns, end_ns, message, source = line.take()
            code = self._codes(line.metric, source)
        else:
            start_ns, end_ns, message, source, label, within = line.take()
            code = self._codes(line.metric, source, label, within)
        return start_ns, Rows(end_ns, end_ns - start_ns, message, code)


def _add(totals: dict[str, MetricTotals], key: str, value_ns: Column) -> None:
    if len(value_ns):
        known = totals.get(key) or MetricTotals()
        # A new one in place of a change, as another thread may be reading.
        totals[key] = MetricTotals(
            known.count + len(value_ns),
            known.sum_ns + int(value_ns.sum()),
            max(known.max_ns, int(value_ns.max())),
        )


def source_of(source: int) -> tuple[UUID | None, str]:
    """Return whom messages of a channel are of, and its kind."""
    return trace_sources.find(source) or (None, "UNKNOWN")
