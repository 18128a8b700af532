"""What the type parameters of a generic component are in a subclass that names them, ``class Wide(Filter[X])``."""

from typing import Any, TypeVar, get_args, get_origin

Arguments = dict[Any, Any]
"""What stands for each type parameter."""


def type_arguments(cls: type) -> Arguments:
    """Return the type argument of every type parameter among the bases of a class, as far as it has one."""
    arguments: Arguments = {}
    for klass in cls.__mro__:  # from the class itself upwards, so that what stands for a parameter is known
        for base in vars(klass).get("__orig_bases__", ()):
            parameters = getattr(get_origin(base), "__parameters__", ())
            for parameter, argument in zip(parameters, get_args(base), strict=False):
                arguments.setdefault(parameter, resolved(argument, arguments))
    return arguments


def resolved(described: Any, arguments: Arguments) -> Any:
    """Return a type with its parameters replaced by what stands for them; one that nothing stands for stays."""
    if isinstance(described, TypeVar):
        return arguments.get(described, described)
    parameters = getattr(described, "__parameters__", ())
    if isinstance(described, type) or not any(each in arguments for each in parameters):
        return described
    try:
        return described[tuple(arguments.get(each, each) for each in parameters)]
    except TypeError:  # a parameter of another kind, as those of functions are
        return described
