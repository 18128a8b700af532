"""The ways in which an application sends objects of its own classes."""

from collections.abc import Callable, Sequence
from typing import Any

from attrs import field

from ezmsg.core.errors import InvalidOption
from ezmsg.core.messages.payload import Buffer
from ezmsg.protocol.declared import declared

NAME_BYTES = 255

Dump = Callable[[Any], Sequence[Buffer]]
Load = Callable[[Sequence[memoryview]], Any]


@declared
class Encoding:
    """An application's own way to send objects of exactly one class.

    ``dump`` returns buffers of bytes; ``load`` gets views of the same buffers and returns the object.
    """

    name: str
    cls: type
    dump: Dump
    load: Load


@declared(frozen=False)
class Registry:
    """The encodings in use, and whether pickle may carry what has none."""

    allow_pickle: bool = True
    by_class: dict[type, Encoding] = field(factory=dict)
    by_name: dict[str, Encoding] = field(factory=dict)

    def register(self, encoding: Encoding) -> None:
        """Use an encoding from now on; it takes the place of an earlier one for its class or of its name.

        :raises InvalidOption: if its name does not fit into a description.
        """
        if not 1 <= len(encoding.name.encode()) <= NAME_BYTES:
            reason = f"it must have from 1 to {NAME_BYTES} bytes"
            raise InvalidOption(option="name", value=repr(encoding.name), reason=reason)
        self.by_class[encoding.cls] = encoding
        self.by_name[encoding.name] = encoding
