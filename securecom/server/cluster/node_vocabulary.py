"""The commands between the nodes of a server, with their argument types.

A node trusts another one, which has a certificate of the same CA; still, bytes that are not of
their type are a `WireError`. docs/cluster.md has a table of them.
"""

from __future__ import annotations

from twisted.protocols import amp

from securecom.server.cluster.directory import IDENT_BYTES
from securecom.vocabulary import FixedBytes

NODE_IDENT = FixedBytes(IDENT_BYTES)


class NodeCommand(amp.Command):
    """A command from one node to another."""


class MeetNode(NodeCommand):
    """I am the process with this ident. The first command of each; the link stands when both have
    been answered. `Ping` (`securecom.vocabulary`) may follow, and all other commands."""

    arguments = [(b"ident", NODE_IDENT)]
