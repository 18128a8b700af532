"""A graph that ends in one of many ways; see test_shutdown_matrix.py.

``SOURCE`` sends to ``SINK``, and ``PROBE`` is what the case is about: a class of shutdown_probes.py, named in the
command. Where each runs depends on how many processes there are and on where the probe is to be: ``here``, in the
program's own process, or in a ``worker``. When the file ``go`` is there, the probe does what it is for, or the
source ends the run. What is left in the program's own process after the run is said as ``left``.
"""

import argparse
import contextlib
import multiprocessing
import os
import sys
import threading
import time

import shutdown_probes
from run_units import limit_stopping, say
from shutdown_probes import Sink, Source, SourceSettings, told

import ezmsg.core as ez


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser()
    parser.add_argument("go")
    parser.add_argument("--probes", nargs="+")
    parser.add_argument("--method", choices=multiprocessing.get_all_start_methods())
    parser.add_argument("--place", choices=["here", "worker"], default="worker")
    parser.add_argument("--alone", action="store_true", help="one process, not three")
    parser.add_argument("--source", choices=["stays", "completes", "terminates"], default="stays")
    parser.add_argument("--limit", type=float, help="seconds for stopping")
    parser.add_argument("--own-thread", action="store_true", help="one that ends long after the run")
    parser.add_argument("--runner", action="store_true", help="start and stop a GraphRunner")
    return parser.parse_args()


def graph(options: argparse.Namespace) -> dict[str, object]:
    """Return the arguments of a run: the components, the edge, and what gets a process of its own."""
    source, sink = Source(SourceSettings(on_go=options.source)), Sink()
    probes = [getattr(shutdown_probes, name)() for name in options.probes]
    names = ["PROBE"] if len(probes) == 1 else options.probes
    apart = probes if options.place == "worker" else [source]
    return {
        "components": {"SOURCE": source, "SINK": sink, **dict(zip(names, probes, strict=True))},
        "connections": ((source.OUTPUT, sink.INPUT),),
        "process_components": () if options.alone else (*apart, sink),
    }


def start_and_stop(runner: ez.GraphRunner) -> None:
    runner.start()
    try:
        while not told():
            time.sleep(0.01)
    finally:
        runner.stop()


def say_what_is_left(own: set[threading.Thread]) -> None:
    threads = [thread.name for thread in threading.enumerate() if thread not in own]
    children = [process.name for process in multiprocessing.active_children()]
    say("left", *threads, *children, *open_sockets_and_segments())


def open_sockets_and_segments() -> list[str]:
    opened = []
    for descriptor in os.listdir("/proc/self/fd") if sys.platform == "linux" else []:  # noqa: PTH208
        with contextlib.suppress(FileNotFoundError):  # that of the listing itself
            opened.append(os.readlink(f"/proc/self/fd/{descriptor}"))  # noqa: PTH115
    return [name for name in opened if name.startswith(("socket:", "/memfd:"))]


def main() -> None:
    options = arguments()
    if options.method:
        multiprocessing.set_start_method(options.method)
    finish = threading.Event()
    if options.own_thread:
        threading.Thread(target=finish.wait, name="own").start()
    own = set(threading.enumerate())
    try:
        if options.runner:
            start_and_stop(ez.GraphRunner(**graph(options)))
        else:
            ez.run(**graph(options))
        say("after")
    finally:
        say_what_is_left(own)
        if options.own_thread:
            time.sleep(2 * options.limit)  # longer than what units leave is given
            finish.set()


if "--limit" in sys.argv:  # at import, because it is to hold in a spawned process too
    limit_stopping(float(sys.argv[sys.argv.index("--limit") + 1]))

if __name__ == "__main__":
    main()
