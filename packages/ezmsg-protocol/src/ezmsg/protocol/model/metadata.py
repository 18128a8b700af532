"""What a program says about its components: the metadata that a session registers.

Standard-library dataclasses, because users' tools call ``dataclasses.fields`` on them. Names, fields and
order are those of the public package. Nothing here knows how it travels: that is the codec's job.
"""

from dataclasses import dataclass, field
from typing import Any, TypeAlias

SCHEMA_VERSION = 1
"""The ``schema_version`` that this release writes into :class:`GraphMetadata`."""


@dataclass
class DynamicSettingsMetadata:
    """Whether, and through which topic, a component takes new settings while it runs."""

    enabled: bool
    input_topic: str | None
    settings_type: str | None


@dataclass
class StreamMetadata:
    """A stream of a unit; ``address`` is its topic, ``msg_type`` the qualified name of its message type."""

    name: str
    address: str
    msg_type: str


@dataclass
class InputStreamMetadata(StreamMetadata):
    """An inlet; ``leaky`` drops the oldest of more than ``max_queue`` waiting messages."""

    leaky: bool = False
    max_queue: int | None = None


@dataclass
class OutputStreamMetadata(StreamMetadata):
    """An outlet; ``buf_size`` is in bytes, ``num_buffers`` the messages that may be unreleased at a time."""

    host: str | None = None
    port: int | None = None
    num_buffers: int | None = None
    buf_size: int | None = None
    force_tcp: bool | None = None


StreamMetadataType: TypeAlias = StreamMetadata | InputStreamMetadata | OutputStreamMetadata
"""What stands in :attr:`UnitMetadata.streams`."""


@dataclass
class TopicMetadata:
    """A topic of a collection: a node of the graph with no endpoint of its own."""

    name: str
    address: str
    msg_type: str


@dataclass
class InputTopicMetadata(TopicMetadata):
    """A topic through which messages enter a collection."""


@dataclass
class OutputTopicMetadata(TopicMetadata):
    """A topic through which messages leave a collection."""


TopicMetadataType: TypeAlias = TopicMetadata | InputTopicMetadata | OutputTopicMetadata
"""What stands in :attr:`CollectionMetadata.topics`."""


@dataclass
class RelayMetadata(TopicMetadata):
    """A relay: a bridge at a collection's border that takes messages in and publishes them again."""

    leaky: bool = False
    max_queue: int | None = None
    host: str | None = None
    port: int | None = None
    num_buffers: int | None = None
    buf_size: int | None = None
    force_tcp: bool | None = None
    copy_on_forward: bool = True
    relay_group: str | None = None
    relay_input_topic: str | None = None
    relay_output_topic: str | None = None


@dataclass
class InputRelayMetadata(InputTopicMetadata):
    """A relay at the entrance of a collection."""

    leaky: bool = False
    max_queue: int | None = None
    copy_on_forward: bool = True
    relay_group: str | None = None
    relay_input_topic: str | None = None
    relay_output_topic: str | None = None


@dataclass
class OutputRelayMetadata(OutputTopicMetadata):
    """A relay at the exit of a collection."""

    host: str | None = None
    port: int | None = None
    num_buffers: int | None = None
    buf_size: int | None = None
    force_tcp: bool | None = None
    copy_on_forward: bool = True
    relay_group: str | None = None
    relay_input_topic: str | None = None
    relay_output_topic: str | None = None


RelayMetadataType: TypeAlias = RelayMetadata | InputRelayMetadata | OutputRelayMetadata
"""What stands in :attr:`CollectionMetadata.relays`."""


@dataclass
class TaskMetadata:
    """A coroutine of a unit, the stream it subscribes to and the streams it publishes on.

    ``source`` is where it is defined, as ``"<file>:<line>"`` on the machine of the program. It tells nothing about
    what the task does, so that tasks are compared without it.
    """

    name: str
    subscribes: str | None = None
    publishes: list[str] = field(default_factory=list)
    source: str | None = field(default=None, compare=False)


@dataclass
class SettingsFieldMetadata:
    """One field of a settings type; ``bounds`` are inclusive, ``None`` on a side means open."""

    name: str
    field_type: str
    required: bool
    default: Any
    description: str | None
    bounds: tuple[float | None, float | None] | None
    choices: list[Any] | None
    widget_hint: str | None


@dataclass
class SettingsSchemaMetadata:
    """The fields of a settings type, readable without importing it; ``provider`` says what described them."""

    provider: str
    settings_type: str
    fields: list[SettingsFieldMetadata]
    json_schema: dict[str, Any] | None = None


SettingsReprType: TypeAlias = dict[str, Any] | str
"""Settings to be read: a nested dict of plain values, or a ``repr``."""

SerializedSettingsType: TypeAlias = bytes | None
"""Settings as bytes that the control plane stores and never opens; ``None`` if there can be none."""

InitialSettingsType: TypeAlias = tuple[SerializedSettingsType, SettingsReprType]
"""What stands in :attr:`ComponentMetadata.initial_settings`."""


@dataclass
class ComponentMetadata:
    """What is common to units and collections.

    ``initial_settings`` is (opaque pickled bytes or ``None``, readable form): the first is stored and never
    opened by the control plane, the second is a nested dict of plain values or a ``repr``. Units and collections
    have them in a faithful form, too, as ``initial_structured``, in terms of JSON. Of what is too large that has
    the shape and a digest, and the bytes are ``None``.
    """

    address: str
    name: str
    component_type: str
    settings_type: str
    initial_settings: InitialSettingsType
    dynamic_settings: DynamicSettingsMetadata
    settings_schema: SettingsSchemaMetadata | None


@dataclass
class CollectionMetadata(ComponentMetadata):
    """A collection: its topics and relays by attribute name, its children by address."""

    topics: dict[str, TopicMetadataType]
    relays: dict[str, RelayMetadataType]
    children: list[str]
    initial_structured: dict[str, Any] | None = None


@dataclass
class UnitMetadata(ComponentMetadata):
    """A unit: its streams by attribute name, its tasks, its ``main`` and its threads by method name."""

    streams: dict[str, StreamMetadataType]
    tasks: list[TaskMetadata]
    main: str | None
    threads: list[str]
    initial_structured: dict[str, Any] | None = None


ComponentMetadataType: TypeAlias = ComponentMetadata | CollectionMetadata | UnitMetadata
"""What stands in :attr:`GraphMetadata.components`."""


@dataclass
class GraphMetadata:
    """All components of one program, by address, under its root name."""

    schema_version: int
    root_name: str | None
    components: dict[str, ComponentMetadataType]
