"""Which topics the description of a program speaks of."""

from ezmsg.protocol.model.metadata import CollectionMetadata, GraphMetadata, UnitMetadata


def metadata_topics(metadata: GraphMetadata) -> set[str]:
    """Return the addresses of all components, streams, topics and relays that metadata speaks of."""
    topics = set(metadata.components)
    for component in metadata.components.values():
        if isinstance(component, UnitMetadata):
            topics.update(stream.address for stream in component.streams.values())
        elif isinstance(component, CollectionMetadata):
            topics.update(topic.address for topic in component.topics.values())
            topics.update(relay.address for relay in component.relays.values())
    return topics
