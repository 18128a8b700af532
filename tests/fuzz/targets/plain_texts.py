"""What is read as text from strangers or files: requests for the page of metrics, and announcements of servers."""

import contextlib

from ezmsg.graphserver.metrics.http_request import Refusal, check_request
from ezmsg.protocol.announcement import Announcement
from ezmsg.protocol.errors import InvalidMessage


def target(data: bytes) -> None:
    """Read the input as each of them."""
    with contextlib.suppress(Refusal):
        check_request(data)
    try:
        announcement = Announcement.from_json(data)
    except InvalidMessage:
        return
    assert Announcement.from_json(announcement.to_json()) == announcement
