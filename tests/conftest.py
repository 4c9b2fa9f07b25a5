"""Property tests draw the same examples in every run; `pytest --hypothesis-profile=explore` draws new ones.

No test asserts a time, so neither does Hypothesis: a slow machine is no failure.
"""

from hypothesis import HealthCheck, settings

settings.register_profile(
    "fixed",
    derandomize=True,
    database=None,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture],
)
settings.register_profile("explore", settings.get_profile("fixed"), derandomize=False, print_blob=True)
settings.load_profile("fixed")
