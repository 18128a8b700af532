"""Settings: what a component is told before it runs, and may be told again while it does.

Subclassing is declaring: fields are written as in a dataclass, and the class becomes a frozen one without a
decorator. Frozen, because a value that was reported to the graph must not change behind its back.
"""

from abc import ABC
from dataclasses import dataclass, field
from typing import Any, dataclass_transform

from ezmsg.core.errors import InvalidComponent
from ezmsg.core.graph.checked_types import AssignedType


@dataclass_transform(frozen_default=True, field_specifiers=(field,))
@dataclass(frozen=True)
class Settings(ABC, metaclass=AssignedType):
    """The settings of a component: every subclass is a frozen dataclass.

    ::

        class FilterSettings(ez.Settings):
            high_hz: float
            order: int = 4

        class Filter(ez.Unit):
            SETTINGS = FilterSettings  # assigned, not annotated

    ``Filter(FilterSettings(high_hz=40.0))`` and ``Filter(high_hz=40.0)`` make a unit with them; in its functions
    they are ``self.SETTINGS``. A frozen value is never changed: `dataclasses.replace` makes another one.

    Plain dataclasses may be mixed in, ``class Both(Settings, Fields)``. Of a dataclass's options the class
    statement takes ``kw_only`` and ``order``; ``frozen`` may be written and is always true.
    """

    def __init_subclass__(
        cls, *, frozen: bool = True, kw_only: bool = False, order: bool = False, **kwargs: Any
    ) -> None:
        super().__init_subclass__(**kwargs)
        # Not called for what `dataclass` returns: it changes the class in place as long as it adds no slots.
        dataclass(frozen=True, kw_only=kw_only, order=order)(cls)


def made_of(
    component: str, settings_type: type[Settings], args: tuple[Any, ...], kwargs: dict[str, Any]
) -> Settings:
    """Make settings of the arguments that a component was given in their place.

    :raises InvalidComponent: if the settings have no such fields, or want others; it names them.
    """
    try:
        return settings_type(*args, **kwargs)
    except TypeError:
        if (reason := _misfit(settings_type, args, kwargs)) is None:
            raise  # it was raised inside, in a __post_init__
        raise InvalidComponent(component=component, reason=reason) from None


def _misfit(settings_type: type[Settings], args: tuple[Any, ...], kwargs: dict[str, Any]) -> str | None:
    """Return why settings cannot be made of these arguments, ``None`` if their fields are not the reason."""
    import inspect  # for who has given something wrong
    from difflib import get_close_matches

    signature = inspect.signature(settings_type)
    fields, name = list(signature.parameters), settings_type.__qualname__
    if settings_type is Settings:
        return "it has no settings; assign SETTINGS in its class"
    try:
        signature.bind(*args, **kwargs)
    except TypeError as error:
        strange = next((each for each in kwargs if each not in fields), None)
        near = get_close_matches(strange, fields, n=1) if strange is not None else []
        meant = f"; is {near[0]} meant?" if near else "."
        what = (
            f"{name} has no field {strange}{meant}" if strange is not None else f"{name} cannot be made: {error}."
        )
        return f"{what} Its fields are: {', '.join(fields) or 'none'}"
    return None


def check_it_is_no_settings_object(component: str, settings_type: type, args: tuple[Any, ...]) -> None:
    """See that settings of another class are not taken for the first field of those that a component has.

    :raises InvalidComponent: if they would be, and the field allows nothing like them.
    """
    if not args or isinstance(args[0], int | float | str | bytes):
        return
    # Here and not above: most programs give settings of the right class, and need not know what a field allows.
    from ezmsg.control.errors import SettingsCoercionError
    from ezmsg.control.settings_schema.fields.kinds import is_record_type
    from ezmsg.control.settings_schema.patching.coercion import coerced
    from ezmsg.control.settings_schema.sources.reading import describe

    if not is_record_type(type(args[0])):
        return
    described = describe(settings_type)
    fields = [each for each in described.fields if each.settable] if described is not None else []
    if fields:
        try:
            coerced(fields[0].shape, args[0], fields[0].name)
        except SettingsCoercionError:
            pass
        else:
            return
    takes, given = settings_type.__qualname__, type(args[0]).__qualname__
    hint = "assign SETTINGS in its class" if settings_type is Settings else f"give it {takes}(...) or its fields"
    raise InvalidComponent(
        component=component, reason=f"it takes settings of type {takes} and was given {given}; {hint}"
    )
