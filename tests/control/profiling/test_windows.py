"""Windows belong to who reads: two readers of one process do not disturb each other."""

from uuid import UUID

from ezmsg.control.profiling.windows import ProfileWindows
from ezmsg.protocol.model.profiling import (
    ProcessProfilingSnapshot,
    ProfileChannelType,
    PublisherProfileSnapshot,
    SubscriberProfileSnapshot,
)

PROCESS, OTHER = UUID(int=1), UUID(int=2)


def snapshot(
    at_s: float, published: dict[str, int], received: int = 0, process: UUID = PROCESS
) -> ProcessProfilingSnapshot:
    now = at_s * 1e9
    publishers = {
        topic: PublisherProfileSnapshot(topic, topic, count, 0, 0.0, 0, 32, now)
        for topic, count in published.items()
    }
    subscribers = {"S": SubscriberProfileSnapshot("S", "S", received, 0, ProfileChannelType.SHM, now)}
    return ProcessProfilingSnapshot(process, 1, "host", 0.0, now, publishers, subscribers)


def told(windows: ProfileWindows, *what: object) -> tuple[float, list[tuple[int, float]], int]:
    filled = windows.fill(snapshot(*what))  # type: ignore[arg-type]
    counts = [(each.messages_published_window, each.publish_rate_hz_window) for each in filled.publishers.values()]
    return filled.window_seconds, counts, filled.subscribers["S"].messages_received_window


def test_the_first_snapshot_has_no_window() -> None:
    assert told(ProfileWindows(), 5.0, {"P": 100}, 7) == (0.0, [(0, 0.0)], 0)


def test_a_window_lasts_from_snapshot_to_snapshot() -> None:
    windows = ProfileWindows()
    told(windows, 5.0, {"P": 100}, 7)
    assert told(windows, 7.0, {"P": 110}, 9) == (2.0, [(10, 5.0)], 2)
    assert told(windows, 8.0, {"P": 110}, 9) == (1.0, [(0, 0.0)], 0)


def test_readers_have_windows_of_their_own() -> None:
    slow, fast = ProfileWindows(), ProfileWindows()
    told(slow, 0.0, {"P": 0})
    for at_s in range(1, 10):
        told(fast, float(at_s), {"P": 10 * at_s})
    assert told(slow, 10.0, {"P": 100}) == (10.0, [(100, 10.0)], 0)
    assert told(fast, 10.0, {"P": 100}) == (1.0, [(10, 10.0)], 0)


def test_processes_and_new_endpoints_have_their_own_windows() -> None:
    windows = ProfileWindows()
    told(windows, 0.0, {"P": 5})
    assert told(windows, 9.0, {"P": 50}, 0, OTHER) == (0.0, [(0, 0.0)], 0)
    assert told(windows, 1.0, {"P": 5, "NEW": 3}) == (1.0, [(0, 0.0), (3, 3.0)], 0)


def test_a_window_of_no_length_has_no_rate() -> None:
    windows = ProfileWindows()
    told(windows, 1.0, {"P": 5})
    assert told(windows, 1.0, {"P": 6}) == (0.0, [(1, 0.0)], 0)
