"""What all errors have in common: a code, typed fields, a sentence; and the table of all classes by code."""

from typing import Any, ClassVar

from ezmsg.protocol.declared import declared_error, fields_of

_CLASSES: dict[str, type["EzmsgError"]] = {}


@declared_error
class EzmsgError(Exception):
    """The root of the tree. ``str(error)`` is the code, two blanks and the sentence."""

    code: ClassVar[str] = "EZ-0000"

    def __init_subclass__(cls) -> None:
        super().__init_subclass__()
        if "code" in vars(cls):
            _CLASSES[cls.code] = cls

    def sentence(self) -> str:
        """Say what went wrong, where, why, and what to do next."""
        return "Something went wrong in ezmsg."

    def __str__(self) -> str:
        return f"{self.code}  {self.sentence()}"

    def __reduce__(self) -> tuple[Any, ...]:
        return _rebuild, (type(self), self.fields())

    def fields(self) -> dict[str, Any]:
        """Return the typed fields by name."""
        return {name: getattr(self, name) for name in fields_of(type(self))}


def _rebuild(cls: type[EzmsgError], fields: dict[str, Any]) -> EzmsgError:
    return cls(**fields)


def error_classes() -> dict[str, type[EzmsgError]]:
    """Return every error class known in this process, by code."""
    return dict(_CLASSES)
