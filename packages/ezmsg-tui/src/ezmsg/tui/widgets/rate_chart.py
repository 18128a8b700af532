"""A chart of one topic's rate over the last seconds, with what its height means."""

from collections.abc import Sequence

from textual.content import Content
from textual.widgets import Static

from ezmsg.protocol.surroundings.visible import visible
from ezmsg.tui.model.charts import chart
from ezmsg.tui.model.wording import hz

_LABEL = 10
_WIDE = 4  # cells for each second


class RateChart(Static):
    """Draws from 0 to the largest rate that is shown."""

    DEFAULT_CSS = "RateChart { color: $text-accent; padding: 0 1; background: $surface; }"

    def show(self, title: str, rates: Sequence[float]) -> None:
        """Show the rates of one topic, the newest at the right."""
        height = max(1, self.size.height - 1)
        width = max(0, min(self.size.width - 2 - _LABEL, _WIDE * max(1, len(rates))))
        drawn = chart([rate for rate in rates for _ in range(_WIDE)], width, height)
        top = max(rates, default=0.0)
        labels = [hz(top), *[""] * (height - 2), "0"] if height > 1 else [hz(top)]
        lines = [Content.styled(visible(title) or "no topic", "$foreground bold")]
        lines += [
            Content.assemble((label.rjust(_LABEL - 1) + " ", "dim"), line)
            for label, line in zip(labels, drawn, strict=False)
        ]
        self.update(Content("\n").join(lines))
