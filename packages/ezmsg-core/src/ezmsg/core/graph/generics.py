"""What the type parameters of a generic component are in a subclass that names them, ``class Wide(Filter[X])``."""

from typing import Any, TypeVar, get_args, get_origin

Arguments = dict[Any, Any]
"""What stands for each type parameter."""


def type_arguments(cls: type) -> Arguments:
    """Return the type argument of every type parameter among the bases of a class, as far as it has one.

    A parameter that two bases give different arguments has none: nobody could tell which is meant.
    """
    arguments: Arguments = {}
    ambiguous = set()
    for klass in cls.__mro__:  # from the class itself upwards, so that what stands for a parameter is known
        for base in vars(klass).get("__orig_bases__", ()):
            parameters = getattr(get_origin(base), "__parameters__", ())
            for parameter, argument in zip(parameters, get_args(base), strict=False):
                stands = resolved(argument, arguments)
                if stands is not parameter and arguments.setdefault(parameter, stands) != stands:
                    ambiguous.add(parameter)
    return {parameter: stands for parameter, stands in arguments.items() if parameter not in ambiguous}


def resolve_stream_type(component_type: type, annotation: Any) -> Any:
    """Return the message type of a stream of a component's class: its annotation, with what is known of it."""
    return resolved(annotation, type_arguments(component_type))


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
