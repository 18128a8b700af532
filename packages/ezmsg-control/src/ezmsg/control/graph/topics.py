"""Topics as arguments: looked at before anything is sent, so that a mistake is reported where it was made."""

from ezmsg.protocol.errors import InvalidTopic


def require_topic(topic: object, role: str = "topic") -> str:
    """Return a topic's name as plain text; members of text enumerations are taken by their value.

    :raises TypeError: if it is not text.
    :raises InvalidTopic: if it is empty.
    """
    if not isinstance(topic, str):
        raise TypeError(f"A topic is named by a str, and {role} is a {type(topic).__name__}: {topic!r:.80}")
    if not topic:
        raise InvalidTopic(topic=topic, reason=f"{role} is empty")
    return str.__str__(topic)
