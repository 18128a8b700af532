"""A plugin for mypy: on an instance of a component, ``SETTINGS`` and ``STATE`` are values and not classes.

Without it mypy takes ``self.SETTINGS`` for the class that ``SETTINGS = FilterSettings`` assigns. It then knows the
types of the fields nevertheless, and refuses what only a value can do: calling its methods, passing it on, or
``replace`` of it.
In ``pyproject.toml``, beside mypy's other settings::

    [tool.mypy]
    plugins = ["ezmsg.core.graph.mypy_plugin"]
"""

from collections.abc import Callable

from mypy.plugin import AttributeContext, Plugin
from mypy.types import FunctionLike, Instance, Type, TypeType, get_proper_type

COMPONENT = "ezmsg.core.graph.component.Component"
ATTRIBUTES = (".SETTINGS", ".STATE")


class AssignedTypePlugin(Plugin):
    """Answers mypy when it asks for the type of an attribute."""

    def get_attribute_hook(self, fullname: str) -> Callable[[AttributeContext], Type] | None:
        """Return what decides the type of the attribute ``fullname``; ``None`` leaves it to mypy."""
        return _value_of_class if fullname.endswith(ATTRIBUTES) else None


def plugin(version: str) -> type[Plugin]:
    """Return the plugin; the name is mypy's."""
    return AssignedTypePlugin


def _value_of_class(context: AttributeContext) -> Type:
    owner = get_proper_type(context.type)
    found = get_proper_type(context.default_attr_type)
    if not isinstance(owner, Instance) or not owner.type.has_base(COMPONENT):
        return context.default_attr_type
    if isinstance(found, FunctionLike) and found.is_type_obj():
        return found.items[0].ret_type
    return found.item if isinstance(found, TypeType) else context.default_attr_type
