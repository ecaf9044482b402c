"""Everything is in pyproject.toml; this lets old tools and editable installs find it."""

from setuptools import setup

setup()
