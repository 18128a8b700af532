"""Garbage is not looked for in the meantime, and is again afterwards, also in forked processes."""

import gc
import os
import threading
from collections.abc import Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ezmsg.core.support.garbage import no_look_for_garbage


@pytest.fixture(autouse=True)
def as_before() -> Iterator[None]:
    was = gc.isenabled()
    gc.enable()
    yield
    (gc.enable if was else gc.disable)()


def test_it_is_as_before_also_after_an_error() -> None:
    def fail() -> None:
        with no_look_for_garbage():
            raise ZeroDivisionError(gc.isenabled())

    with pytest.raises(ZeroDivisionError, match="False"):
        fail()
    assert gc.isenabled()


def test_who_never_wants_it_keeps_it_off() -> None:
    gc.disable()
    with no_look_for_garbage():
        pass
    assert not gc.isenabled()


@given(st.lists(st.integers(0, 3), max_size=12))
def test_several_at_a_time(steps: list[int]) -> None:
    """Each step begins what has not begun, or ends what has."""
    under_way: dict[int, object] = {}
    for step in steps:
        if step in under_way:
            under_way.pop(step).__exit__(None, None, None)  # type: ignore[attr-defined]
        else:
            under_way[step] = context = no_look_for_garbage()
            context.__enter__()
        assert gc.isenabled() == (not under_way)
    for context in under_way.values():
        context.__exit__(None, None, None)  # type: ignore[attr-defined]
    assert gc.isenabled()


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no forks here")
def test_a_forked_process_looks_again() -> None:
    begun, over = threading.Event(), threading.Event()

    def hold() -> None:
        with no_look_for_garbage():
            begun.set()
            over.wait(30)

    thread = threading.Thread(target=hold)
    thread.start()
    assert begun.wait(30)
    child = os.fork()
    if not child:
        os._exit(0 if gc.isenabled() else 1)
    over.set()
    thread.join(30)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    assert gc.isenabled()


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no forks here")
def test_a_process_forked_at_any_moment_looks_again() -> None:
    over = threading.Event()

    def begin_and_end() -> None:
        while not over.is_set():
            with no_look_for_garbage():
                pass

    thread = threading.Thread(target=begin_and_end)
    thread.start()
    try:
        for _ in range(50):
            child = os.fork()
            if not child:
                os._exit(0 if gc.isenabled() else 1)
            assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    finally:
        over.set()
        thread.join(30)
    assert gc.isenabled()
