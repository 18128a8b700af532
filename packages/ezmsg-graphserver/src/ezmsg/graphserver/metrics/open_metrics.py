"""Text in the format OpenMetrics 1.0: families of samples with labels, each family once and together. Pure."""

from collections.abc import Iterator

from attrs import frozen

CONTENT_TYPE = "application/openmetrics-text; version=1.0.0; charset=utf-8"


@frozen
class Family:
    """One metric; ``kind`` is ``counter``, ``gauge`` or ``info``.

    Values are whole numbers, ``per`` of which make one of the unit; the unit ends the name.
    """

    name: str
    kind: str
    help: str
    unit: str = ""
    per: int = 1


class Exposition:
    """The samples of one moment. Two of the same family and labels are added up, because only one may be told."""

    def __init__(self) -> None:
        self._samples: dict[Family, dict[tuple[tuple[str, str], ...], int]] = {}

    def add(self, family: Family, value: int, **labels: str) -> None:
        """Tell a value; a count below 0, which only a faulty process can have, is left out."""
        if family.kind == "counter" and value < 0:
            return
        samples = self._samples.setdefault(family, {})
        key = tuple(labels.items())
        samples[key] = samples.get(key, 0) + value

    def text(self) -> str:
        """Return all of it."""
        return "".join(f"{line}\n" for line in self._lines())

    def _lines(self) -> Iterator[str]:
        for family, samples in self._samples.items():
            suffix = {"counter": "_total", "info": "_info"}.get(family.kind, "")
            yield f"# TYPE {family.name} {family.kind}"
            if family.unit:
                yield f"# UNIT {family.name} {family.unit}"
            yield f"# HELP {family.name} {_escaped(family.help)}"
            for labels, value in samples.items():
                inside = ",".join(f'{name}="{_escaped(text)}"' for name, text in labels)
                yield f"{family.name}{suffix}{{{inside}}} {_number(value, family.per)}"
        yield "# EOF"


def _escaped(text: str) -> str:
    return text.replace("\\", "\\\\").replace("\n", "\\n").replace('"', '\\"')


def _number(value: int, per: int) -> str:
    """Return a quotient in decimals, exactly; ``per`` is a power of ten."""
    if per == 1:
        return str(value)
    whole, rest = divmod(abs(value), per)
    sign = "-" if value < 0 else ""
    return f"{sign}{whole}.{rest:0{len(str(per)) - 1}d}"
