"""What ``ezmsg --help`` says: the verbs, each with what its function, or its group of functions, says first.

The verbs are read, not imported: with their options they would bring the whole parser of command lines, and this is
what somebody sees first.
"""

import ast
import shutil
import textwrap
from collections.abc import Mapping
from importlib.metadata import EntryPoint
from importlib.util import find_spec
from pathlib import Path

from ezmsg.control.cli.verbs import load

HELP = "Look into a running ezmsg graph, change it, and start what needs one."

_OPTIONS = {"--help (-h)": "Display this message and exit.", "--version": "Display application version."}
_WIDEST = 100


def overview(verbs: Mapping[str, EntryPoint]) -> str:
    """Return the help of the command as a whole; a verb that cannot be found is left out with a note."""
    found = {name: _summary(point) for name, point in verbs.items()}
    rows = {**{name: summary for name, summary in found.items() if summary is not None}, **_OPTIONS}
    column = max(map(len, rows)) + 4
    width = min(shutil.get_terminal_size().columns, _WIDEST)
    lines = [textwrap.fill(HELP, width), "", "Commands:"]
    for name, summary in rows.items():
        first = f"  {name}".ljust(column)
        lines.append(
            textwrap.fill(summary, max(width, column + 20), initial_indent=first, subsequent_indent=" " * column)
        )
    return "\n".join(("Usage: ezmsg COMMAND", "", *lines, "", "More about one of them: ezmsg COMMAND --help"))


def _summary(point: EntryPoint) -> str | None:
    """Return the first paragraph of a verb's docstring, ``None`` if there is no such verb."""
    docstring = _read(point)
    if docstring is None:  # it is not defined where it is named, or there is no source to read
        function = load([point]).get(point.name)
        if function is None:
            return None
        docstring = getattr(function, "help", None) or function.__doc__ or ""  # an App of cyclopts has a help
    first, _, _ = docstring.strip().partition("\n\n")
    return " ".join(first.removesuffix("For example:").split())


def _read(point: EntryPoint) -> str | None:
    """Return what the source says of a verb: the docstring of a function, or the ``help`` of a group."""
    try:
        spec = find_spec(point.module)
        source = Path(spec.origin or "").read_bytes() if spec is not None else b""
        body = ast.parse(source).body
    # Protects the help from a broken distribution: its parent may raise anything when it is imported.
    except Exception:  # noqa: BLE001
        return None
    for node in body:
        match node:
            case ast.FunctionDef(name=point.attr) | ast.AsyncFunctionDef(name=point.attr):
                return ast.get_docstring(node)
            case ast.Assign(targets=[ast.Name(id=point.attr)], value=ast.Call(keywords=keywords)):
                return next((_text(each.value) for each in keywords if each.arg == "help"), None)
    return None


def _text(node: ast.expr) -> str | None:
    return node.value if isinstance(node, ast.Constant) and isinstance(node.value, str) else None
