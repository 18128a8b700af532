"""The ways in which an application, or a package that is installed, sends objects of its own classes.

A package brings one by an entry point of the group ``ezmsg.encodings``, whose name is that of the class with its
module, and of the encoding::

    [project.entry-points."ezmsg.encodings"]
    "package.module.Class" = "package.encoding:ENCODING"

It is looked for when the first object of a class, or the first message of an encoding, comes along that nobody
registered. So a program imports no encoding that it does not use. A look at all that is installed takes a while; a
class whose ``__ezmsg_encoding__`` says the same as its entry point is found without it.

A dataclass that nobody brings an encoding for has one all the same, if its objects are nothing but their fields:
see :mod:`ezmsg.core.messages.records`.
"""

import functools
import pkgutil
import sys
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

from attrs import field

from ezmsg.core.errors import InvalidOption
from ezmsg.core.messages import records
from ezmsg.core.messages.payload import Buffer
from ezmsg.core.messages.record_classes import PREFIX, class_of, name_of
from ezmsg.core.support.logs import logger
from ezmsg.protocol.declared import declared
from ezmsg.protocol.surroundings.entry_points import installed

if TYPE_CHECKING:
    from ezmsg.core.messages.forms import Joiner, Part

GROUP = "ezmsg.encodings"
PLACE = "__ezmsg_encoding__"
_PROGRAM = ("builtins", "__main__", "__mp_main__")
"""Modules that no package can bring an encoding for."""

NAME_BYTES = 255
CLASS_LIMIT = 4096
"""How many classes are remembered to have no encoding."""

Dump = Callable[[Any], Sequence[Buffer] | None]
Load = Callable[[Sequence[memoryview]], Any]


@declared
class Encoding:
    """An application's own way to send objects of exactly one class.

    ``dump`` returns buffers of bytes; ``load`` gets views of the same buffers and returns the object. For an object
    that it cannot carry faithfully ``dump`` returns `None`; that one goes the way of objects without an encoding.

    ``parting`` returns what parts the objects of one stream into what rarely changes and the rest, ``joining`` what
    puts them together again, given the former; see :mod:`ezmsg.core.messages.forms`.
    """

    name: str
    cls: type
    dump: Dump
    load: Load
    parting: "Callable[[], Part] | None" = None
    joining: "Callable[[bytes], Joiner] | None" = None


@declared(frozen=False)
class Registry:
    """The encodings in use, and whether pickle may carry what has none."""

    allow_pickle: bool = True
    by_class: dict[type, Encoding | None] = field(factory=dict)
    by_name: dict[str, Encoding] = field(factory=dict)
    _installed: dict[str, str] | None = None

    def register(self, encoding: Encoding) -> None:
        """Use an encoding from now on; it takes the place of an earlier one for its class or of its name.

        :raises InvalidOption: if its name does not fit into a description.
        """
        if not 1 <= len(encoding.name.encode()) <= NAME_BYTES:
            reason = f"it must have from 1 to {NAME_BYTES} bytes"
            raise InvalidOption(option="name", value=repr(encoding.name), reason=reason)
        self.by_class[encoding.cls] = encoding
        self.by_name[encoding.name] = encoding

    def of_class(self, cls: type) -> Encoding | None:
        """Return the encoding of a class; one that is installed is taken into use."""
        try:
            return self.by_class[cls]
        except KeyError:
            found = self._find(f"{cls.__module__}.{cls.__qualname__}") if cls.__module__ not in _PROGRAM else None
            if found is None or found.cls is not cls:
                if len(self.by_class) >= CLASS_LIMIT:
                    self.by_class = {each: known for each, known in self.by_class.items() if known is not None}
                name = name_of(cls)
                self.by_class[cls] = None if name is None else self._record(name, cls)
            return self.by_class[cls]

    def of_name(self, name: str) -> Encoding | None:
        """Return the encoding that has a name; one that is installed is taken into use."""
        known = self.by_name.get(name)
        if not name.startswith(PREFIX):
            return known or self._find(name)
        # Whoever forbids pickle has nothing imported because a message says so. A module may be loaded anew.
        cls = class_of(name, load=self.allow_pickle)
        return known if known is not None and known.cls is cls else self._record(name, cls)

    def _record(self, name: str, cls: type) -> Encoding | None:
        """Take the encoding of a dataclass into use."""
        if len(name.encode()) > NAME_BYTES:
            return None
        parting = functools.partial(records.Parting, cls, patient=not self.allow_pickle)
        joining = functools.partial(records.Joining, cls)
        encoding = self.by_name[name] = Encoding(name, cls, parting().dump, records.loader(cls), parting, joining)
        return encoding

    def _find(self, name: str) -> Encoding | None:
        """Take an encoding into use that is installed."""
        place = _said_by_class(name) or self._entries().get(name)
        if place is None:
            return None
        try:
            encoding: Encoding = pkgutil.resolve_name(place)
            self.register(encoding)
        except Exception:  # noqa: BLE001 - what is installed may be broken, and messages are to pass all the same
            self._entries().pop(name, None)
            logger.exception("The encoding %s (%s) cannot be used; its objects are pickled.", name, place)
            return None
        return encoding

    def _entries(self) -> dict[str, str]:
        if self._installed is None:
            self._installed = {name: place for name, (place, _) in installed(GROUP).items()}
        return self._installed


def _said_by_class(name: str) -> str | None:
    """Return where the encoding of a class is that is imported already, if the class says so."""
    module, _, cls = name.rpartition(".")
    said = vars(getattr(sys.modules.get(module), cls, object)).get(PLACE)
    return said if isinstance(said, str) else None
