"""``inspect``: the components of a file or module as JSON, without running them."""

import json
import sys

from ezmsg.core.commands.programs.describing import SCHEMA_VERSION, described_component
from ezmsg.core.commands.programs.loading import component_classes, is_component_class, load
from ezmsg.core.errors import NothingToRun


def inspect(source: str, component: str | None = None, indent: int | None = None) -> None:
    """Write what a file or module declares to standard output.

    :param component: only this class, which may also be one that the module has imported.
    :param indent: how far each level is indented; ``None`` for a single line.
    :raises ProgramNotLoaded: if the source cannot be imported.
    :raises NothingToRun: if there is no component in it, or none of this name.
    """
    module = load(source)
    classes = component_classes(module)
    if component is not None:
        found = getattr(module, component, None)
        if not is_component_class(found):
            reason = f"{component} is no class of a Unit or Collection there"
            raise NothingToRun(source=source, reason=reason, choices=list(classes))
        classes = {component: found}
    elif not classes:
        raise NothingToRun(source=source, reason="it defines no Unit or Collection")
    form = {
        "inspect_schema_version": SCHEMA_VERSION,
        "source": source,
        "components": [described_component(each) for each in classes.values()],
    }
    sys.stdout.write(f"{json.dumps(form, indent=indent, allow_nan=False)}\n")
