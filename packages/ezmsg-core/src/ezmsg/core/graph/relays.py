"""Relays: topics at a collection's border that take messages in and publish them again, with options of their own.

A relay gives the outside of a collection a queue, a policy or a transport that the inside need not know. These
are the declarations; in the graph a relay is a node like any topic, and whether a bridge runs behind it is the
runtime's business.
"""

from typing import Any

from ezmsg.core.graph.streams import (
    DEFAULT_NUM_BUFFERS,
    DEFAULT_SHM_SIZE,
    Topic,
    check_max_queue,
    check_publisher_options,
)


class Relay(Topic):
    """A relay with all options: those of an inlet, those of an outlet, and the copy between them.

    :param copy_on_forward: Whether what is sent on is a deep copy, so that it does not hold the sender's slot.
    :raises InvalidOption: if a number is out of range.
    """

    def __init__(
        self,
        msg_type: Any,
        leaky: bool = False,
        max_queue: int | None = None,
        host: str | None = None,
        port: int | None = None,
        num_buffers: int = DEFAULT_NUM_BUFFERS,
        buf_size: int = DEFAULT_SHM_SIZE,
        force_tcp: bool = False,
        copy_on_forward: bool = True,
    ) -> None:
        super().__init__(msg_type)
        check_max_queue(max_queue)
        check_publisher_options(port, num_buffers, buf_size)
        self.leaky = leaky
        self.max_queue = max_queue
        self.host = host
        self.port = port
        self.num_buffers = num_buffers
        self.buf_size = buf_size
        self.force_tcp = force_tcp
        self.copy_on_forward = copy_on_forward


class InputRelay(Relay):
    """A relay at a collection's entrance: what arrives waits, or is dropped, as an inlet's messages would."""

    def __init__(
        self, msg_type: Any, leaky: bool = False, max_queue: int | None = None, copy_on_forward: bool = True
    ) -> None:
        super().__init__(msg_type, leaky=leaky, max_queue=max_queue, copy_on_forward=copy_on_forward)


class OutputRelay(Relay):
    """A relay at a collection's exit: what leaves is published with the options of an outlet."""

    def __init__(
        self,
        msg_type: Any,
        host: str | None = None,
        port: int | None = None,
        num_buffers: int = DEFAULT_NUM_BUFFERS,
        buf_size: int = DEFAULT_SHM_SIZE,
        force_tcp: bool = False,
        copy_on_forward: bool = True,
    ) -> None:
        super().__init__(
            msg_type,
            host=host,
            port=port,
            num_buffers=num_buffers,
            buf_size=buf_size,
            force_tcp=force_tcp,
            copy_on_forward=copy_on_forward,
        )
