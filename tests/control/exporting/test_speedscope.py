"""Time by unit and task, by the rules of speedscope's file format."""

import json
from typing import Any

import jsonschema
from hypothesis import given
from tests.control.exporting.traces import LEASE, THREE_PROCESSES, USER, WAIT, A, B, batch, batches, sample, sums

from ezmsg.control.exporting.speedscope import SCHEMA, to_speedscope_json
from ezmsg.protocol.model.profiling import ProcessProfilingTraceBatch

_WHOLE_NUMBERS = {"type": "array", "items": {"type": "integer", "minimum": 0}}
FORMAT = {
    "type": "object",
    "required": ["$schema", "shared", "profiles"],
    "properties": {
        "$schema": {"const": SCHEMA},
        "shared": {
            "type": "object",
            "required": ["frames"],
            "properties": {
                "frames": {
                    "type": "array",
                    "items": {"type": "object", "required": ["name"], "properties": {"name": {"type": "string"}}},
                }
            },
        },
        "profiles": {
            "type": "array",
            "items": {
                "type": "object",
                "required": ["type", "name", "unit", "startValue", "endValue", "samples", "weights"],
                "properties": {
                    "type": {"const": "sampled"},
                    "name": {"type": "string"},
                    "unit": {"const": "nanoseconds"},
                    "startValue": {"type": "integer"},
                    "endValue": {"type": "integer"},
                    "samples": {"type": "array", "items": _WHOLE_NUMBERS},
                    "weights": _WHOLE_NUMBERS,
                },
            },
        },
    },
}
"""What a file with sampled profiles must have, after speedscope's `file-format-spec.ts`."""


def stacks(file: dict[str, Any]) -> dict[tuple[str, ...], int]:
    frames = [frame["name"] for frame in file["shared"]["frames"]]
    found: dict[tuple[str, ...], int] = {}
    for profile in file["profiles"]:
        for numbers, weight in zip(profile["samples"], profile["weights"], strict=True):
            stack = tuple(frames[number] for number in numbers)
            found[stack] = found.get(stack, 0) + weight
    return found


def test_three_processes() -> None:
    file = json.loads(to_speedscope_json(THREE_PROCESSES))
    jsonschema.validate(file, FORMAT)
    assert stacks(file) == {
        ("SYSTEM/A", "OUTPUT", "wait for a buffer"): 500,
        ("SYSTEM/B", "INPUT", "on_message"): 600,
        ("SYSTEM/B", "INPUT", "lease, in no task"): 200 + 700,
        ("SYSTEM/C", "INPUT", "lease, in no task"): 400,
    }
    assert [profile["name"] for profile in file["profiles"]] == [
        "pid 4001 on lab",
        "pid 4002 on lab, 7 samples lost",
        "pid 4003 on lab",
    ]


def test_what_a_task_has_measured_within_itself_is_its_own_time() -> None:
    traced = batch(
        2,
        sample(USER, B, 1_700, 300, 0, A, "filter", within="on_message"),
        sample(USER, B, 1_900, 600, 0, A, "on_message"),
        sample(LEASE, B, 2_000, 800, 0, A),
    )
    assert stacks(json.loads(to_speedscope_json([traced]))) == {
        ("SYSTEM/B", "INPUT", "on_message"): 600,
        ("SYSTEM/B", "INPUT", "lease, in no task"): 200,
    }


@given(batches())
def test_whatever_was_traced(traced: list[ProcessProfilingTraceBatch]) -> None:
    file = json.loads(to_speedscope_json(traced))
    jsonschema.validate(file, FORMAT)
    for profile in file["profiles"]:
        assert sum(profile["weights"]) == profile["endValue"] - profile["startValue"]
    expected = sums(traced)
    tasks = sum(int(s.value) for one in traced for s in one.samples if s.metric == USER and s.within is None)
    least = tasks + expected[WAIT, ""]
    assert least <= sum(stacks(file).values()) <= least + expected[LEASE, ""]
