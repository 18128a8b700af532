"""What a measurement was made on: machine, Python, and the distributions of ezmsg."""

import os
import platform
import sys
from importlib.metadata import distributions
from typing import Any


def environment_form() -> dict[str, Any]:
    """Return what tells one measurement's surroundings from another's."""
    names = {(each.metadata["Name"] or "").lower(): each.version for each in distributions()}
    return {
        "python": platform.python_version(),
        "implementation": sys.implementation.name,
        "platform": platform.platform(),
        "processors": os.cpu_count(),
        "packages": {n: v for n, v in sorted(names.items()) if n in ("numpy", "uvloop") or n.startswith("ezmsg")},
    }
