"""Checks of the repository itself, run by `./dev check`."""
