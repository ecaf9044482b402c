"""Puts a node together from what its operator chose.

Import this only for a server that has other nodes, and after the reactor is installed: txredisapi
installs one of its own choice otherwise.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from twisted.internet.interfaces import IStreamServerEndpoint

from securecom.server.cluster.engine import Engine
from securecom.server.cluster.engine_address import EngineAddress, read_password
from securecom.server.cluster.node_service import NodeService, NodeSettings
from securecom.server.cluster.redis_directory import RedisDirectory
from securecom.server.service import ServerContext
from securecom.server.session import drawn_pause
from securecom.server.state import ServerState


@dataclass(frozen=True)
class ChosenNode:
    """What the operator said about other nodes.

    :param url: of the engine that the nodes share.
    :param ca: a file of the certificates to trust for its TLS, instead of the system's.
    :param listen: where other nodes connect to this one.
    :param host: the name or address at which they reach it.
    """

    url: str
    password_file: Path | None
    ca: Path | None
    listen: IStreamServerEndpoint
    host: str


def directory(
    url: str, password_file: Path | None, ca: Path | None, server: bytes, reactor: Any
) -> RedisDirectory:
    """The directory in this engine. :raises SecurecomError: for a choice that cannot be.

    :param server: the server's id.
    """
    address = EngineAddress.parse(url)
    password = None if password_file is None else read_password(password_file)
    endpoint = address.endpoint(reactor, ca)
    engine = Engine(reactor, endpoint, db=address.db, user=address.user, password=password)
    return RedisDirectory(reactor, engine, server)


def node_service(
    chosen: ChosenNode, state: ServerState, around: ServerContext, reactor: Any
) -> NodeService:
    """The node's service. :raises SecurecomError: for a choice that cannot be."""
    found = directory(chosen.url, chosen.password_file, chosen.ca, state.server_id, reactor)
    return NodeService(
        around.clock,
        around.now(),
        around.random,
        state.authority,
        around.dial_endpoint,
        NodeSettings(found, chosen.listen, chosen.host),
        partial(drawn_pause, around.random),
    )
