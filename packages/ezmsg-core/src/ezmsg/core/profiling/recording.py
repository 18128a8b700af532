"""What one client gets of one endpoint: of the metrics it wants every so-manieth message, in a ring of its own.

So what others want neither changes what it gets nor how much of it is lost.
"""

import numpy as np
from attrs import field

from ezmsg.core.profiling.metrics import PUBLISH_DELTA
from ezmsg.core.profiling.ring import Column, Ring, Rows
from ezmsg.protocol.declared import declared


@declared(frozen=False, eq=False)
class Recording:
    """A measurement belongs to it if it began at ``since_ns`` or later.

    A message that was published then belongs to it, too, though the one before was not: its delta is 0, as nothing
    came before it here.
    """

    metrics: frozenset[str]
    sample_mod: int
    since_ns: int
    ring: Ring = field()

    def take(self, metric: str, start_ns: Column, rows: Rows) -> None:
        """Keep what is wanted of measurements of one metric."""
        if metric not in self.metrics:
            return
        if metric == PUBLISH_DELTA and start_ns.min() < self.since_ns:
            rows = rows._replace(value_ns=np.where(start_ns < self.since_ns, 0, rows.value_ns))
            start_ns = rows.time_ns
        if self.sample_mod == 1 and start_ns.min() >= self.since_ns:
            self.ring.write(rows)
            return
        wanted = (start_ns >= self.since_ns) & (rows.message % self.sample_mod == 0)
        self.ring.write(Rows(*(column[wanted] for column in rows)))
