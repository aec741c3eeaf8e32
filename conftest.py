"""How the property tests of every package search: the same examples in CI every time, new ones at a desk."""

import os

from hypothesis import HealthCheck, settings

settings.register_profile(
    "everywhere",
    max_examples=150,
    deadline=None,
    derandomize="CI" in os.environ,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
)
settings.load_profile("everywhere")
