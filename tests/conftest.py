"""Settings that every test shares."""

from __future__ import annotations

import os

from hypothesis import HealthCheck, settings

# Timing is never asserted: a slow or shared machine must not fail a property. In CI the examples are
# derived from the test alone, so a failure there can be repeated anywhere.
settings.register_profile(
    "ludus",
    deadline=None,
    derandomize="CI" in os.environ,
    print_blob=True,
    suppress_health_check=[HealthCheck.too_slow],
)
settings.load_profile("ludus")
