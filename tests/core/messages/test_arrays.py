"""NumPy's objects inside messages: under names of our own, whole, and from one version of NumPy to another."""

import copyreg
import gc
import os
import pickle
import subprocess
import sys
import venv
import weakref
from pathlib import Path
from typing import Any

import numpy as np
import pytest

PROGRAMS = Path(__file__).parent / "programs"
sys.path.append(str(PROGRAMS))

from numpy_objects import CASES, CODEC, RANDOM, Holder, Tagged, circular, decoded, encoded, same, tagged  # noqa: E402

OLD = "1.26.4"
SOURCES = [path for path in sys.path if path.endswith("src") and "ezmsg" in path]


@pytest.mark.parametrize("copy", [False, True])
@pytest.mark.parametrize("name", CASES)
def test_it_comes_back_under_our_names(name: str, copy: bool) -> None:
    memory = encoded(Holder(CASES[name]))
    assert b"numpy._core" not in bytes(memory)
    assert b"numpy.core" not in bytes(memory)
    came = decoded(memory, copy=copy)
    assert same(CASES[name], came.content), came
    if copy and isinstance(came.content, np.ndarray):
        assert came.content.flags.writeable


@pytest.mark.parametrize("name", RANDOM)
def test_sources_of_random_numbers_go_on_where_they_were(name: str) -> None:
    def numbers(source: Any) -> list[int]:
        return [int(n) for n in (source.random_raw(5) if name == "MT19937" else source.bytes(40))]

    source = RANDOM[name]()
    numbers(source)
    memory = encoded(Holder(source))
    assert b"numpy.random._pickle" not in bytes(memory)
    came = decoded(memory).content
    assert type(came) is type(source)
    assert numbers(came) == numbers(source)
    if name == "generator":
        assert numbers(came.spawn(1)[0]) == numbers(source.spawn(1)[0])


def test_a_subclass_of_a_user_keeps_what_it_adds() -> None:
    for _ in range(2):  # the first finds the class, the second knows it
        memory = encoded(Holder(tagged()))
        assert b"numpy._core" not in bytes(memory)
        came = decoded(memory).content
        assert type(came) is Tagged
        assert came.tag == "mine"
        assert came.tolist() == tagged().tolist()


def test_an_array_that_contains_itself() -> None:
    came = decoded(encoded(Holder(circular()))).content
    assert came[0] == [1, 2]
    assert came[1] is came


def test_one_array_twice_is_one_array() -> None:
    array = np.arange(3)
    first, second = decoded(encoded([array, array]))
    assert first is second


def test_what_the_program_registered_for_pickle_holds() -> None:
    class Local:
        pass

    copyreg.pickle(Local, lambda _: (str, ("registered",)))  # type: ignore[arg-type]
    try:
        assert decoded(encoded([Local()])) == ["registered"]
    finally:
        del copyreg.dispatch_table[Local]


class Nested:
    """Encodes another message while it is taken apart itself."""

    def __reduce__(self) -> Any:
        return bytes, (bytes(encoded([1, 2, 3])),)


class Failing:
    def __reduce__(self) -> Any:
        raise ValueError("not me")


def test_encodings_in_encodings_and_after_failures() -> None:
    array = np.arange(5)
    with pytest.raises(ValueError, match="not me"):
        CODEC.encode([array, Failing()])
    before, inner, after = decoded(encoded([array, Nested(), array + 1]))
    assert before.tolist() == array.tolist()
    assert decoded(inner) == [1, 2, 3]
    assert after.tolist() == (array + 1).tolist()


def test_nothing_of_a_message_is_kept() -> None:
    holder = Holder([1, 2])
    seen = weakref.ref(holder)
    encoded(holder)
    del holder
    gc.collect()
    assert seen() is None


def test_names_of_numpy_are_read_whichever_version_wrote_them() -> None:
    theirs = pickle.dumps(np.arange(3), protocol=4).replace(b"numpy._core.multiarray", b"numpy.xcore.multiarray")
    with pytest.raises(ImportError):
        decoded(_pickled(theirs))
    other = pickle.dumps(np.float64(1.5), protocol=4)
    assert decoded(_pickled(other)) == 1.5


def _pickled(data: bytes) -> memoryview:
    description = b"p" + len(data).to_bytes(8, "little")
    head = len(description).to_bytes(4, "little") + description
    return memoryview(head.ljust(64, b"\0") + data)


# --- two versions of NumPy --------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def old_python(tmp_path_factory: pytest.TempPathFactory) -> str:
    """An interpreter with an older NumPy, and with this package's sources."""
    if sys.version_info >= (3, 13):
        pytest.skip(f"NumPy {OLD} has no wheel for this Python")
    folder = tmp_path_factory.mktemp("old")
    venv.create(folder, with_pip=True)
    python = str(folder / ("Scripts" if os.name == "nt" else "bin") / "python")
    wanted = [f"numpy=={OLD}", "attrs", "cattrs", "msgpack"]
    command = [python, "-m", "pip", "install", "--quiet", "--only-binary", ":all:", *wanted]
    installed = subprocess.run(command, capture_output=True, text=True, check=False)
    if installed.returncode:
        pytest.skip(f"NumPy {OLD} cannot be installed here: {installed.stderr[-300:]}")
    return python


@pytest.mark.timeout(300)
@pytest.mark.filterwarnings("ignore:.np.chararray. is deprecated")  # NumPy 1 names it so
def test_from_numpy_2_to_1_and_back(old_python: str, tmp_path: Path) -> None:
    for name in CASES:
        (tmp_path / f"{name}.there").write_bytes(encoded(Holder(CASES[name])))
    for name, make in RANDOM.items():
        (tmp_path / f"{name}.there").write_bytes(encoded(Holder(make())))
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join([str(PROGRAMS), *SOURCES])}
    command = [old_python, str(PROGRAMS / "numpy_objects.py"), str(tmp_path)]
    run = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    assert run.returncode == 0, run.stderr
    for name, value in CASES.items():
        came = decoded((tmp_path / f"{name}.back").read_bytes()).content
        assert same(value, came), (name, came)
    for name, make in RANDOM.items():
        came = decoded((tmp_path / f"{name}.back").read_bytes()).content
        assert type(came) is type(make())
