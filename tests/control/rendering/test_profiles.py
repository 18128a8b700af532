"""Profiles and blame as people read them."""

import pytest
from tests.control.exporting.traces import USER, batch, sample
from tests.control.profiling.profiles import SECOND, Process, began, ended, endpoint, id_of

from ezmsg.control.profiling.blaming import blame
from ezmsg.control.profiling.growth import concerned
from ezmsg.control.rendering.blame import blame_lines
from ezmsg.control.rendering.profiles import profile_lines
from ezmsg.control.rendering.quantities import duration, percent, size
from ezmsg.protocol.model.profiling import MetricTotals

MS = 1_000_000


@pytest.mark.parametrize(
    ("ns", "text"),
    [
        (0, "0 ns"),
        (999, "999 ns"),
        (41_200, "41.2 us"),
        (3_900_000, "3.9 ms"),
        (412 * MS, "412 ms"),
        (999_960_000, "1000 ms"),
        (10 * SECOND, "10.0 s"),
        (600 * SECOND, "600 s"),
    ],
)
def test_durations(ns: int, text: str) -> None:
    assert duration(ns) == text


def test_sizes_and_shares() -> None:
    assert [size(count) for count in (0, 999, 8_200_000, 3 * 10**12)] == ["0 B", "999 B", "8.2 MB", "3000 GB"]
    assert [percent(share) for share in (0.0, 0.00001, 0.041, 1.0)] == ["0.0 %", "< 0.1 %", "4.1 %", "100.0 %"]


def test_blame() -> None:
    processes = [
        Process("source").publishes("D/GEN/OUT", {"decode": 404 * MS, "log": 6 * MS}, 10_000, more_ns=2 * MS),
        Process("decode", pid=4188).hears("D/DECODE/IN", ["D/GEN/OUT"], 6_000 * MS, {"on_message": 6_000 * MS}),
        Process("log", pid=4121).hears("D/LOG/IN", ["D/GEN/OUT"]),
    ]
    spans = [sample(USER, endpoint("D/DECODE/IN"), n, n * MS // 10, n, label="on_message") for n in range(1, 113)]
    traced = [batch(2, *spans)]
    sources = {("D/DECODE/IN", "on_message"): r"C:\lab\decoder.py:88", ("D/LOG/IN", "on_message"): "/lab/log.py:1"}
    found = blame(began(*processes), ended(*processes), "D/GEN/OUT", traced, sources)
    (task,) = found.culprits[0].tasks
    assert task.source == r"C:\lab\decoder.py:88"
    in_user_code = "busy 60.0 %   user code p50 5.6 ms  p99 11.1 ms"
    assert list(blame_lines(found)) == [
        "D/GEN/OUT waited 412 ms of the last 10.0 s (4.1 %), with 32 buffers",
        f"  98.1 %  D/DECODE/IN   pid 4188   {in_user_code}   on_message  decoder.py:88",
        "   1.5 %  D/LOG/IN      pid 4121   busy 0.0 %",
        "   0.5 %  nobody can be named",
        "Next: ezmsg process stacks 4188      more buffers hide bursts up to 11.1 ms: num_buffers 32 -> 44",
    ]


def test_blame_of_who_did_not_wait_and_of_who_was_not_seen() -> None:
    processes = [Process("source").publishes("A/OUT", {}, 7)]
    (line,) = blame_lines(blame(began(*processes), ended(*processes), "A/OUT"))
    assert line == "A/OUT did not wait in the last 10.0 s; it published 7 messages"
    (line,) = blame_lines(blame(began(*processes), [], "A/OUT"))
    assert line == "A/OUT could not be watched"


def test_a_chain_says_through_whom_and_hosts_are_named_if_there_are_several() -> None:
    processes = [
        Process("source").publishes("A/OUT", {"middle": 1_000 * MS}),
        Process("middle", pid=2).hears("B/IN", ["A/OUT"], 1_000 * MS).publishes("B/OUT", {"end": 500 * MS}),
        Process("end", pid=3).hears("C/IN", ["B/OUT"], 9_500 * MS),
    ]
    before, after = began(*processes), ended(*processes)
    for each in (before, after):
        each[2].host = "far"
    _, first, second, last = blame_lines(blame(before, after, "A/OUT"))
    assert first == "  50.0 %  B/IN   pid 2 on lab   busy 10.0 %"
    assert second == "  50.0 %  C/IN   pid 3 on far   busy 95.0 %   through B/IN"
    assert last == "Next: ezmsg process stacks 2"


def test_profiles() -> None:
    processes = [
        Process("b", pid=2).hears("LONG/NAME/IN", ["A/OUT"], messages=9),
        Process("a", pid=1).publishes("A/OUT", {"b": 3_900_000}, 10),
    ]
    snapshots = ended(*processes)
    snapshots[0].subscribers[endpoint("LONG/NAME/IN")].messages_dropped_total = 4
    snapshots[0].subscribers[endpoint("LONG/NAME/IN")].lease_ns_total = 9 * 2_000_000
    snapshots[0].subscribers[endpoint("LONG/NAME/IN")].totals = {"user_span_ns": MetricTotals(3, 4_500_000)}
    snapshots[0].tracers = ["somebody"]
    assert list(profile_lines(snapshots)) == [
        "pid 1 on lab",
        "   -> A/OUT          10 messages   0 B   1 of 32 buffers in use   waited 3.9 ms",
        "pid 2 on lab, traced by 1",
        (
            "   <- LONG/NAME/IN   9 messages   0 B   0 wait   shm   held 2.0 ms each   user code 1.5 ms each   "
            "4 dropped"
        ),
    ]


def test_who_is_concerned() -> None:
    processes = [
        Process("source").publishes("A/OUT", {}),
        Process("middle").hears("B/IN", ["A/OUT"]).publishes("B/OUT", {}),
        Process("end").hears("C/IN", ["B/OUT"]),
        Process("elsewhere").hears("D/IN", ["E/OUT"]).publishes("E/OUT", {}),
    ]
    snapshots = ended(*processes)
    assert concerned(snapshots, "A/OUT") == {id_of("source"), id_of("middle"), id_of("end")}
    assert concerned(snapshots, "B/OUT") == {id_of("middle"), id_of("end")}
    assert concerned(snapshots, "NOWHERE") == set()
