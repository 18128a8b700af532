"""The model by itself: what recorded streams of facts make of it, and what no stream can."""

import dataclasses
from uuid import uuid4

import attrs
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.tui import states
from tests.tui.states import EPOCH, FIRST, GEN_OUT, SECOND, SERVER, WALL

from ezmsg.protocol.messages.settings import SettingsTaken
from ezmsg.protocol.model import SettingsEventType, TopologyChangedEvent, TopologyEventType
from ezmsg.protocol.model.snapshot import Edge, ProcessState
from ezmsg.protocol.testing import instances, snapshots
from ezmsg.tui.model import facts
from ezmsg.tui.model.news import news
from ezmsg.tui.model.reducing import REDUCERS, reduce, reduced
from ezmsg.tui.model.view import JOURNAL_LIMIT, Kind, Link, View
from ezmsg.tui.screens.processes import process_rows


def test_every_fact_has_a_reducer() -> None:
    assert set(REDUCERS) == set(facts.Fact.__args__)


def test_the_recorded_graph() -> None:
    view = states.running()

    assert view.is_live
    assert list(view.picture.units) == ["DEMO/GEN", "DEMO/FILT", "DEMO/DECODE", "DEMO/LOG", "DEMO"]
    assert view.picture.unit_count == 4
    assert view.courses[states.endpoint(GEN_OUT)].rate_hz == pytest.approx(1000.0)
    assert view.pressure == {Edge(states.FILT_OUT, states.DECODE_IN): pytest.approx(0.41, abs=0.01)}
    assert view.fares[SECOND].cpu == pytest.approx(0.97)
    assert view.settings["DEMO/FILT"].revision == 7
    assert [each.by for each in view.histories["DEMO/FILT"]] == [None, "cli@lab3", "tui@lab3"]


def test_the_worst_news_come_first() -> None:
    told = news(states.running())

    assert [each.what for each in told] == ["waits", "late"]
    assert "DEMO/FILT/OUTPUT waits 41.0 % of the time for DEMO/DECODE/INPUT (pid 4188)" in told[0].text
    assert "process 4188 (DEMO/DECODE) is 38 ms late" in told[1].text
    lost = news(states.lost())
    assert lost[0].text == "the graph server is gone: Connection refused"


def test_a_view_is_never_changed() -> None:
    before = states.running()
    held = attrs.asdict(before, recurse=False)
    reduced(before, [*states.seconds(3, 12), states.event(9, 9, cutoff=1.0), facts.Lost("x")])

    assert attrs.asdict(before, recurse=False) == held


def test_a_server_that_is_gone_leaves_the_last_picture_and_counts() -> None:
    view = states.lost()

    assert view.contact.link is Link.LOST
    assert view.contact.attempts == 1
    assert view.contact.retry_at_s == 16.0
    assert view.picture == states.running().picture
    back = reduce(view, facts.Connected(SERVER, EPOCH))
    assert back.is_live
    assert back.restarts == 0
    assert back.journal[-1].text.endswith("is back")


def test_another_run_of_the_server_counts_its_events_anew() -> None:
    view = reduced(states.lost(), [facts.Connected(SERVER, uuid4()), states.event(1, 9, cutoff=77.0)])

    assert view.restarts == 1
    assert view.settings["DEMO/FILT"].structured_value["cutoff"] == 77.0
    assert "began anew" in " ".join(each.text for each in view.journal)


def test_who_is_not_let_in_is_told_so() -> None:
    view = reduced(View(), [facts.Ticked(1.0, WALL), facts.Absent(SERVER, "another token", 6.0, refused=True)])

    assert view.contact.link is Link.REFUSED


def test_events_from_before_the_snapshot_are_history_and_change_nothing() -> None:
    view = reduced(View(), states.beginning())

    assert view.settings["DEMO/FILT"].structured_value["cutoff"] == 40.0
    assert [each.revision for each in view.histories["DEMO/FILT"]] == [5, 6, 7]
    again = reduce(view, states.event(7, 7))
    assert again is view


def test_settings_that_are_removed_are_gone() -> None:
    view = states.running()
    event = attrs.evolve(states.event(8, 8), event=states.event(8, 8).event)
    event.event.event_type = SettingsEventType.SETTINGS_REMOVED

    after = reduce(view, event)

    assert "DEMO/FILT" not in after.settings
    assert "DEMO/FILT" in view.settings
    assert after.journal[-1].text.startswith("DEMO/FILT   settings removed")


def test_what_differs_between_two_snapshots_is_told() -> None:
    view = reduce(states.running(), facts.GraphSeen(states.graph(without=SECOND, more=[("X", "Y")], seq=12)))

    told = [each.text for each in view.journal]
    assert "connected X -> Y" in told
    assert "process 4188 on lab3 is gone, with DEMO/DECODE" in told
    assert view.journal[-1].kind is Kind.WARNING
    assert news(view)[0].what == "lost"
    assert FIRST in view.fares
    assert SECOND not in view.fares
    assert reduce(view, facts.Ticked(view.now_s + 61, WALL)).departed == ()


@pytest.mark.parametrize("state", [ProcessState.STALLED, ProcessState.UNRESPONSIVE])
@pytest.mark.parametrize("answers", [True, False])
def test_a_process_that_is_held_up_is_shown_and_told_once(state: ProcessState, answers: bool) -> None:
    graph = states.graph(seq=12)
    process = dataclasses.replace(graph.processes[SECOND], state=state)
    graph = dataclasses.replace(graph, processes={**graph.processes, SECOND: process})
    silent = facts.Fared((facts.Answer(SECOND, None, None, "no answer within 1 s"),))
    view = reduced(states.running(), [facts.GraphSeen(graph), *([] if answers else [silent])])

    about = [each.text for each in news(view) if "process 4188" in each.text and each.what == "silent"]
    assert len(about) == 1
    assert about[0].startswith(f"process 4188 on lab3 (DEMO/DECODE) is {state.value.lower()}: ")
    rows = {row.cells[0]: row.cells[6] for row in process_rows(view)}
    assert rows["4188"] == state.value.lower()
    assert rows["4121"].strip() == "1.2 ms"


def test_a_channel_that_was_cut_is_news_for_a_minute() -> None:
    cut = TopologyChangedEvent(10, TopologyEventType.CHANNEL_CUT, WALL + 12, [GEN_OUT], None, None)
    view = reduce(states.running(), facts.TopologyChanged(cut))

    assert "cut" in [each.what for each in news(view)]
    later = reduce(view, facts.Ticked(100.0, WALL + 100))
    assert "cut" not in [each.what for each in news(later)]


def test_a_clock_that_jumps_breaks_nothing() -> None:
    told = [facts.Ticked(50.0, 0.0), states.fared(20), facts.Ticked(10.0, WALL * 2), *states.seconds(2, 30)]
    view = reduced(states.running(), told)

    assert view.now_s == 50.0
    news(view)


def test_a_gap_is_said() -> None:
    view = reduce(states.running(), facts.Missed("settings", 8, 12))

    assert view.missed == 5
    assert "5 events of settings" in view.journal[-1].text
    assert news(view)[-1].what == "missed"


def test_the_time_line_is_bounded() -> None:
    view = View()
    for number in range(JOURNAL_LIMIT + 10):
        view = reduce(view, facts.Done(str(number)))

    assert len(view.journal) == JOURNAL_LIMIT
    assert view.journal[-1].number == JOURNAL_LIMIT + 10


def test_a_trace_is_on_and_off() -> None:
    view = reduce(states.running(), facts.TraceBegun(20.0))
    assert view.tracing.is_on
    assert not reduce(view, facts.Lost("x")).tracing.is_on
    assert not reduce(view, facts.TraceEnded((), {})).tracing.is_on


times = st.floats(0, 1e9, allow_nan=False)
drawn = st.one_of(
    st.builds(facts.Ticked, times, times),
    st.builds(facts.Absent, st.just(SERVER), st.text(), times, st.booleans()),
    st.builds(facts.Connected, st.just(SERVER), st.sampled_from([EPOCH, FIRST])),
    st.builds(facts.Lost, st.text()),
    st.builds(facts.GraphSeen, snapshots()),
    st.builds(facts.TopologyChanged, instances(TopologyChangedEvent)),
    st.builds(facts.Missed, st.text(), st.integers(), st.integers()),
    st.builds(states.event, st.integers(1, 20), st.integers(0, 20)),
    st.just(facts.SettingsSeen(SettingsTaken(states.settings(), 7, EPOCH))),
    st.just(facts.GraphSeen(states.graph())),
    st.builds(facts.GraphSeen, st.builds(states.graph, without=st.sampled_from([None, FIRST, SECOND]))),
    st.integers(0, 40).map(lambda at_s: facts.Counted(states.counts(at_s), {})),
    st.integers(0, 40).map(states.fared),
    st.builds(facts.Done, st.text(), st.booleans()),
)


@given(st.lists(drawn, max_size=25))
def test_no_stream_of_facts_breaks_the_view(told: list[facts.Fact]) -> None:
    view = View()
    for fact in told:
        before, view = view, reduce(view, fact)
        assert view.now_s >= before.now_s
        assert len(view.journal) <= JOURNAL_LIMIT
        numbers = [each.number for each in view.journal]
        assert numbers == sorted(set(numbers))
        assert set(view.fares) <= set(view.picture.processes)
    news(view)


@given(st.lists(st.builds(states.event, st.integers(1, 20), st.integers(0, 20)), max_size=20))
def test_settings_are_those_of_the_last_event_after_the_snapshot(told: list[facts.SettingsChanged]) -> None:
    view = reduced(View(), [*states.beginning(), *told])

    seq, expected = 7, states.settings()["DEMO/FILT"]
    for fact in told:
        if fact.event.seq > seq:
            seq, expected = fact.event.seq, fact.event.value
    assert view.settings["DEMO/FILT"] == expected
