"""What the programs of the property tests say about their components."""

from ezmsg.protocol.model.metadata import DynamicSettingsMetadata, GraphMetadata, InputStreamMetadata, UnitMetadata
from ezmsg.protocol.model.settings import SettingsSnapshotValue


def program(gains: dict[str, float]) -> GraphMetadata:
    """Describe units by their addresses, each with an inlet ``IN`` and an initial gain."""
    return GraphMetadata(1, None, {address: unit(address, gain) for address, gain in gains.items()})


def unit(address: str, gain: float = 1.0) -> UnitMetadata:
    """Describe one unit."""
    return UnitMetadata(
        address=address,
        name=address,
        component_type="tests.Unit",
        settings_type="tests.Settings",
        initial_settings=(b"opaque", {"gain": gain}),
        dynamic_settings=DynamicSettingsMetadata(enabled=False, input_topic=None, settings_type=None),
        settings_schema=None,
        streams={"IN": InputStreamMetadata("IN", f"{address}/IN", "float")},
        tasks=[],
        main=None,
        threads=[],
    )


def reported(gain: float, revision: int = 0) -> SettingsSnapshotValue:
    """Make the value that a process reports of a unit; its revision is of no account."""
    return SettingsSnapshotValue(b"opaque", {"gain": gain}, {"gain": gain}, revision=revision)


def topics_of(metadata: GraphMetadata | None) -> set[str]:
    """Return the topics that a description made by :func:`program` speaks of."""
    described = [] if metadata is None else list(metadata.components)
    return {topic for address in described for topic in (address, f"{address}/IN")}
