"""Samples of many endpoints as one batch of columns, in the order of time."""

from collections.abc import Hashable, Sequence
from typing import Generic, TypeVar
from uuid import UUID

import numpy as np

from ezmsg.core.profiling.controls import Recorded
from ezmsg.core.profiling.ring import Column, Rows
from ezmsg.core.profiling.tracers import Tracer, source_of
from ezmsg.protocol.model.profiling import ProfileChannelType, TraceColumns

MAX_SAMPLES = 50_000
"""A batch has no more samples than this, so that it is no long frame and 16 bits can number what is in it."""

T = TypeVar("T", bound=Hashable)


class Numbered(Generic[T]):
    """Values, each once, numbered as they come."""

    def __init__(self) -> None:
        self._numbers: dict[T, int] = {}

    def number(self, value: T) -> int:
        """Return the number of a value, from 0 on."""
        return self._numbers.setdefault(value, len(self._numbers))

    @property
    def values(self) -> list[T]:
        """All of them, in order."""
        return list(self._numbers)


class Columns:
    """A batch that is being made."""

    def __init__(self) -> None:
        self._endpoints: list[Recorded] = []
        self._metrics: Numbered[str] = Numbered()
        self._labels: Numbered[str] = Numbered()
        self._publishers: Numbered[UUID] = Numbered()
        self._kinds: Numbered[ProfileChannelType] = Numbered()
        self._rows: list[Rows] = []
        self._indexes: list[Column] = []

    def add(self, recorded: Recorded, rows: Rows) -> None:
        """Add samples of one endpoint."""
        number = len(self._endpoints)
        self._endpoints.append(recorded)
        codes, places = np.unique(rows.code, return_inverse=True)
        known = [(number, *self._numbers(recorded.tracer, code)) for code in codes.tolist()]
        self._rows.append(rows)
        self._indexes.append(np.array(known, np.uint16)[places])

    def _numbers(self, tracer: Tracer, code: int) -> tuple[int, int, int, int, int]:
        """Return the numbers of metric, label, publisher, kind and outer label behind a code."""
        metric, label, source, within = tracer.codes[code]
        publisher, kind = (tracer.publisher_id, "UNKNOWN") if tracer.publisher_id else source_of(source)
        return (
            self._metrics.number(metric),
            self._labels.number(label) + 1 if label else 0,
            self._publishers.number(publisher) + 1 if publisher else 0,
            self._kinds.number(ProfileChannelType(kind)),
            self._labels.number(within) + 1 if within else 0,
        )

    def finished(self) -> TraceColumns:
        """Return the batch."""
        if not self._rows:
            return TraceColumns()
        time_ns, value_ns, message, _ = (np.concatenate(columns) for columns in zip(*self._rows, strict=True))
        order = np.argsort(time_ns, kind="stable")
        endpoint, metric, label, publisher, kind, within = np.concatenate(self._indexes)[order].T
        return TraceColumns(
            endpoint_ids=[each.endpoint_id for each in self._endpoints],
            topics=[each.topic for each in self._endpoints],
            metrics=self._metrics.values,
            labels=self._labels.values,
            publisher_ids=self._publishers.values,
            kinds=self._kinds.values,
            **{
                name: column[order].astype("<i8").tobytes()
                for name, column in (("time_ns", time_ns), ("value_ns", value_ns), ("message", message))
            },
            endpoint=endpoint.astype("<u2").tobytes(),
            metric=metric.astype("<u2").tobytes(),
            label=label.astype("<u2").tobytes(),
            publisher=publisher.astype("<u2").tobytes(),
            kind=kind.astype("<u2").tobytes(),
            within=within.astype("<u2").tobytes() if within.any() else b"",
        )


def take(everything: Sequence[Recorded], max_samples: int) -> tuple[TraceColumns, int]:
    """Take the oldest samples of each recording, at most so many together; return how many were lost, too.

    Recordings with few samples give all of them, and those with many share what room is left.
    """
    columns, lost = Columns(), 0
    room = max(0, min(max_samples, MAX_SAMPLES))
    for recorded in everything:
        recorded.tracer.settle()
    by_waiting = sorted(everything, key=lambda recorded: recorded.recording.ring.waiting)
    for place, recorded in enumerate(by_waiting):
        share = -(-room // (len(by_waiting) - place))
        rows, lost_here = recorded.tracer.read(recorded.recording, share)
        lost += lost_here
        room -= rows.number
        if rows.number:
            columns.add(recorded, rows)
    return columns.finished(), lost
