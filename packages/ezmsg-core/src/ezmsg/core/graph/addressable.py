"""Where a component or a stream is: a name, a location above it, and the address that both make.

Nothing here knows what it is that has an address. Both parts are set once, when a graph is resolved: an object
has one place in one graph.
"""

from ezmsg.core.errors import AddressNotSet, InvalidComponent, NameAlreadySet

SEPARATOR = "/"
"""What stands between the parts of an address."""


class Addressable:
    """Something with an address: its location's parts, then its name, joined by :data:`SEPARATOR`."""

    _name: str | None = None
    _location: list[str] | None = None

    def __init__(self) -> None:
        self._name = None
        self._location = None

    def _set_name(self, name: str | None = None) -> None:
        """Give the name, by default the class's.

        :raises NameAlreadySet: if there is one.
        """
        given = type(self).__name__ if name is None else name
        check_name(self._label(), given)
        if self._name is not None:
            raise NameAlreadySet(component=self._label(), part="name", given=given)
        self._name = given

    def _set_location(self, location: list[str] | None = None) -> None:
        """Give the location, by default the top.

        :raises NameAlreadySet: if there is one.
        """
        given = [] if location is None else list(location)
        if self._location is not None:
            raise NameAlreadySet(component=self._label(), part="location", given=SEPARATOR.join(given))
        self._location = given

    @property
    def name(self) -> str:
        """The last part of the address.

        :raises AddressNotSet: before a graph gave it one.
        """
        if self._name is None:
            raise AddressNotSet(component=self._label())
        return self._name

    @property
    def location(self) -> list[str]:
        """The names of what it lies in, from the outermost inwards.

        :raises AddressNotSet: before a graph gave it one.
        """
        if self._location is None:
            raise AddressNotSet(component=self._label())
        return self._location

    @property
    def address(self) -> str:
        """The whole address, which is also the topic if this is a stream.

        :raises AddressNotSet: before a graph gave it one.
        """
        return SEPARATOR.join([*self.location, self.name])

    def _label(self) -> str:
        """Return the address for a message, or as much as is known: this never fails."""
        kind = type(self).__name__
        if self._name is None:
            return kind
        if self._location is None:
            return f"{kind} {self._name!r}"
        return SEPARATOR.join([*self._location, self._name])


def check_name(component: str, name: object) -> None:
    """See that an address with this name in it leads to what bears it, and can be said to others.

    :raises InvalidComponent: if not.
    """
    if not isinstance(name, str):
        wrong = f"a {type(name).__name__}; give it a text"
    elif not name:
        wrong = "empty"
    elif SEPARATOR in name:
        wrong = f"divided by {SEPARATOR!r}, which stands between the names of an address"
    elif not is_encodable(name):
        wrong = "no text that could be written anywhere: it has half of a character in it"
    else:
        return
    raise InvalidComponent(component=component, reason=f"it cannot be named {name!r}, which is {wrong}")


def is_encodable(text: str) -> bool:
    """Return whether a text is one of whole characters, without a lone surrogate."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True
