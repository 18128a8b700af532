"""What type checkers are told where Python's types alone say too much or too little. At run time nothing happens.

In the class body ``SETTINGS = FilterSettings`` is a class; on an instance it is a value of that class, which the
runtime put there. Python says such a thing with ``__get__``, here of the metaclass. Only checkers see that one: at
run time the metaclass is `ABCMeta`, and nothing is looked up. Pyright follows it; mypy needs the plugin in
`ezmsg.core.graph.mypy_plugin`.
"""

from abc import ABCMeta
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, TypeVar, overload

T = TypeVar("T")

if TYPE_CHECKING:

    class AssignedType(ABCMeta):
        """The metaclass of settings and states."""

        @overload
        def __get__(cls: type[T], instance: None, owner: object) -> type[T]: ...
        @overload
        def __get__(cls: type[T], instance: object, owner: object) -> T: ...
        def __get__(cls: Any, instance: object, owner: object) -> Any: ...

else:
    AssignedType = ABCMeta


def may_be_plain(func: Callable[[T], object]) -> Callable[[T], Any]:
    """Mark a coroutine function that a subclass may override with a plain function, too."""
    return func
