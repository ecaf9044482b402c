"""Who sees that somebody is busy, on one server."""

from __future__ import annotations

from securecom.tests.support import busy_contract


class ToldTests(busy_contract.ToldTests):
    """All are on one server."""


class OthersTests(busy_contract.OthersTests):
    """All are on one server."""
