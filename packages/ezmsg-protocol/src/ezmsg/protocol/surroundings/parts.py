"""Which parts of ezmsg there are, for the ``--version`` of every command. Who asks has looked for them."""

from collections.abc import Iterable
from importlib.metadata import Distribution


def version_text(own: str, found: Iterable[Distribution]) -> str:
    """Return a line for each part among the distributions that are installed: its name and its version.

    :param own: the distribution whose command is asked; it comes first, the others by their names.
    :param found: what ``importlib.metadata.distributions()`` gives; of two with one name, the first is in use.
    """
    versions: dict[str, str] = {}
    for each in found:
        name = str(each.metadata["Name"] or "").lower().replace("_", "-")  # what is half removed has none
        if name == "ezmsg" or name.startswith("ezmsg-"):
            versions.setdefault(name, each.version)
    names = sorted(versions, key=lambda name: (name != own, name))
    return "\n".join(f"{name} {versions[name]}" for name in names)
