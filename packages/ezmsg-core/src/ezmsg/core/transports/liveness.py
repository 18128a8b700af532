"""Whether the process at the other end of a socket surely does not answer, as far as that is seen from outside.

A process that is busy may not look at its sockets for a long time, and is waited for. One that is stopped, or whose
host is gone, does nothing at all, and the operating system knows that. Nobody asks it before somebody has waited
too long already.
"""

import contextlib
import socket
import struct
import sys
from pathlib import Path

from ezmsg.control.connection.acknowledging import unacknowledged_s

_STOPPED = "tT"
"""The states of a process that was stopped by a signal or by a debugger."""


def unresponsive(connection: socket.socket, pid: int | None, silence_s: float) -> str:
    """Return why the other end does not answer; nothing if it may.

    :param pid: the other end's process, as it says itself.
    :param silence_s: how long a host has not acknowledged anything that is gone.
    """
    if not sys.platform.startswith("linux"):
        return ""
    with contextlib.suppress(OSError, ValueError, struct.error):
        if connection.family == socket.AF_UNIX:
            return _frozen(pid_at(connection, pid) or 0)
        if connection.getpeername()[0] == connection.getsockname()[0]:  # it is on this host
            return "" if pid is None else _frozen(pid)
        return _host_gone(connection, silence_s)
    return ""


def pid_at(connection: socket.socket, said: int | None) -> int | None:
    """Return the process at the other end: as the operating system knows it, or else as it says itself."""
    if not sys.platform.startswith("linux") or connection.fileno() < 0 or connection.family != socket.AF_UNIX:
        return said
    credentials = connection.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, struct.calcsize("3i"))
    pid: int = struct.unpack("3i", credentials)[0]
    return pid


def _frozen(pid: int) -> str:
    status = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8", errors="replace")
    if status.rpartition(")")[2].split()[0] in _STOPPED:
        return f"its process {pid} is stopped"
    _, _, group = Path(f"/proc/{pid}/cgroup").read_text(encoding="utf-8").partition("0::")
    if group:
        events = Path(f"/sys/fs/cgroup{group.strip()}/cgroup.events")
        if events.exists() and "frozen 1" in events.read_text(encoding="utf-8"):
            return f"the control group of its process {pid} is frozen"
    return ""


def _host_gone(connection: socket.socket, silence_s: float) -> str:
    silent_s = unacknowledged_s(connection)
    if silent_s and silent_s >= silence_s:
        return f"its host {connection.getpeername()[0]} has not answered for {silent_s:.1f} s"
    return ""
