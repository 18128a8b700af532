"""How hard the property tests look: a bounded default, and ``--hypothesis-profile=long`` for a night.

The long profile needs ``--timeout=0 -o faulthandler_timeout=0`` beside it, because a single test may take minutes.
"""

from hypothesis import HealthCheck, settings

EXAMPLES = 100

# A machine that is busy is no finding, so nothing here depends on the time an example takes.
settings.register_profile(
    "default", max_examples=EXAMPLES, deadline=None, suppress_health_check=[HealthCheck.too_slow]
)
settings.register_profile("long", settings.get_profile("default"), max_examples=50 * EXAMPLES)
settings.load_profile("default")
