"""From what a command line names to objects: ``FILE[:OBJECT]``, ``MODULE[:OBJECT]``, or a registered name."""

import ast
import importlib
import importlib.util
import sys
from collections.abc import Iterable
from importlib.metadata import EntryPoint, entry_points
from pathlib import Path
from types import ModuleType
from typing import Any, NamedTuple, TypeGuard

from ezmsg.core.errors import NothingToRun, ProgramNotLoaded
from ezmsg.core.graph.component import Component
from ezmsg.core.support.wording import described

GROUP = "ezmsg.components"


class Place(NamedTuple):
    """A file or module, and the name of an object in it, empty if none was given."""

    source: str
    name: str

    @property
    def is_file(self) -> bool:
        """Whether the source is a path and not a module's name."""
        return self.source.endswith(".py") or Path(self.source).is_file()


def registered() -> dict[str, EntryPoint]:
    """Return the components that installed distributions register, by name; nothing is imported."""
    return {point.name: point for point in sorted(entry_points(group=GROUP), key=lambda point: point.name)}


def place_of(target: str) -> Place | None:
    """Return what a text means as a place; ``None`` if it can only be the name of a registered component."""
    source, _, name = target.rpartition(":") if ":" in target else (target, "", "")
    place = Place(source, name)
    return place if name or place.is_file else None


def load(source: str) -> ModuleType:
    """Import a file or a module.

    A file's folder is put first among those where modules are looked for: programs have other modules beside them,
    and a worker process that is spawned imports the file by its name.

    :raises ProgramNotLoaded: if that fails, whatever it raises.
    """
    try:
        if not Place(source, "").is_file:
            return importlib.import_module(source)
        path = Path(source).expanduser().resolve()
        if not path.is_file():
            raise ProgramNotLoaded(source=source, reason="there is no such file")
        _check_name(path, source)
        sys.path.insert(0, str(path.parent))
        spec = importlib.util.spec_from_file_location(path.stem, path)
        if spec is None or spec.loader is None:
            raise ProgramNotLoaded(source=source, reason="it is no Python file")
        module = importlib.util.module_from_spec(spec)
        sys.modules[path.stem] = module  # which it is looked for under by whoever resolves its annotations
        spec.loader.exec_module(module)
    except ProgramNotLoaded:
        raise
    except (Exception, SystemExit) as error:  # whatever a user's module does when it is imported
        raise ProgramNotLoaded(source=source, reason=described(error)) from error
    return module


def _check_name(path: Path, source: str) -> None:
    """Refuse a file that would stand in the place of another module."""
    other = sys.modules.get(path.stem)
    if path.stem in sys.stdlib_module_names or (other is not None and getattr(other, "__file__", "") != str(path)):
        raise ProgramNotLoaded(source=source, reason="there is another module of this name; give the file its own")


def load_registered(point: EntryPoint) -> type[Component]:
    """Import a registered component.

    :raises ProgramNotLoaded: if that fails.
    :raises NothingToRun: if it is no class of components.
    """
    module = load(point.module)
    found = getattr(module, point.attr, None)
    if not is_component_class(found):
        raise NothingToRun(source=point.name, reason=f"{point.value} is no Unit or Collection")
    return found


def component_classes(module: ModuleType) -> dict[str, type[Component]]:
    """Return the classes of components that a module defines itself, by name, in their order."""
    return {
        name: value
        for name, value in vars(module).items()
        if is_component_class(value) and value.__module__ == module.__name__
    }


def find(module: ModuleType, place: Place) -> Any:
    """Return the object that a place names; if it names none, the one class of components there is.

    :raises NothingToRun: if there is no such object, or not one.
    """
    classes = component_classes(module)
    if place.name:
        value: Any = module
        for part in place.name.split("."):
            value = getattr(value, part, None)
        if value is None:
            raise NothingToRun(
                source=place.source, reason=f"it has no {place.name}", choices=_names(module, classes)
            )
        return value
    if not classes:
        reason = "it defines no Unit or Collection"
        raise NothingToRun(source=place.source, reason=reason, choices=_names(module, classes))
    if len(classes) > 1:
        reason = f"it defines several components; say which, as in {place.source}:{next(iter(classes))}"
        raise NothingToRun(source=place.source, reason=reason, choices=list(classes))
    return next(iter(classes.values()))


def is_component_class(value: object) -> TypeGuard[type[Component]]:
    """Return whether a value is a class of components."""
    return isinstance(value, type) and issubclass(value, Component)


def is_program(path: str) -> bool:
    """Return whether a file does something when it is run: it asks whether it is ``"__main__"``.

    :raises ProgramNotLoaded: if it cannot be read.
    """
    try:
        tree = ast.parse(Path(path).expanduser().read_bytes(), path)
    except (OSError, SyntaxError, ValueError) as error:
        raise ProgramNotLoaded(source=path, reason=getattr(error, "strerror", None) or described(error)) from error
    return any(isinstance(node, ast.Name) and node.id == "__name__" for node in ast.walk(tree))


def _names(module: ModuleType, classes: Iterable[str]) -> list[str]:
    instances = [name for name, value in vars(module).items() if isinstance(value, Component)]
    return [*classes, *instances]
