"""What endpoints can measure, and how often what they have noted is settled."""

PUBLISH_DELTA = "publish_delta_ns"
BACKPRESSURE_WAIT = "backpressure_wait_ns"
LEASE_TIME = "lease_time_ns"
USER_SPAN = "user_span_ns"
METRICS = (PUBLISH_DELTA, BACKPRESSURE_WAIT, LEASE_TIME, USER_SPAN)

SETTLE_ROWS = 2048
"""So many measurements are settled at a time."""

LEASE_WIDTH = 4

MANY_LEASES = SETTLE_ROWS * LEASE_WIDTH
"""So many integers of leases are settled at a time."""
