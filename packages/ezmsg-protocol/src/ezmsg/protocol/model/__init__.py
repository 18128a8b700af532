"""The nouns that messages carry: plain dataclasses without behaviour.

Everything enters, users' own tools too; it uses the standard library alone.

Names are imported when they are first used: few programs need profiles or stacks.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from ezmsg.protocol.model.metadata import (
        CollectionMetadata,
        ComponentMetadata,
        DynamicSettingsMetadata,
        GraphMetadata,
        InputRelayMetadata,
        InputStreamMetadata,
        InputTopicMetadata,
        OutputRelayMetadata,
        OutputStreamMetadata,
        OutputTopicMetadata,
        RelayMetadata,
        SettingsFieldMetadata,
        SettingsSchemaMetadata,
        StreamMetadata,
        TaskMetadata,
        TopicMetadata,
        UnitMetadata,
    )
    from ezmsg.protocol.model.process_control import (
        ProcessControlErrorCode,
        ProcessControlOperation,
        ProcessControlRequest,
        ProcessControlResponse,
        ProcessOwnershipUpdate,
        ProcessPing,
        ProcessRegistration,
        ProcessSettingsUpdate,
        ProcessStats,
        SettingsFieldUpdateRequest,
    )
    from ezmsg.protocol.model.profiling import (
        ChannelProfileSnapshot,
        MetricTotals,
        ProcessProfilingSnapshot,
        ProcessProfilingTraceBatch,
        ProcessTrace,
        ProfileChannelType,
        ProfilingStreamControl,
        ProfilingTraceControl,
        ProfilingTraceSample,
        ProfilingTraceStreamBatch,
        PublisherProfileSnapshot,
        SubscriberProfileSnapshot,
        TraceColumns,
    )
    from ezmsg.protocol.model.settings import SettingsChangedEvent, SettingsEventType, SettingsSnapshotValue
    from ezmsg.protocol.model.snapshot import Edge, GraphSnapshot, ProcessState, SnapshotProcess, SnapshotSession
    from ezmsg.protocol.model.stacks import ProcessStacks, StackFrame, TaskStack, ThreadStack
    from ezmsg.protocol.model.topology import TopologyChangedEvent, TopologyEventType

__all__ = [
    "ChannelProfileSnapshot",
    "CollectionMetadata",
    "ComponentMetadata",
    "DynamicSettingsMetadata",
    "Edge",
    "GraphMetadata",
    "GraphSnapshot",
    "InputRelayMetadata",
    "InputStreamMetadata",
    "InputTopicMetadata",
    "MetricTotals",
    "OutputRelayMetadata",
    "OutputStreamMetadata",
    "OutputTopicMetadata",
    "ProcessControlErrorCode",
    "ProcessControlOperation",
    "ProcessControlRequest",
    "ProcessControlResponse",
    "ProcessOwnershipUpdate",
    "ProcessPing",
    "ProcessProfilingSnapshot",
    "ProcessProfilingTraceBatch",
    "ProcessRegistration",
    "ProcessSettingsUpdate",
    "ProcessStacks",
    "ProcessState",
    "ProcessStats",
    "ProcessTrace",
    "ProfileChannelType",
    "ProfilingStreamControl",
    "ProfilingTraceControl",
    "ProfilingTraceSample",
    "ProfilingTraceStreamBatch",
    "PublisherProfileSnapshot",
    "RelayMetadata",
    "SettingsChangedEvent",
    "SettingsEventType",
    "SettingsFieldMetadata",
    "SettingsFieldUpdateRequest",
    "SettingsSchemaMetadata",
    "SettingsSnapshotValue",
    "SnapshotProcess",
    "SnapshotSession",
    "StackFrame",
    "StreamMetadata",
    "SubscriberProfileSnapshot",
    "TaskMetadata",
    "TaskStack",
    "ThreadStack",
    "TopicMetadata",
    "TopologyChangedEvent",
    "TopologyEventType",
    "TraceColumns",
    "UnitMetadata",
]

_MODULES = {
    "ChannelProfileSnapshot": "profiling",
    "CollectionMetadata": "metadata",
    "ComponentMetadata": "metadata",
    "DynamicSettingsMetadata": "metadata",
    "Edge": "snapshot",
    "GraphMetadata": "metadata",
    "GraphSnapshot": "snapshot",
    "InputRelayMetadata": "metadata",
    "InputStreamMetadata": "metadata",
    "InputTopicMetadata": "metadata",
    "MetricTotals": "profiling",
    "OutputRelayMetadata": "metadata",
    "OutputStreamMetadata": "metadata",
    "OutputTopicMetadata": "metadata",
    "ProcessControlErrorCode": "process_control",
    "ProcessControlOperation": "process_control",
    "ProcessControlRequest": "process_control",
    "ProcessControlResponse": "process_control",
    "ProcessOwnershipUpdate": "process_control",
    "ProcessPing": "process_control",
    "ProcessProfilingSnapshot": "profiling",
    "ProcessProfilingTraceBatch": "profiling",
    "ProcessRegistration": "process_control",
    "ProcessSettingsUpdate": "process_control",
    "ProcessStacks": "stacks",
    "ProcessState": "snapshot",
    "ProcessStats": "process_control",
    "ProcessTrace": "profiling",
    "ProfileChannelType": "profiling",
    "ProfilingStreamControl": "profiling",
    "ProfilingTraceControl": "profiling",
    "ProfilingTraceSample": "profiling",
    "ProfilingTraceStreamBatch": "profiling",
    "PublisherProfileSnapshot": "profiling",
    "RelayMetadata": "metadata",
    "SettingsChangedEvent": "settings",
    "SettingsEventType": "settings",
    "SettingsFieldMetadata": "metadata",
    "SettingsFieldUpdateRequest": "process_control",
    "SettingsSchemaMetadata": "metadata",
    "SettingsSnapshotValue": "settings",
    "SnapshotProcess": "snapshot",
    "SnapshotSession": "snapshot",
    "StackFrame": "stacks",
    "StreamMetadata": "metadata",
    "SubscriberProfileSnapshot": "profiling",
    "TaskMetadata": "metadata",
    "TaskStack": "stacks",
    "ThreadStack": "stacks",
    "TopicMetadata": "metadata",
    "TopologyChangedEvent": "topology",
    "TopologyEventType": "topology",
    "TraceColumns": "profiling",
    "UnitMetadata": "metadata",
}


def __getattr__(name: str) -> Any:
    if name not in _MODULES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(import_module(f"{__name__}.{_MODULES[name]}"), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
