"""What may be the name of a topic."""

import unicodedata

from ezmsg.protocol.errors import InvalidTopic

MAX_LENGTH = 1024
"""The longest name, in characters."""


def check_topic(topic: str) -> None:
    """Refuse a name that nobody could read or write.

    :raises InvalidTopic: if it is empty, too long, or holds control characters or half characters.
    """
    if topic and len(topic) <= MAX_LENGTH and topic.isprintable():
        return
    if not topic:
        reason = "a topic's name may not be empty"
    elif len(topic) > MAX_LENGTH:
        reason = f"it has {len(topic)} characters, and at most {MAX_LENGTH} are allowed"
    elif any(unicodedata.category(character) in ("Cc", "Cs") for character in topic):
        reason = "it holds control characters or lone surrogates"
    else:
        return
    raise InvalidTopic(topic=topic[:MAX_LENGTH], reason=reason)
