"""Traces of single messages: from the columns in which they travel to the samples that programs read."""

import sys
from array import array
from uuid import UUID

from ezmsg.control.errors import UnexpectedPayload
from ezmsg.protocol.model.profiling import (
    ProcessProfilingTraceBatch,
    ProcessTrace,
    ProfilingTraceSample,
    TraceColumns,
)


def batch_of(trace: ProcessTrace) -> ProcessProfilingTraceBatch:
    """Return what a process has sent, as samples.

    :raises UnexpectedPayload: if its columns do not fit together.
    """
    return ProcessProfilingTraceBatch(
        process_id=trace.process_id,
        pid=trace.pid,
        host=trace.host,
        timestamp=trace.timestamp,
        samples=samples_of(trace.columns),
        lost_samples=trace.lost_samples,
        clock_offset_ns=trace.clock_offset_ns,
    )


def samples_of(columns: TraceColumns) -> list[ProfilingTraceSample]:
    """Return one sample for each row.

    :raises UnexpectedPayload: if the columns do not fit together.
    """
    endpoints, topics = columns.endpoint_ids, columns.topics
    labels: list[str | None] = [None, *columns.labels]
    publishers: list[UUID | None] = [None, *columns.publisher_ids]
    metrics, kinds = columns.metrics, columns.kinds
    outer = columns.within or bytes(len(columns.label))
    try:
        return [
            ProfilingTraceSample(
                float(time_ns),
                endpoints[endpoint],
                topics[endpoint],
                metrics[metric],
                float(value_ns),
                kinds[kind],
                message if message >= 0 else None,
                publishers[publisher],
                labels[label],
                labels[within],
            )
            for time_ns, value_ns, message, endpoint, metric, label, publisher, kind, within in zip(
                _integers("q", columns.time_ns),
                _integers("q", columns.value_ns),
                _integers("q", columns.message),
                _integers("H", columns.endpoint),
                _integers("H", columns.metric),
                _integers("H", columns.label),
                _integers("H", columns.publisher),
                _integers("H", columns.kind),
                _integers("H", outer),
                strict=True,
            )
        ]
    except (ValueError, IndexError) as error:
        raise UnexpectedPayload(expected="TraceColumns", reason=f"they do not fit together: {error}") from error


def _integers(code: str, data: bytes) -> "array[int]":
    column: array[int] = array(code, data)
    if sys.byteorder == "big":
        column.byteswap()
    return column
