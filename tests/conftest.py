"""Property tests draw the same examples in every run; `pytest --hypothesis-profile=explore` draws new ones."""

from hypothesis import settings

settings.register_profile("fixed", derandomize=True, database=None)
settings.register_profile("explore", derandomize=False, print_blob=True)
settings.load_profile("fixed")
