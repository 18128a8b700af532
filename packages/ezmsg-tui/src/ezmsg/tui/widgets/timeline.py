"""Events over time: a row for each kind, a column for some seconds, darker where more happened."""

from collections.abc import Sequence

from textual.content import Content
from textual.widgets import Static

from ezmsg.tui.model.charts import BARS
from ezmsg.tui.model.view import Entry, Kind

_LABEL = 10
_SPAN_S = 300.0
_STYLES = {
    Kind.WARNING: "$text-error",
    Kind.SETTINGS: "$text-accent",
    Kind.PROCESS: "$text-warning",
    Kind.OPERATOR: "$text-success",
}


class Timeline(Static):
    """The last five minutes, now at the right."""

    DEFAULT_CSS = "Timeline { height: 6; padding: 0 1; background: $surface; }"

    def show(self, journal: Sequence[Entry], now: float) -> None:
        """Show when what happened; ``now`` is wall time."""
        width = max(1, self.size.width - 2 - _LABEL)
        counts = {kind: [0] * width for kind in Kind}
        for entry in reversed(journal):
            age_s = now - entry.at
            if 0 <= age_s < _SPAN_S:
                counts[entry.kind][width - 1 - int(age_s / _SPAN_S * width)] += 1
        lines = [
            Content.assemble(
                (kind.value.ljust(_LABEL), "dim"),
                ("".join(BARS[min(8, 2 * count)] if count else "·" for count in row), _STYLES.get(kind, "")),
            )
            for kind, row in counts.items()
        ]
        ends = f"{'':<{_LABEL}}{'-5 min':<{max(0, width - 3)}}now"
        self.update(Content("\n").join([*lines, Content.styled(ends, "dim")]))
