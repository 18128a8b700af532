"""The keys of a publisher in Zenoh's space of names: ``ezmsg/<graph>/<topic>/<publisher's id>`` and what is below.

Whoever may read and write below ``ezmsg/<graph>/**`` takes part in a graph: that is what access control is given.
"""

from urllib.parse import quote
from uuid import UUID, uuid4

from ezmsg.protocol.declared import declared

ROOT = "ezmsg"
DEFAULT_GRAPH = "default"
_SERVER = "%server"

GRAPH_VARIABLE = "EZMSG_ZENOH_GRAPH"
"""The graph's name, by which access control tells graphs apart."""


@declared
class Keys:
    """The keys of one publisher.

    ``data`` is where each message is sent once for all who hear it, ``alive`` its token; each channel has a key
    that leads to the publisher and one that leads back, and a token of its own.
    """

    base: str

    @property
    def data(self) -> str:
        return f"{self.base}/data"

    @property
    def alive(self) -> str:
        return f"{self.base}/alive"

    def inward(self, channel: str) -> str:
        """Return where a channel's subscribers speak to the publisher; ``*`` is for all of them."""
        return f"{self.base}/in/{channel}"

    def outward(self, channel: str) -> str:
        """Return where the publisher speaks to a channel's subscribers."""
        return f"{self.base}/out/{channel}"

    def token(self, channel: str) -> str:
        """Return the token of a channel's subscribers; ``*`` is for all of them."""
        return f"{self.base}/heard/{channel}"


def publisher_keys(graph: str, topic: str, publisher_id: UUID) -> Keys:
    """Return the keys of a publisher."""
    return Keys("/".join((ROOT, chunk(graph), *map(chunk, topic.split("/")), publisher_id.hex)))


def chunk(text: str) -> str:
    """Return one step of a key for any text: no two texts have the same one, and it means nothing to Zenoh.

    What Zenoh reserves (``*``, ``$``, ``?``, ``#``, ``@`` at the beginning), what it cannot have (nothing at all)
    and what is not of ASCII goes as percent signs and digits.
    """
    return quote(text, safe="") or "%"


def new_channel(client_id: UUID) -> str:
    """Return the name of a new channel, from which the publisher sees whose key it needs."""
    return client_id.hex + uuid4().hex


def client_of(channel: str) -> UUID | None:
    """Return whose channel it is; ``None`` if it is none."""
    try:
        return UUID(hex=channel[:32]) if len(channel) == 64 else None
    except ValueError:
        return None


def channel_of(key: str) -> str:
    """Return the channel that a key ends with."""
    return key.rpartition("/")[2]


def server_keys(graph: str, server: str) -> Keys:
    """Return the keys of a graph server, by its id; ``*`` is for all that the graph has.

    Its channels are the streams of its clients. No topic begins so, as its percent sign stands before no number.
    """
    return Keys("/".join((ROOT, chunk(graph), _SERVER, server)))


def server_of(key: str) -> str:
    """Return which server's a key is."""
    steps = key.split("/")
    return steps[steps.index(_SERVER) + 1]
