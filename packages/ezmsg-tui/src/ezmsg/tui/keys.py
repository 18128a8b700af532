"""Keys that a user has bound anew, and the theme: read from ``keys.toml`` in the user's configuration folder."""

import os
from collections.abc import Collection, Mapping
from pathlib import Path

from attrs import field, frozen

FILE_VARIABLE = "EZMSG_KEYS"


@frozen
class Keys:
    """``bindings`` has keys by the ids of actions, ``complaints`` what is wrong with the file, in sentences."""

    bindings: dict[str, str] = field(factory=dict)
    theme: str | None = None
    complaints: list[str] = field(factory=list)


def keys_file(environment: Mapping[str, str] = os.environ) -> Path:
    """Return where the file would be: where ``EZMSG_KEYS`` says, else ``ezmsg/keys.toml`` in ``~/.config``."""
    if named := environment.get(FILE_VARIABLE):
        return Path(named)
    folder = environment.get("XDG_CONFIG_HOME") or "~/.config"
    return Path(folder).expanduser() / "ezmsg" / "keys.toml"


def read_keys(path: Path | None = None) -> Keys:
    """Return what the file says; without one, nothing. A file that cannot be read is complained of, and ignored."""
    path = keys_file() if path is None else path
    if not path.exists():
        return Keys()

    import tomllib

    try:
        said = tomllib.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        return Keys(complaints=[f'{path} was ignored: {error}. Write it like: [keys] and app.quit = "ctrl+q".'])
    return _checked(path, said)


def _checked(path: Path, said: Mapping[str, object]) -> Keys:
    table = said.get("keys", {})
    theme = said.get("theme")
    complaints: list[str] = []
    bindings: dict[str, str] = {}
    for name, keys in _flat(table if isinstance(table, Mapping) else {}):
        if isinstance(keys, str) and keys.strip():
            bindings[name] = keys
        else:
            complaints.append(f'{path}: {name} wants a text of keys, such as "ctrl+q" or "f5,r".')
    read = {"theme", "keys"} if isinstance(table, Mapping) else {"theme"}
    how = 'Write theme = "nord", and [keys] with app.quit = "ctrl+q".'
    complaints += [f"{path}: nothing reads {name}. {how}" for name in sorted(said.keys() - read)]
    if theme is not None and not isinstance(theme, str):
        complaints.append(f"{path}: theme wants the name of a theme as a text.")
    return Keys(bindings, theme if isinstance(theme, str) else None, complaints)


def unknown(keys: Keys, actions: Collection[str], themes: Collection[str]) -> list[str]:
    """Return a sentence for each action that is none, and for such a theme, with what may be meant."""
    wrong = [("action", name, actions) for name in keys.bindings if name not in actions]
    if keys.theme is not None and keys.theme not in themes:
        wrong.append(("theme", keys.theme, themes))
    return [f"{keys_file()}: there is no {kind} {name}{_meant(name, known)}" for kind, name, known in wrong]


def _meant(name: str, known: Collection[str]) -> str:
    from difflib import get_close_matches  # for who has written something wrong

    near = get_close_matches(name, sorted(known), n=1)
    return f"; is {near[0]} meant?" if near else f". There are: {', '.join(sorted(known))}."


def _flat(table: Mapping[str, object], trail: str = "") -> list[tuple[str, object]]:
    """Return names with dots: TOML takes app.quit for a table in a table."""
    found: list[tuple[str, object]] = []
    for name, value in table.items():
        path = f"{trail}.{name}" if trail else name
        found += _flat(value, path) if isinstance(value, Mapping) else [(path, value)]
    return found
