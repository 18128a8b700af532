"""What one client gets of one endpoint: of the metrics it wants every so-manieth message, in a ring of its own.

So what others want neither changes what it gets nor how much of it is lost.
"""

from attrs import field

from ezmsg.core.profiling.ring import Column, Ring, Rows
from ezmsg.protocol.declared import declared


@declared(frozen=False, eq=False)
class Recording:
    """A measurement belongs to it if it began at ``since_ns`` or later."""

    metrics: frozenset[str]
    sample_mod: int
    since_ns: int
    ring: Ring = field()

    def take(self, metric: str, start_ns: Column, rows: Rows) -> None:
        """Keep what is wanted of measurements of one metric."""
        if metric not in self.metrics:
            return
        if self.sample_mod == 1 and start_ns.min() >= self.since_ns:
            self.ring.write(rows)
            return
        wanted = (start_ns >= self.since_ns) & (rows.message % self.sample_mod == 0)
        self.ring.write(Rows(*(column[wanted] for column in rows)))
