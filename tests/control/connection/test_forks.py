"""A forked child has no part in our sockets, and loses none of its own files."""

import os
import socket
import warnings
from collections.abc import Callable
from pathlib import Path

import pytest

from ezmsg.control.connection import forks as in_clients
from ezmsg.graphserver.sockets import forks as in_servers

pytestmark = pytest.mark.skipif(not hasattr(os, "fork"), reason="the system has no fork")


def in_child(check: Callable[[], bool]) -> bool:
    """Return what a forked child finds."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # newer Pythons, of forks beside other threads
        child = os.fork()
    if child == 0:
        found = False
        try:
            found = check()
        finally:
            os._exit(0 if found else 1)
    return os.waitpid(child, 0)[1] == 0


@pytest.mark.parametrize("keep_from_forks", [in_clients.keep_from_forks, in_servers.keep_from_forks])
def test_a_child_has_nothing_in_place_of_a_socket(keep_from_forks: Callable[[int], None]) -> None:
    ours, peer = socket.socketpair()
    with ours, peer:
        keep_from_forks(ours.fileno())

        def is_gone() -> bool:
            return os.path.samestat(os.fstat(ours.fileno()), Path(os.devnull).stat())

        assert in_child(is_gone)
        ours.sendall(b"the parent's is as it was")
        assert peer.recv(64) == b"the parent's is as it was"


def test_a_number_that_is_another_file_by_now_is_left_alone(tmp_path: Path) -> None:
    ours, peer = socket.socketpair()
    with peer:
        number = ours.fileno()
        in_clients.keep_from_forks(number)
        ours.close()
        path = tmp_path / "log"
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT)
        if descriptor != number:
            os.dup2(descriptor, number)
            os.close(descriptor)
        try:
            assert in_child(lambda: os.write(number, b"still here") > 0)
        finally:
            os.close(number)
        assert path.read_text() == "still here"


def test_objects_collected_in_the_child_close_no_file_of_its_own() -> None:
    ours, peer = socket.socketpair()
    with peer, ours:
        in_clients.keep_from_forks(ours.fileno())

        def keeps_its_file() -> bool:
            with Path(os.devnull).open() as file:  # it would have had the number
                ours.close()
                return os.fstat(file.fileno()) is not None

        assert in_child(keeps_its_file)
