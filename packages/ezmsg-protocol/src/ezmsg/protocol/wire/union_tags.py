"""Which classes of the model are told apart by a tag, and by which: data for the codec and its converter."""

from ezmsg.protocol.model import metadata as md

TAG_KEY = "type"

STREAMS = (md.StreamMetadata, md.InputStreamMetadata, md.OutputStreamMetadata)
TOPICS = (md.TopicMetadata, md.InputTopicMetadata, md.OutputTopicMetadata)
RELAYS = (md.RelayMetadata, md.InputRelayMetadata, md.OutputRelayMetadata)
COMPONENTS = (md.ComponentMetadata, md.CollectionMetadata, md.UnitMetadata)

UNIONS = (STREAMS, TOPICS, RELAYS, COMPONENTS)
"""Each begins with its base, as which an unknown member is read."""

UNION_TAGS: dict[type, str] = {
    md.StreamMetadata: "stream",
    md.InputStreamMetadata: "input",
    md.OutputStreamMetadata: "output",
    md.TopicMetadata: "topic",
    md.InputTopicMetadata: "input",
    md.OutputTopicMetadata: "output",
    md.RelayMetadata: "relay",
    md.InputRelayMetadata: "input",
    md.OutputRelayMetadata: "output",
    md.ComponentMetadata: "component",
    md.CollectionMetadata: "collection",
    md.UnitMetadata: "unit",
}
