"""What a publisher can be told, and what the environment says where it was told nothing."""

import os
from math import inf

from ezmsg.core.channels.backpressure import MAX_NUM_BUFFERS
from ezmsg.core.errors import InvalidOption
from ezmsg.protocol.declared import declared

LINGER_S = 5.0
"""How long a closing publisher waits for its messages to be delivered, in seconds."""

DEFAULT_NUM_BUFFERS = 32
DEFAULT_MAX_BLOCK_S = 5.0
"""How long a publisher waits for a process that does not answer, in seconds."""

MAX_BUF_SIZE = 2**36
DEFAULT_BUF_SIZE = 2**16
_TRUE = ("1", "true", "yes", "on")


def flag(variable: str, default: bool) -> bool:
    """Return an environment variable as a truth value."""
    value = os.environ.get(variable, "").strip().lower()
    return default if not value else value in _TRUE


@declared
class PublisherOptions:
    """How a publisher sends; ``buf_size`` is in bytes, and only where memory for messages begins."""

    host: str | None
    port: int | None
    buf_size: int
    num_buffers: int
    start_paused: bool
    force_tcp: bool
    allow_local: bool
    strict_views: bool
    max_block: float | None
    transport: str = ""


def publisher_options(
    host: str | None,
    port: int | None,
    buf_size: int,
    num_buffers: int,
    start_paused: bool,
    force_tcp: bool | None,
    allow_local: bool | None,
    strict_views: bool | None,
    max_block: float | None = DEFAULT_MAX_BLOCK_S,
    transport: str | None = None,
) -> PublisherOptions:
    """Check options, and take those that are None from the environment.

    The variables are ``EZMSG_FORCE_TCP``, ``EZMSG_ALLOW_LOCAL``, ``EZMSG_STRICT_VIEWS`` and ``EZMSG_TRANSPORT``.

    :raises InvalidOption: if one has a value that it cannot have.
    """
    check_whole("num_buffers", num_buffers, 1, MAX_NUM_BUFFERS)
    check_whole("buf_size", buf_size, 1, MAX_BUF_SIZE)
    if port is not None:
        check_whole("port", port, 0, 0xFFFF)
    check_max_block(max_block)
    return PublisherOptions(
        host=host,
        port=port,
        buf_size=buf_size,
        num_buffers=num_buffers,
        start_paused=start_paused,
        force_tcp=flag("EZMSG_FORCE_TCP", False) if force_tcp is None else force_tcp,
        allow_local=flag("EZMSG_ALLOW_LOCAL", True) if allow_local is None else allow_local,
        strict_views=flag("EZMSG_STRICT_VIEWS", False) if strict_views is None else strict_views,
        max_block=max_block,
        transport=os.environ.get("EZMSG_TRANSPORT", "").strip() if transport is None else transport,
    )


def check_max_block(value: object) -> None:
    """Check how long a publisher waits for a process that does not answer.

    :raises InvalidOption: if it is neither ``None`` nor a positive number of seconds.
    """
    number = isinstance(value, int | float) and not isinstance(value, bool)
    if value is not None and not (number and 0 < float(str(value)) < inf):
        reason = "it must be a positive number of seconds, or None to wait without limit"
        raise InvalidOption(option="max_block", value=repr(value), reason=reason)


def check_whole(option: str, value: object, least: int, most: int) -> None:
    """Check that an option is a whole number within bounds.

    :raises InvalidOption: if it is not.
    """
    if isinstance(value, bool) or not isinstance(value, int) or not least <= value <= most:
        reason = f"it must be a whole number from {least} to {most}"
        raise InvalidOption(option=option, value=repr(value), reason=reason)
