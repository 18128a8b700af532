"""Everything that programs import from `ezmsg.util` is where they look for it."""

import dataclasses
import importlib
import inspect
import pickle

import pytest

import ezmsg.core as ez

PUBLIC = {
    "messages.axisarray": "ArrayWithNamedDims AxisArray AxisBase CoordinateAxis LinearAxis as2d replace shape2d "
    "slice_along_axis sliding_win_oneaxis view2d",
    "messages.util": "fast_replace replace",
    "messages.chunker": "ArrayChunker ArrayChunkerSettings array_chunker",
    "messages.modify": "ModifyAxis ModifyAxisSettings ModifyAxisTransformer modify_axis",
    "messages.key": "FilterOnKey KeySettings SetKey set_key",
    "messagelogger": "MessageLogger MessageLoggerSettings MessageLoggerState log_object",
    "messagecodec": "LogStart MessageDecoder MessageEncoder StampedMessage TYPE PICKLE_TYPE PICKLE_DATA "
    "NDARRAY_TYPE NDARRAY_DTYPE NDARRAY_DATA NDARRAY_SHAPE import_type message_log type_str",
    "messagereplay": "FileReplayMessage MessageCollector MessageCollectorState MessageReplay MessageReplaySettings "
    "MessageReplayState ReplayStatusMessage",
    "messagegate": "GateMessage MessageGate MessageGateSettings MessageGateState",
    "messagequeue": "MessageQueue MessageQueueSettings MessageQueueState",
    "terminate": "TerminateOnTimeout TerminateOnTimeoutSettings TerminateOnTimeoutState TerminateOnTotal "
    "TerminateOnTotalSettings TerminateOnTotalState",
    "debuglog": "DebugLog DebugLogSettings",
    "rate": "Rate",
    "generator": "Gen GenState compose consumer",
    "gen_to_unit": "args_to_settings args_to_state gen_to_unit",
    "profiler": "get_logger_path profile_method profile_subpub",
}


@pytest.mark.parametrize("name", PUBLIC)
def test_names_are_there_and_no_others(name: str) -> None:
    module = importlib.import_module(f"ezmsg.util.{name}")
    assert sorted(module.__all__) == sorted(PUBLIC[name].split())
    assert all(hasattr(module, each) for each in module.__all__)


SIGNATURES = {
    "messages.axisarray:AxisArray": "data dims axes attrs key stream_dim",
    "messages.axisarray:AxisArray.AxisInfo": "axis idx size",
    "messages.axisarray:LinearAxis": "unit gain offset",
    "messages.axisarray:CoordinateAxis": "data dims unit",
    "messages.axisarray:AxisArray.concatenate": "aas dim axis filter_key",
    "messages.axisarray:AxisArray.transpose": "aa dims",
    "messages.axisarray:AxisArray.TimeAxis": "fs offset",
    "messages.axisarray:slice_along_axis": "in_arr sl axis",
    "messages.axisarray:sliding_win_oneaxis": "in_arr nwin axis step",
    "messages.axisarray:as2d": "in_arr axis xp",
    "messages.axisarray:view2d": "in_arr axis",
    "messages.axisarray:shape2d": "arr axis",
    "messages.util:fast_replace": "arr kwargs",
    "messages.chunker:array_chunker": "data chunk_len axis fs tzero",
    "messages.chunker:ArrayChunkerSettings": "data chunk_len axis fs tzero",
    "messages.modify:ModifyAxisSettings": "name_map",
    "messages.modify:modify_axis": "name_map",
    "messages.key:KeySettings": "key",
    "messagelogger:MessageLoggerSettings": "output write_period",
    "messagecodec:message_log": "fname return_object",
    "messagereplay:MessageReplaySettings": "filename rate progress",
    "messagereplay:FileReplayMessage": "filename rate",
    "messagereplay:ReplayStatusMessage": "filename idx total done",
    "messagegate:MessageGateSettings": "start_open default_open default_after",
    "messagegate:GateMessage": "open",
    "messagequeue:MessageQueueSettings": "maxsize leaky log_above_n output_hz",
    "terminate:TerminateOnTimeoutSettings": "time poll_rate",
    "terminate:TerminateOnTotalSettings": "total",
    "debuglog:DebugLogSettings": "name max_length",
    "rate:Rate": "hz",
    "gen_to_unit:gen_to_unit": "func sleep_time output_stream_kwargs msg_to_state",
}


@pytest.mark.parametrize("name", SIGNATURES)
def test_arguments_have_the_names_and_the_order_that_programs_use(name: str) -> None:
    module, _, path = name.partition(":")
    found = importlib.import_module(f"ezmsg.util.{module}")
    for each in path.split("."):
        found = getattr(found, each)
    assert list(inspect.signature(found).parameters) == SIGNATURES[name].split()  # type: ignore[arg-type]


def test_what_is_kept_in_pickles_and_logs_has_its_public_name() -> None:
    for name in ("messages.axisarray", "messagecodec", "messagegate", "messagereplay"):
        module = importlib.import_module(f"ezmsg.util.{name}")
        for each in PUBLIC[name].split():
            cls = getattr(module, each)
            if not isinstance(cls, type) or issubclass(cls, ez.Settings | ez.State):
                continue
            if dataclasses.is_dataclass(cls):
                assert cls.__module__ == f"ezmsg.util.{name}"
                assert pickle.loads(pickle.dumps(cls)) is cls
