"""Arrays are known as such from the first one on, also where NumPy came after messages without."""

import subprocess
import sys

SCRIPT = """
import sys
from ezmsg.core.messages.active import CODEC
from ezmsg.core.messages.memory import is_leaf, memory_used
from ezmsg.core.profiling.object_size import object_size
from ezmsg.core.support import arrays

class Record:
    data = None

before = Record()
CODEC.encode({"a": 1})
assert (object_size(before), arrays.ndarray_class(), is_leaf(before)) == (0, arrays.NoArray, False)
assert "numpy" not in sys.modules

import numpy as np

array = np.arange(4)
payload = CODEC.encode(array)
memory = bytearray(payload.size)
payload.write(memoryview(memory), 0)
assert memory[4:5] == b"a", "it went as a pickle"
assert (CODEC.decode(memoryview(memory)) == array).all()
assert object_size(array) == array.nbytes
before.data = array
assert object_size(before) == array.nbytes
assert is_leaf(np.float64(1))
assert memory_used(array[1:], [array]) == {id(array)}
"""


def test_the_first_array_of_a_program_goes_as_an_array() -> None:
    done = subprocess.run([sys.executable, "-c", SCRIPT], capture_output=True, text=True, check=False, timeout=60)
    assert done.returncode == 0, done.stderr
