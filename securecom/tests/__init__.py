"""Unit and protocol tests, all in memory. In a checkout: `trial securecom.tests`."""

from hypothesis import settings

# The same examples in every run, without a wall clock, and without a folder of old examples.
settings.register_profile("securecom", derandomize=True, deadline=None, database=None)
settings.load_profile("securecom")
