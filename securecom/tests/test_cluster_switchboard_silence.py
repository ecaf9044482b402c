"""Silence from one node to another: what somebody elsewhere can tell is no more than here."""

from __future__ import annotations

import random

from securecom.tests.support import silence_contract, silent_paths
from securecom.tests.support.memory_cluster import MemoryCluster
from securecom.tests.support.memory_server import MemoryServer


def _two_nodes(seed: str) -> tuple[MemoryServer, MemoryServer]:
    """Bob's node, and Alice's."""
    homes = MemoryCluster(random=random.Random(seed).randbytes).nodes
    return homes[1], homes[0]


class TwoNodesPathTests(silence_contract.SilenceContract):
    """Bob and everybody else are on another node than Alice."""

    def setUp(self) -> None:
        super().setUp()
        self.patch(silent_paths, "servers", _two_nodes)
