"""Classes of param: parameters say their own bounds, choices and documentation, and validate what they are set to.

param is not imported here: whoever has such a class has it loaded. Parameters are known by the names of their
classes, so that an older or newer param with fewer or more of them does as well.
"""

import copy
from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

from ezmsg.control.settings_schema.fields.descriptions import Description, Field, Hints
from ezmsg.control.settings_schema.fields.limits import Limits, as_bound
from ezmsg.control.settings_schema.fields.shapes import (
    Anything,
    Choice,
    Flag,
    Items,
    Null,
    Real,
    Row,
    Shape,
    Table,
    Text,
    Whole,
    either,
    sized,
)
from ezmsg.control.settings_schema.sources.annotations import shape_of, type_name


def describe_param(owner: Any) -> Description:
    """Describe a class, or an instance: its parameters may have bounds and choices of their own."""
    cls = owner if isinstance(owner, type) else type(owner)
    named = {name: owner.param[name] for name in owner.param if name != "name" and not name.startswith("_")}
    fields = tuple(_field(name, each) for name, each in named.items())
    return Description("param", cls, fields, make=_made, replace=_replaced)


def _field(name: str, parameter: Any) -> Field:
    return Field(
        name=name,
        type_name=type_name(type(parameter)),
        shape=_shape(parameter),
        required=False,
        hints=Hints(
            description=(parameter.doc or "").strip() or None,
            step=as_bound(getattr(parameter, "step", None)),
        ),
        default=partial(getattr, parameter, "default"),
        settable=not (parameter.constant or parameter.readonly),
    )


def _shape(parameter: Any) -> Shape:
    read = next((_READERS[each.__name__] for each in type(parameter).__mro__ if each.__name__ in _READERS), None)
    shape = Anything() if read is None else read(parameter)
    return either([shape, Null()]) if parameter.allow_None else shape


def _limits(parameter: Any) -> Limits:
    lower, upper = (as_bound(each) for each in parameter.bounds or (None, None))
    with_lower, with_upper = getattr(parameter, "inclusive_bounds", (True, True))
    return Limits(lower, upper, above=not with_lower, below=not with_upper)


def _list(parameter: Any) -> Shape:
    item_type = getattr(parameter, "item_type", None)
    item = shape_of(item_type) if isinstance(item_type, type) else Anything()
    return sized(Items(item, list), _limits(parameter))


def _range(parameter: Any) -> Shape:
    return Row((Real(_limits(parameter)),) * 2)


def _choice(parameter: Any) -> Shape:
    # With `check_on_set` false, param itself adds what it did not know.
    return Choice(Anything(), _objects(parameter)) if parameter.check_on_set else Anything()


def _choices(parameter: Any) -> Shape:
    return Items(_choice(parameter), list)


def _objects(parameter: Any) -> tuple[Any, ...]:
    objects = parameter.objects
    return tuple(objects.values() if isinstance(objects, Mapping) else objects)


_READERS: dict[str, Callable[[Any], Shape]] = {
    "Integer": lambda parameter: Whole(_limits(parameter)),
    "Date": lambda _: Anything(),  # and its kin: ranges and numbers of param, but not of numbers
    "CalendarDate": lambda _: Anything(),
    "DateRange": lambda _: Anything(),
    "CalendarDateRange": lambda _: Anything(),
    "Number": lambda parameter: Real(_limits(parameter)),
    "Boolean": lambda _: Flag(),
    "Event": lambda _: Flag(),
    "String": lambda _: Text(),
    "Foldername": lambda _: Text(),
    "Filename": lambda _: Text(),
    "ListSelector": _choices,
    "FileSelector": lambda _: Anything(),  # its choices are what a folder held when the class was made
    "ClassSelector": lambda _: Anything(),
    "List": _list,
    "Dict": lambda _: Table(Anything(), Anything()),
    "Selector": _choice,
    "Range": _range,
    "Tuple": lambda _: Items(Anything(), tuple),
}
"""By the name of a parameter's class or the next above it; what is not here allows anything, and param decides."""


def _made(cls: Any, values: Mapping[str, Any]) -> Any:
    return cls(**values)


def _replaced(value: Any, changes: Mapping[str, Any]) -> Any:
    changed = copy.deepcopy(value)
    changed.param.update(dict(changes))
    return changed
