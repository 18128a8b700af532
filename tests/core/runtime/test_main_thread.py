"""A main thread that waits hears signals that do not wake it."""

import signal
import threading

import pytest

from ezmsg.core.runtime.main_thread import join, wait_for

pytestmark = pytest.mark.skipif(not hasattr(signal, "pthread_kill"), reason="no signals for single threads")


@pytest.fixture
def heard():
    """Set by SIGUSR1, which another thread gets: as when the main thread had not quite fallen asleep."""
    heard = threading.Event()
    before = signal.signal(signal.SIGUSR1, lambda *_: heard.set())
    yield heard
    signal.signal(signal.SIGUSR1, before)


def take_signal():
    signal.pthread_kill(threading.get_ident(), signal.SIGUSR1)


def test_waiting_for_an_event(heard):
    threading.Thread(target=take_signal).start()
    wait_for(heard)


def test_waiting_for_a_thread(heard):
    def take_it_and_wait():
        take_signal()
        heard.wait()

    thread = threading.Thread(target=take_it_and_wait)
    thread.start()
    join(thread)
    assert heard.is_set()


def test_a_thread_is_waited_for_no_longer_than_was_said():
    go = threading.Event()
    thread = threading.Thread(target=go.wait)
    thread.start()
    join(thread, 0.01)
    assert thread.is_alive()
    go.set()
    join(thread)
    assert not thread.is_alive()
