"""The chat request between two nodes does what it does on one server."""

from __future__ import annotations

from securecom.tests.support import busy_contract, request_contract
from securecom.tests.support.memory_cluster import MemoryCluster
from securecom.tests.support.memory_server import MemoryServer
from securecom.tests.support.request_case import RequestCase


class OnTwoNodes(RequestCase):
    """Alice is on one node, and everybody else on another."""

    @staticmethod
    def servers() -> tuple[MemoryServer, MemoryServer]:
        one, two = MemoryCluster().nodes
        return one, two


class AnswerTests(OnTwoNodes, request_contract.AnswerTests):
    """As on one server."""


class NobodyThereTests(OnTwoNodes, request_contract.NobodyThereTests):
    """As on one server."""


class EndingTests(OnTwoNodes, request_contract.EndingTests):
    """As on one server."""


class OpeningTests(OnTwoNodes, request_contract.OpeningTests):
    """As on one server."""


class CrossingTests(OnTwoNodes, request_contract.CrossingTests):
    """As on one server."""


class CooldownTests(OnTwoNodes, request_contract.CooldownTests):
    """As on one server."""


class RateTests(OnTwoNodes, request_contract.RateTests):
    """As on one server."""


class PressureTests(OnTwoNodes, request_contract.PressureTests):
    """As on one server."""


class BehindTests(OnTwoNodes, request_contract.BehindTests):
    """As on one server."""


class ToldTests(OnTwoNodes, busy_contract.ToldTests):
    """As on one server."""


class OthersTests(OnTwoNodes, busy_contract.OthersTests):
    """As on one server."""
