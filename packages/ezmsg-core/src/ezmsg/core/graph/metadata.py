"""What a resolved graph says about itself: the metadata that its session registers.

Only reads: the components are as `ezmsg.core.graph.crawl` left them. The classes are those of
`ezmsg.protocol.model.metadata`, sorted by address.
"""

import inspect
from collections.abc import Callable
from pathlib import Path
from types import CodeType
from typing import Any

from ezmsg.control.settingsmeta import (
    settings_schema_from_type,
    settings_schema_from_value,
)
from ezmsg.core.graph.bindings import publications_of, subscription_of
from ezmsg.core.graph.collection import Collection
from ezmsg.core.graph.component import Component
from ezmsg.core.graph.crawl import ResolvedGraph
from ezmsg.core.graph.initial_settings import Reported, reported, tell_omissions
from ezmsg.core.graph.relays import Relay
from ezmsg.core.graph.stream_metadata import describe_relay, describe_stream, describe_topic, type_name
from ezmsg.core.graph.streams import SETTINGS_STREAM, InputStream
from ezmsg.core.graph.unit import Unit
from ezmsg.protocol.model.metadata import (
    SCHEMA_VERSION,
    CollectionMetadata,
    ComponentMetadata,
    DynamicSettingsMetadata,
    GraphMetadata,
    SettingsSchemaMetadata,
    TaskMetadata,
    UnitMetadata,
)

PROGRAM_LIMIT = 4 * 1024 * 1024
"""How much the settings of one program may take in its description, in bytes.

Everybody who looks at a graph gets those of all its programs, in one message.
"""

_LEAST_LIMIT = 1024


def graph_metadata(graph: ResolvedGraph) -> GraphMetadata:
    """Describe every component of a graph; the more settings there are, the fewer large ones are told."""
    settings = {address: reported(each.SETTINGS, address) for address, each in graph.components.items()}
    if sum(each.size for each in settings.values()) > PROGRAM_LIMIT:
        fair = max(PROGRAM_LIMIT // (3 * len(settings)), _LEAST_LIMIT)  # of three forms each
        for address, each in graph.components.items():
            if settings[address].size > fair:
                settings[address] = reported(each.SETTINGS, address, fair)
    tell_omissions(settings)
    components = {address: _described(each, settings[address]) for address, each in graph.components.items()}
    return GraphMetadata(schema_version=SCHEMA_VERSION, root_name=graph.root_name, components=components)


def component_metadata(component: Component) -> ComponentMetadata | CollectionMetadata | UnitMetadata:
    """Describe one component that has an address."""
    return _described(component, reported(component.SETTINGS, component.address))


def _described(component: Component, settings: Reported) -> ComponentMetadata | CollectionMetadata | UnitMetadata:
    common = _common(component, settings)
    if isinstance(component, Unit):
        return UnitMetadata(
            **common,
            streams={name: describe_stream(stream) for name, stream in component.streams.items()},
            tasks=_tasks(component),
            main=None if component.main is None else component.main.__name__,
            threads=sorted(component.threads),
            initial_structured=settings.structured,
        )
    if isinstance(component, Collection):
        streams = component.streams.items()
        return CollectionMetadata(
            **common,
            topics={name: describe_topic(each) for name, each in streams if not isinstance(each, Relay)},
            relays={name: describe_relay(each) for name, each in streams if isinstance(each, Relay)},
            children=sorted(child.address for child in component.components.values()),
            initial_structured=settings.structured,
        )
    return ComponentMetadata(**common)


def _common(component: Component, settings: Reported) -> dict[str, Any]:
    return {
        "address": component.address,
        "name": component.name,
        "component_type": type_name(type(component)),
        "settings_type": type_name(component.__settings_type__),
        "initial_settings": (settings.serialized, settings.readable),
        "dynamic_settings": _dynamic_settings(component),
        "settings_schema": _settings_schema(component),
    }


def _settings_schema(component: Component) -> SettingsSchemaMetadata | None:
    settings = component.SETTINGS  # may be of a subclass with more fields
    if settings is None:
        return settings_schema_from_type(component.__settings_type__)
    return settings_schema_from_value(settings)


def _dynamic_settings(component: Component) -> DynamicSettingsMetadata:
    inlet = component.streams.get(SETTINGS_STREAM)
    if not isinstance(inlet, InputStream):
        return DynamicSettingsMetadata(enabled=False, input_topic=None, settings_type=None)
    return DynamicSettingsMetadata(enabled=True, input_topic=inlet.address, settings_type=type_name(inlet.msg_type))


def _tasks(unit: Unit) -> list[TaskMetadata]:
    return [_task(unit, name) for name in sorted(unit.tasks)]


def _task(unit: Unit, name: str) -> TaskMetadata:
    func = unit.tasks[name]
    inlet = subscription_of(unit, func)
    return TaskMetadata(
        name=name,
        subscribes=None if inlet is None else inlet.address,
        publishes=[outlet.address for outlet in publications_of(unit, func)],
        source=_source(func),
    )


def _source(func: Callable[..., Any]) -> str | None:
    """Return where a function is defined, below what wraps it: at its first decorator, if it has any."""
    try:
        code = getattr(inspect.unwrap(func), "__code__", None)
        if not isinstance(code, CodeType):
            return None
        file = code.co_filename
        return f"{file if file.startswith('<') else Path(file).absolute()}:{code.co_firstlineno}"
    except Exception:  # noqa: BLE001  protects a registration from a user's __wrapped__, and from a folder that is gone
        return None
