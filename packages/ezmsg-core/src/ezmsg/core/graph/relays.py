"""Relays: topics at a collection's border that take messages in and publish them again, with options of their own.

A relay gives the outside of a collection a queue, a policy or a transport that the inside need not know. Here are
the declarations, and what they resolve to: plain data, by which `ezmsg.core.runtime.relaying` runs a bridge between
two hidden topics. `ezmsg.core.graph.endpoints` leads the edges over it.

::

    at an entrance   x -> C/NAME -> C/__relays__/NAME/INPUT ~bridge~> C/__relays__/NAME/OUTPUT -> y
    at an exit       x -> C/__relays__/NAME/INPUT ~bridge~> C/__relays__/NAME/OUTPUT -> C/NAME -> y
"""

from dataclasses import dataclass
from typing import Any, overload

from ezmsg.core.graph.addressable import SEPARATOR
from ezmsg.core.graph.component import Component
from ezmsg.core.graph.streams import (
    DEFAULT_NUM_BUFFERS,
    DEFAULT_SHM_SIZE,
    M,
    Topic,
    check_max_queue,
    check_publisher_options,
)

GROUPS = "__relays__"
"""Under which name the hidden topics of a collection's relays stand, beside its children."""


class Relay(Topic[M]):
    """A relay with all options: those of an inlet, those of an outlet, and the copy between them.

    Its edges are led as at an entrance.

    :param copy_on_forward: Whether what is sent on is a deep copy, so that the sender has its buffer back at once.
        Without, it is the message that came, and that buffer is held until it is sent on; in this process, as long
        as anybody has it.
    :raises InvalidOption: if a number is out of range.
    """

    @overload
    def __init__(
        self,
        msg_type: type[M],
        leaky: bool = False,
        max_queue: int | None = None,
        host: str | None = None,
        port: int | None = None,
        num_buffers: int = DEFAULT_NUM_BUFFERS,
        buf_size: int = DEFAULT_SHM_SIZE,
        force_tcp: bool = False,
        copy_on_forward: bool = True,
    ) -> None: ...
    @overload
    def __init__(
        self: "Relay[Any]",
        msg_type: Any,
        leaky: bool = False,
        max_queue: int | None = None,
        host: str | None = None,
        port: int | None = None,
        num_buffers: int = DEFAULT_NUM_BUFFERS,
        buf_size: int = DEFAULT_SHM_SIZE,
        force_tcp: bool = False,
        copy_on_forward: bool = True,
    ) -> None: ...
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


class InputRelay(Relay[M]):
    """A relay at a collection's entrance: what arrives waits, or is dropped, as an inlet's messages would."""

    @overload
    def __init__(
        self, msg_type: type[M], leaky: bool = False, max_queue: int | None = None, copy_on_forward: bool = True
    ) -> None: ...
    @overload
    def __init__(
        self: "InputRelay[Any]",
        msg_type: Any,
        leaky: bool = False,
        max_queue: int | None = None,
        copy_on_forward: bool = True,
    ) -> None: ...
    def __init__(
        self, msg_type: Any, leaky: bool = False, max_queue: int | None = None, copy_on_forward: bool = True
    ) -> None:
        super().__init__(msg_type, leaky=leaky, max_queue=max_queue, copy_on_forward=copy_on_forward)


class OutputRelay(Relay[M]):
    """A relay at a collection's exit: what leaves is published with the options of an outlet."""

    @overload
    def __init__(
        self,
        msg_type: type[M],
        host: str | None = None,
        port: int | None = None,
        num_buffers: int = DEFAULT_NUM_BUFFERS,
        buf_size: int = DEFAULT_SHM_SIZE,
        force_tcp: bool = False,
        copy_on_forward: bool = True,
    ) -> None: ...
    @overload
    def __init__(
        self: "OutputRelay[Any]",
        msg_type: Any,
        host: str | None = None,
        port: int | None = None,
        num_buffers: int = DEFAULT_NUM_BUFFERS,
        buf_size: int = DEFAULT_SHM_SIZE,
        force_tcp: bool = False,
        copy_on_forward: bool = True,
    ) -> None: ...
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


@dataclass(frozen=True)
class ResolvedRelay:
    """What a process is told about a relay that it has to run."""

    address: str
    """The topic by which programs know it."""

    group: str
    """What the hidden topics have in common."""

    input_topic: str
    output_topic: str
    at_exit: bool
    """Whether the bridge stands before :attr:`address`, and not behind it."""

    leaky: bool
    max_queue: int | None
    host: str | None
    port: int | None
    num_buffers: int
    buf_size: int
    force_tcp: bool
    copy_on_forward: bool


def relays_of(component: Component) -> list[Relay]:
    """Return the relays among a component's streams; a unit has none."""
    return [stream for stream in component.streams.values() if isinstance(stream, Relay)]


def resolve_relay(relay: Relay) -> ResolvedRelay:
    """Return a relay that has an address as plain data, with the options that it has at this moment."""
    group = SEPARATOR.join([*relay.location, GROUPS, relay.name])
    return ResolvedRelay(
        address=relay.address,
        group=group,
        input_topic=f"{group}{SEPARATOR}INPUT",
        output_topic=f"{group}{SEPARATOR}OUTPUT",
        at_exit=isinstance(relay, OutputRelay),
        leaky=relay.leaky,
        max_queue=relay.max_queue,
        host=relay.host,
        port=relay.port,
        num_buffers=relay.num_buffers,
        buf_size=relay.buf_size,
        force_tcp=relay.force_tcp,
        copy_on_forward=relay.copy_on_forward,
    )
