"""Arrays whose axes have names: what most programs send each other.

Programs enter, and the units beside this room; it uses `messages.util` and `errors`. What is not NumPy's is
spoken to through the array API.
"""

from ezmsg.util.messages.axisarray.axes import AxisBase, CoordinateAxis, LinearAxis
from ezmsg.util.messages.axisarray.axis_array import AxisArray
from ezmsg.util.messages.axisarray.named_dims import ArrayWithNamedDims
from ezmsg.util.messages.axisarray.shapes import as2d, shape2d, slice_along_axis, view2d
from ezmsg.util.messages.axisarray.windows import sliding_win_oneaxis
from ezmsg.util.messages.util import replace

__all__ = [
    "ArrayWithNamedDims",
    "AxisArray",
    "AxisBase",
    "CoordinateAxis",
    "LinearAxis",
    "as2d",
    "replace",
    "shape2d",
    "slice_along_axis",
    "sliding_win_oneaxis",
    "view2d",
]
