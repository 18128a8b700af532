"""Settings and processes as text: pure functions."""

import dataclasses
import enum
from typing import Any, Literal
from uuid import UUID

import pytest

from ezmsg.control.process.faring import Fare
from ezmsg.control.rendering.processes import is_marked, process_lines, short_units
from ezmsg.control.rendering.settings import (
    allowed,
    change_line,
    description_lines,
    event_line,
    list_lines,
    refusal_lines,
    text_of,
    value_lines,
)
from ezmsg.control.settingsmeta import settings_repr_value, settings_schema_from_value, settings_structured_value
from ezmsg.protocol.model.metadata import SettingsFieldMetadata, SettingsSchemaMetadata
from ezmsg.protocol.model.settings import SettingsChangedEvent, SettingsEventType, SettingsSnapshotValue


@dataclasses.dataclass
class Edge:
    slope: float = dataclasses.field(default=1.0, metadata={"gt": 0.0})


@dataclasses.dataclass
class Filter:
    cutoff: float = dataclasses.field(
        default=40.0, metadata={"min": 0.1, "max": 500.0, "unit": "Hz", "description": "Where it ends."}
    )
    order: int = dataclasses.field(default=4, metadata={"min": 1})
    kind: str = dataclasses.field(default="butter", metadata={"choices": ["butter", "bessel"]})
    edge: Edge = dataclasses.field(default_factory=Edge)
    taps: list[float] = dataclasses.field(default_factory=lambda: [1.0, 2.0])
    name: str = ""


def value(settings: Any, revision: int = 7) -> SettingsSnapshotValue:
    return SettingsSnapshotValue(
        b"opaque",
        settings_repr_value(settings),
        settings_structured_value(settings),
        settings_schema_from_value(settings),
        revision,
    )


def test_a_line_for_each_component() -> None:
    values = {"P/FILTER": value(Edge(2.5)), "P/A": value("no fields", 0), "P/Z": value(Filter())}
    *lines, last = list_lines(values)
    assert lines == ["P/A        -        revision 0   'no fields'", "P/FILTER   Edge     revision 7   slope 2.5"]
    assert last.startswith("P/Z        Filter   revision 7   cutoff 40.0 Hz   order 4   kind butter   edge")
    assert last.endswith("...")
    assert list(list_lines({})) == []


def test_the_fields_of_one_component() -> None:
    assert list(value_lines("P/FILTER", value(Filter()))) == [
        "P/FILTER   Filter   revision 7",
        "  cutoff       40.0 Hz      0.1 .. 500",
        "  order        4            from 1",
        "  kind         butter       butter | bessel",
        "  edge.slope   1.0          above 0",
        "  taps         [1.0, 2.0]",
        "  name                      a text",
    ]
    assert list(value_lines("P/A", value(3, 0))) == ["P/A   -   revision 0", "  3"]


def test_what_a_settings_type_says() -> None:
    head, *lines = description_lines("P/FILTER", value(Filter()))
    assert head.startswith("P/FILTER   ")
    assert head.endswith("Filter   described by dataclass")
    assert lines[:4] == [
        "  cutoff   number   0.1 .. 500 Hz   default 40.0",
        "      Where it ends.",
        "  order   integer   from 1   default 4",
        "  kind   string   butter | bessel   default butter",
    ]
    assert list(description_lines("P/A", value(3))) == ["P/A   its settings have no fields that are described"]


def test_no_value_speaks_to_the_terminal() -> None:
    (line,) = list_lines({"U": value(Filter(name="\x1b[2J\n"), 0)})
    assert line.isprintable()
    assert text_of("\x1b[2J\n") == '"\\u001b[2J\\n"'
    assert text_of(["\x9b"]) == '["\\u009b"]'


def test_what_changed() -> None:
    before, after = value(Filter()), value(Filter(cutoff=60.0, edge=Edge(3.0)), 9)
    assert change_line("P/FILTER", before, after) == (
        "P/FILTER   7 -> 9   cutoff 40.0 -> 60.0   edge.slope 1.0 -> 3.0"
    )


def test_an_event() -> None:
    def line(kind: SettingsEventType, before: SettingsSnapshotValue | None) -> str:
        event = SettingsChangedEvent(3, kind, "P/E", 0.0, None, UUID(int=1), value(Edge(2.0), 8))
        return event_line(event, before).partition("   ")[2]

    updated = SettingsEventType.SETTINGS_UPDATED
    assert line(updated, value(Edge(1.0))) == "P/E   revision 8   slope 1.0 -> 2.0"
    assert line(updated, value(Edge(2.0))) == "P/E   revision 8   as before"
    assert line(SettingsEventType.INITIAL_SETTINGS, None) == "P/E   revision 8   slope 2.0"
    assert line(SettingsEventType.SETTINGS_REMOVED, value(Edge(2.0))) == "P/E   revision 8   removed"


def test_what_was_refused() -> None:
    assert list(refusal_lines(value(Filter()), ["cutoff", "kind", "nothing"])) == [
        "cutoff   now 40.0 Hz   allowed 0.1 .. 500 Hz   Where it ends.",
        "kind   now butter   allowed butter | bessel",
    ]


def test_a_schema_without_json_schema_says_as_much() -> None:
    fields = [
        SettingsFieldMetadata("x", "builtins.float", False, 1.0, "An x.", (0.0, None), None, None),
        SettingsFieldMetadata("mode", "builtins.str", False, "a", None, None, ["a", "b"], None),
    ]
    schema = SettingsSchemaMetadata("param", "lab.S", fields)
    known = SettingsSnapshotValue(None, {}, {"x": 1.0, "mode": "a", "flag": True}, schema)
    assert list(value_lines("U", known)) == [
        "U   S   revision 0",
        "  x      1.0    from 0",
        "  mode   a      a | b",
        "  flag   true   true | false",
    ]


class Speed(enum.Enum):
    LOW = "low"
    HIGH = "high"


@dataclasses.dataclass
class Choosing:
    shape: Literal["box", "a.b"] = "box"
    speed: Speed = Speed.LOW
    maybe: Literal["x"] | None = None


def test_choices_are_shown_once() -> None:
    value = SettingsSnapshotValue(
        None, {}, settings_structured_value(Choosing()), settings_schema_from_value(Choosing())
    )
    assert list(value_lines("U", value)) == [
        "U   Choosing   revision 0",
        "  shape   box    box | a.b",
        "  speed   low    low | high",
        "  maybe   null   x | none",
    ]
    assert list(description_lines("U", value))[1:] == [
        "  shape   box | a.b   default box",
        "  speed   Speed   low | high   default low",
        "  maybe   x | none   default null",
    ]


@pytest.mark.parametrize(
    ("schema", "words"),
    [
        ({}, ""),
        ({"type": "array"}, ""),
        ({"minimum": "low", "type": 3}, ""),
        ({"type": ["integer", "null"]}, ""),
        ({"type": "number", "maximum": 2}, "up to 2"),
        ({"exclusiveMinimum": 0, "exclusiveMaximum": 1.5}, "above 0 .. below 1.5"),
        ({"anyOf": [{"type": "integer"}, {"type": "null"}]}, "a whole number | none"),
        ({"enum": [1, True, None]}, "1 | true | null"),
    ],
)
def test_what_is_allowed(schema: dict[str, Any], words: str) -> None:
    assert allowed(schema) == words


@pytest.mark.parametrize(
    ("late_s", "ping_s", "marks"),
    [(0.0001, 0.0206, (False, False)), (0.021, 0.0206, (True, False)), (0.0001, 0.101, (False, True))],
)
def test_a_ping_alone_is_marked_only_where_no_busy_machine_explains_it(
    late_s: float, ping_s: float, marks: tuple[bool, bool]
) -> None:
    fare = Fare(UUID(int=1), 12, "lab", ["A"], 0.1, 61_000_000, 192.0, late_s, ping_s)
    line = list(process_lines([fare]))[1]
    assert (f"{1000 * late_s:.1f} ms !" in line, f"{1000 * ping_s:.1f} ms !" in line) == marks
    assert is_marked(fare) is any(marks)


def test_processes() -> None:
    fares = [
        Fare(UUID(int=1), 12, "lab", ["D/GEN", "D/FILT", "E/LOG"], 0.124, 61_000_000, 192.0, 0.0012, 0.0004),
        Fare(UUID(int=2), 4188, None, ["D/DECODE"], 0.97, 188_400_000, 7384.0, 0.038, 0.021, phase="running"),
        Fare(UUID(int=4), 5, "lab", ["D/AMP"], phase="starting", waits_for={"D/AMP": 75.2}),
        Fare(UUID(int=3), None, "lab", [], failure="it hangs"),
    ]
    assert list(process_lines(fares)) == [
        "PID    HOST   UNITS              CPU    RSS      UP      LOOP LATE   PING      STATE",
        "12     lab    D/FILT GEN E/LOG   12 %   61 MB    3m12s   1.2 ms      0.4 ms    -",
        "4188   -      D/DECODE           97 %   188 MB   2h03m   38.0 ms !   21.0 ms   running",
        "5      lab    D/AMP              -      -        -       -           -         starting: D/AMP for 1m15s",
        "-      lab    -                  -      -        -       -           -         -",
    ]
    assert short_units(["B", "A"]) == "A B"
