"""Units made of functions: the arguments become settings, what is sent and yielded becomes streams. Experimental.

::

    @consumer
    def scale(gain: float) -> Generator[float, float, None]: ...

    ScaleSettings, ScaleUnit = gen_to_unit(scale)
"""

import asyncio
import inspect
import types
from collections.abc import AsyncGenerator, Callable, Generator
from dataclasses import fields
from typing import Any, get_args, get_origin

import ezmsg.core as ez
from ezmsg.util.errors import MissingAttribute, NoGenerator

__all__ = ["args_to_settings", "args_to_state", "gen_to_unit"]

ARRAY_NAME = "AxisArray"
"""Streams of messages of this class are called signals."""


def gen_to_unit(
    func: Callable[..., Any],
    sleep_time: float = 0.0,
    output_stream_kwargs: dict[str, Any] = {},  # noqa: B006 - the public default, which is only read
    msg_to_state: dict[str, str] = {},  # noqa: B006 - likewise
) -> tuple[Any, Any]:
    """Return the class of settings and the class of unit that a function which makes generators stands for.

    Its return type says what is sent and what is yielded: ``Generator[yielded, sent, None]``. If nothing is sent
    (`None`), the unit publishes what the generator yields until it ends; else it subscribes, and the generator has
    to be ready for its first message, see :func:`consumer`. What is `None` is not published.

    :param sleep_time: seconds between two messages of a unit that does not subscribe.
    :param output_stream_kwargs: options of the output stream.
    :param msg_to_state: from attributes of messages to arguments of the function. When an attribute has changed,
        the generator is made anew.
    :raises NoGenerator: if the return type does not say that.
    """
    yielded, sent = _types(func)
    parameters = inspect.signature(func).parameters
    arguments = {name: each.annotation for name, each in parameters.items()}
    defaults = {name: each.default for name, each in parameters.items() if each.default is not each.empty}
    settings_type = args_to_settings(func.__name__, arguments, defaults)
    state_type = args_to_state(func.__name__, arguments, yielded, sent)

    async def initialize(self: Any) -> None:
        for name in arguments:
            setattr(self.STATE, name, getattr(self.SETTINGS, name))
        make(self)

    def make(self: Any) -> None:
        self.STATE.gen = func(**{name: getattr(self.STATE, name) for name in arguments})

    def shutdown(self: Any) -> None:
        self.STATE.gen.close()

    members: dict[str, Any] = {"SETTINGS": settings_type, "STATE": state_type}
    kind = "_SIGNAL" if getattr(yielded, "__name__", "") == ARRAY_NAME else ""
    output = members[f"OUTPUT{kind}"] = ez.OutputStream(yielded, **output_stream_kwargs)
    task: Any
    if sent is None:
        task = ez.publisher(output)(_publishing(f"OUTPUT{kind}", sleep_time))
    else:
        if sleep_time:
            ez.logger.warning("%s subscribes, so its sleep_time of %g s has no effect.", func.__name__, sleep_time)
        kind_of_input = "_SIGNAL" if getattr(sent, "__name__", "") == ARRAY_NAME else ""
        incoming = members[f"INPUT{kind_of_input}"] = ez.InputStream(sent)
        refresh = _refreshing(msg_to_state, make)
        subscribing: Any = ez.subscriber(incoming)  # of what, only the function knows
        task = subscribing(ez.publisher(output)(_answering(f"OUTPUT{kind}", refresh)))
    members |= {"initialize": initialize, "shutdown": shutdown, "ez_task": task, "__module__": func.__module__}
    settings_type.__module__ = state_type.__module__ = func.__module__
    return settings_type, _new_class(f"{func.__name__.capitalize()}Unit", ez.Unit, members)


def _new_class(name: str, base: type, members: dict[str, Any]) -> Any:
    return types.new_class(name, (base,), exec_body=lambda namespace: namespace.update(members))


def args_to_settings(func_name: str, args: dict[str, Any], defaults: dict[str, Any]) -> type[ez.Settings]:
    """Return a class of settings with a field for each argument of a function."""
    members = {**{name: defaults[name] for name in args if name in defaults}, "__annotations__": dict(args)}
    settings_type: type[ez.Settings] = _new_class(f"{func_name.capitalize()}Settings", ez.Settings, members)
    return settings_type


def args_to_state(func_name: str, args: dict[str, Any], yield_type: Any, send_type: Any) -> type[ez.State]:
    """Return a class of state with a field for each argument of a function, and one for its generator."""
    members = {"__annotations__": {**args, "gen": Generator[yield_type, send_type, None]}}
    state_type: type[ez.State] = _new_class(f"{func_name.capitalize()}State", ez.State, members)
    return state_type


def _types(func: Callable[..., Any]) -> tuple[Any, Any]:
    """Return what a function's generators yield and are sent; `None` for nothing."""
    returned = inspect.signature(func).return_annotation
    given = get_args(returned)
    if get_origin(returned) is not Generator or len(given) != 3:
        raise NoGenerator(function=func.__name__, returned=str(returned))
    yielded, sent = (None if each is type(None) else each for each in given[:2])
    return yielded, sent


def _publishing(output: str, sleep_time: float) -> Callable[[Any], AsyncGenerator[Any, None]]:
    async def ez_task(self: Any) -> AsyncGenerator[Any, None]:
        for message in self.STATE.gen:
            if message is not None:
                yield getattr(self, output), message
            await asyncio.sleep(sleep_time)

    return ez_task


def _answering(output: str, refresh: Callable[[Any, Any], None]) -> Callable[[Any, Any], AsyncGenerator[Any, None]]:
    async def ez_task(self: Any, msg: Any) -> AsyncGenerator[Any, None]:
        refresh(self, msg)
        message = self.STATE.gen.send(msg)
        if message is not None:
            yield getattr(self, output), message

    return ez_task


def _refreshing(msg_to_state: dict[str, str], make: Callable[[Any], None]) -> Callable[[Any, Any], None]:
    def refresh(unit: Any, message: Any) -> None:
        changed = False
        known = {field.name for field in fields(unit.STATE)}
        for source, target in msg_to_state.items():
            if not hasattr(message, source):
                raise MissingAttribute(unit=unit.address, attribute=source, owner=f"a message of {type(message)}")
            if target not in known:
                raise MissingAttribute(unit=unit.address, attribute=target, owner="its state")
            value = getattr(message, source)
            if value != getattr(unit.STATE, target):
                setattr(unit.STATE, target, value)
                changed = True
        if changed:
            unit.STATE.gen.close()
            make(unit)

    return refresh
