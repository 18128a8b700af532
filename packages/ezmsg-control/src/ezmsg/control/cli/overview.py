"""What ``ezmsg --help`` says: the verbs, each with what its function, or its group of functions, says first.

The verbs are read, not imported: with their options they would bring the whole parser of command lines, and this is
what somebody sees first. Of a module only the piece that has the verb is parsed.
"""

import ast
import os
import textwrap
from collections.abc import Mapping
from importlib.machinery import PathFinder

from ezmsg.control.cli.verbs import load

HELP = "Look into a running ezmsg graph, change it, and start what needs one."

_OPTIONS = {"--help (-h)": "Display this message and exit.", "--version": "Display application version."}
_WIDEST = 100
_WHERE_UNKNOWN = 80


def overview(verbs: Mapping[str, tuple[str, str]]) -> str:
    """Return the help of the command as a whole; a verb that cannot be found is left out with a note."""
    found = {name: _summary(name, *where) for name, where in verbs.items()}
    rows = {**{name: summary for name, summary in found.items() if summary is not None}, **_OPTIONS}
    column = max(map(len, rows)) + 4
    width = min(_columns(), _WIDEST)
    lines = [textwrap.fill(HELP, width), "", "Commands:"]
    for name, summary in rows.items():
        first = f"  {name}".ljust(column)
        lines.append(
            textwrap.fill(summary, max(width, column + 20), initial_indent=first, subsequent_indent=" " * column)
        )
    return "\n".join(("Usage: ezmsg COMMAND", "", *lines, "", "More about one of them: ezmsg COMMAND --help"))


def _summary(name: str, place: str, distribution: str) -> str | None:
    """Return the first paragraph of a verb's docstring, ``None`` if there is no such verb."""
    docstring = _read(place)
    if docstring is None:  # it is not defined where it is named, or there is no source to read
        function = load({name: (place, distribution)}).get(name)
        if function is None:
            return None
        docstring = getattr(function, "help", None) or function.__doc__ or ""  # an App of cyclopts has a help
    first, _, _ = docstring.strip().partition("\n\n")
    return " ".join(first.removesuffix("For example:").split())


def _read(place: str) -> str | None:
    """Return what the source says of a verb: the docstring of a function, or the ``help`` of a group."""
    module, _, name = place.partition(":")
    try:
        source = _source(module)
        body = ast.parse(_piece(source, name)).body
    # Protects the help from a broken distribution; what cannot be read may be imported all the same.
    except Exception:  # noqa: BLE001
        return None
    for node in body:
        match node:
            case ast.FunctionDef(name=defined) | ast.AsyncFunctionDef(name=defined) if defined == name:
                return ast.get_docstring(node, clean=False)  # cleaning would import `inspect`
            case ast.Assign(targets=[ast.Name(id=defined)], value=ast.Call(keywords=keywords)) if defined == name:
                return next((_text(each.value) for each in keywords if each.arg == "help"), None)
    return None


def _source(module: str) -> str:
    """Return the text of a module without importing it, nor the packages that it is in.

    :raises OSError: if there is none.
    """
    name, _, rest = module.partition(".")
    spec = PathFinder.find_spec(name)
    while rest and spec is not None and spec.submodule_search_locations is not None:
        part, _, rest = rest.partition(".")
        name = f"{name}.{part}"
        spec = PathFinder.find_spec(name, spec.submodule_search_locations)
    if rest or spec is None or spec.origin is None:
        raise FileNotFoundError(module)
    with open(spec.origin, encoding="utf-8") as file:  # noqa: PTH123  pathlib is slow to import
        return file.read()


def _piece(source: str, name: str) -> str:
    """Return the statement that defines a name, which costs less to parse than a module; else all of the source."""
    for head in (f"\ndef {name}(", f"\nasync def {name}(", f"\n{name} = "):
        _, found, rest = f"\n{source}".partition(head)
        if found:
            lines = rest.split("\n")
            ends = (number for number, line in enumerate(lines) if number and line and line[0] not in " )]}#")
            return (found + "\n".join(lines[: next(ends, len(lines))])).lstrip("\n")
    return source


def _text(node: ast.expr) -> str | None:
    return node.value if isinstance(node, ast.Constant) and isinstance(node.value, str) else None


def _columns() -> int:
    """Return how wide the terminal is, as :func:`shutil.get_terminal_size` does, which brings all compressions."""
    said = os.environ.get("COLUMNS", "")
    if said.isdigit() and int(said):
        return int(said)
    try:
        return os.get_terminal_size(1).columns or _WHERE_UNKNOWN
    except OSError:  # closed, or no terminal
        return _WHERE_UNKNOWN
