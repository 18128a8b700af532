"""``ezmsg run``: a program, or a component that a file defines or a distribution registers."""

import runpy
import sys
import traceback
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import Any

from ezmsg.control.cli.saying import note
from ezmsg.control.cli.targets import resolved
from ezmsg.core.commands.programs import settings_arguments
from ezmsg.core.commands.programs.loading import (
    Place,
    find,
    is_component_class,
    is_program,
    load,
    load_registered,
    place_of,
    registered,
)
from ezmsg.core.errors import InvalidOption, NothingToRun
from ezmsg.core.graph.component import Component
from ezmsg.core.runtime.runner import GraphRunner
from ezmsg.protocol.addresses import AddressType
from ezmsg.protocol.errors import EzmsgError

_FAILED = 1


def run_target(
    target: str, words: list[str], *, name: str | None, root: str | None, address: AddressType | None
) -> int:
    """Run what a text names until it ends, and return the exit code.

    :param words: settings as ``name=value``; of a program, its own arguments.
    :raises EzmsgError: if there is no such thing, it cannot be loaded, or the settings do not fit.
    """
    place = place_of(target)
    if place is not None and not place.name and place.is_file and is_program(place.source):
        if name or root or address:
            reason = "a program says these itself; name an object in it, as in FILE:OBJECT, or run it without them"
            raise InvalidOption(option="name, root or address", value=target, reason=reason)
        return _run_program(place.source, words)
    return _run_object(_found(target, place), target, words, name=name, root=root, address=address)


def _found(target: str, place: Place | None) -> Any:
    if place is not None:
        return find(load(place.source), place)
    known = registered()
    return load_registered(known[resolved(target, known, "component that is registered", "a name")])


def _run_object(
    found: Any, target: str, words: list[str], *, name: str | None, root: str | None, address: AddressType | None
) -> int:
    if callable(found) and not isinstance(found, type | Component | GraphRunner):
        found = found()
    if isinstance(found, GraphRunner):
        _refuse_words(words, target)
        return _run(found)
    if isinstance(found, Mapping):
        _refuse_words(words, target)
        return _run(GraphRunner(dict(found), root, graph_address=address))
    if is_component_class(found):
        component = settings_arguments.made(found, words)
    elif isinstance(found, Component):
        component = settings_arguments.changed(found, words)
    else:
        reason = f"it is {found!r}, and no Unit, Collection, GraphRunner or mapping of components by name"
        raise NothingToRun(source=target, reason=reason)
    return _run(GraphRunner({name or type(component).__name__: component}, root, graph_address=address))


def _refuse_words(words: list[str], target: str) -> None:
    if words:
        raise InvalidOption(option=words[0], value=target, reason="only a single component takes settings here")


def _run(runner: GraphRunner) -> int:
    try:
        runner.run_blocking()
    except EzmsgError:
        raise
    except Exception as error:  # noqa: BLE001  what a unit raised; its traceback is in the log
        notes = " ".join(getattr(error, "__notes__", ()))
        note(f"ezmsg: {type(error).__name__}: {error}{_where(error.__traceback__)}. {notes}".rstrip())
        return _FAILED
    return 0


def _run_program(file: str, words: list[str]) -> int:
    """Run a file as Python does: it is ``"__main__"``, its folder comes first, and the words are its arguments."""
    path = Path(file).expanduser()
    sys.argv[:] = [file, *words]
    sys.path.insert(0, str(path.resolve().parent))
    try:
        runpy.run_path(str(path), run_name="__main__")
    except Exception as error:  # noqa: BLE001  the program's own, told as Python would, without what is ours
        traceback.print_exception(type(error), error, _from(error.__traceback__, str(path)))
        return _FAILED
    return 0


def _from(trace: TracebackType | None, file: str) -> TracebackType | None:
    """Return the part of a traceback that begins in a file."""
    here = trace
    while here is not None and here.tb_frame.f_code.co_filename != file:
        here = here.tb_next
    return here or trace


def _where(trace: TracebackType | None) -> str:
    last = traceback.extract_tb(trace)[-1:]
    return f" ({last[0].filename}:{last[0].lineno})" if last else ""
