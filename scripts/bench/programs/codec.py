"""An AxisArray as bytes and back, its axes unchanged, as a publisher and a channel of ours do it."""

import json
import time
import timeit

import numpy as np

from ezmsg.core.messages.codec import Codec
from ezmsg.util.messages.axisarray import AxisArray

COUNT, TIMES = 5000, 9

sender, receiver = Codec(), Codec()
forms = sender.forms()
names = AxisArray.CoordinateAxis(data=np.array([f"channel-{number}" for number in range(30)]), dims=["ch"])
data = np.zeros((32, 30), np.float32)
memory = memoryview(bytearray(1 << 16))


def message() -> AxisArray:
    axes = {"time": AxisArray.TimeAxis(1000.0, 0.5), "ch": names}
    return AxisArray(data, dims=["time", "ch"], axes=axes, key="bench")


first = sender.encode(message(), forms)
assert first.form is not None
heard = receiver.heard({}, first.form.number, first.form.content)
sent = message()


def there_and_back() -> None:
    payload = sender.encode(sent, forms)
    payload.write(memory, 0)
    receiver.decode(memory[: payload.size], heard)


there_and_back()
# The quickest of some, as whatever else the machine does only adds.
best_s = min(timeit.repeat(there_and_back, number=COUNT, repeat=TIMES, timer=time.process_time))
print(json.dumps({"each_ns": best_s / COUNT * 1e9}))
