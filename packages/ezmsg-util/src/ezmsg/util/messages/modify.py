"""Other names for the dimensions of messages, or none."""

import warnings
from collections.abc import AsyncGenerator
from typing import Any, cast

import ezmsg.core as ez
from ezmsg.util.errors import InvalidArray
from ezmsg.util.messages.axisarray.axes import AxisBase, CoordinateAxis
from ezmsg.util.messages.axisarray.axis_array import AxisArray
from ezmsg.util.messages.util import replace

__all__ = ["ModifyAxis", "ModifyAxisSettings", "ModifyAxisTransformer", "modify_axis"]

NameMap = dict[str, str | None]


class ModifyAxisSettings(ez.Settings):
    """The new name of each dimension that gets one; `None` takes it away, and its length must be 1 then."""

    name_map: dict[str, str | None] | None = None


class ModifyAxisTransformer:
    """Gives arrays other names for their dimensions; called with an array, it returns one that shares its data."""

    def __init__(self, settings: ModifyAxisSettings = ModifyAxisSettings()) -> None:  # noqa: B008 - it is frozen
        self.settings = settings

    def __call__(self, message: AxisArray) -> AxisArray:
        """Return an array with its dimensions renamed; names that it does not have are passed over.

        :raises InvalidArray: if a dimension is to go that is longer than 1, or two would have the same name.
        """
        names = {old: new for old, new in (self.settings.name_map or {}).items() if new != old}
        return _renamed(message, names) if names else message

    def send(self, message: AxisArray) -> AxisArray:
        """Return what a call returns; deprecated, as this is no generator any more."""
        warnings.warn("ModifyAxisTransformer.send() is deprecated: call it", DeprecationWarning, stacklevel=2)
        return self(message)


def modify_axis(name_map: NameMap | None = None) -> ModifyAxisTransformer:
    """Return what gives arrays other names for their dimensions."""
    return ModifyAxisTransformer(ModifyAxisSettings(name_map=name_map))


def _renamed(message: AxisArray, names: NameMap) -> AxisArray:
    for dim in [dim for dim in message.dims if names.get(dim, dim) is None]:
        if message.data.shape[message.dims.index(dim)] != 1:
            reason = f"dimension {dim!r} has not the length 1, so it cannot be taken away; take a part first"
            raise InvalidArray(owner=type(message).__name__, reason=reason)
        (message,) = message.iter_over_axis(dim)
    new: dict[str, str] = {old: name for old, name in names.items() if name is not None}
    axes = {new.get(name, name): _axis(axis, new) for name, axis in message.axes.items()}
    dims = [new.get(dim, dim) for dim in message.dims]
    stream_dim = message.stream_dim and new.get(message.stream_dim, message.stream_dim)
    return cast(AxisArray, replace(message, dims=dims, axes=axes, stream_dim=stream_dim))


def _axis(axis: AxisBase, new: dict[str, str]) -> AxisBase:
    if not isinstance(axis, CoordinateAxis) or not any(dim in new for dim in axis.dims):
        return axis
    return cast(AxisBase, replace(axis, dims=[new.get(dim, dim) for dim in axis.dims]))


class ModifyAxis(ez.Unit):
    """Renames the dimensions of each message."""

    SETTINGS = ModifyAxisSettings

    INPUT_SIGNAL = ez.InputStream(AxisArray)
    OUTPUT_SIGNAL = ez.OutputStream(AxisArray)
    INPUT_SETTINGS = ez.InputStream(ModifyAxisSettings)

    async def initialize(self) -> None:
        """Take the names of the settings."""
        self._transformer = modify_axis(self.SETTINGS.name_map)

    @ez.subscriber(INPUT_SETTINGS)
    async def on_settings(self, msg: ez.Settings) -> None:
        """Take other names."""
        self.apply_settings(msg)
        self._transformer = modify_axis(self.SETTINGS.name_map)

    @ez.subscriber(INPUT_SIGNAL)
    @ez.publisher(OUTPUT_SIGNAL)
    async def on_message(self, message: AxisArray) -> AsyncGenerator[Any, None]:
        """Publish a message with its dimensions renamed."""
        yield self.OUTPUT_SIGNAL, self._transformer(message)
