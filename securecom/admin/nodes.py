"""The commands of `securecom-admin` about a server of several nodes, which ask its directory.

They need a reactor for a moment: the directory is asked as a node asks it.
"""

from __future__ import annotations

from argparse import Namespace
from collections.abc import Callable
from typing import Any, TypeVar

from twisted.internet.defer import Deferred
from twisted.python.failure import Failure

from securecom.admin.command_line import NODES
from securecom.admin.commands import Report
from securecom.admin.tables import json_lines, table
from securecom.clocks import steady_reactor
from securecom.errors import BadArgument
from securecom.server.cluster.directory import Directory, Node, Place
from securecom.server.state import StoredState
from securecom.starting import path_named

T = TypeVar("T")


def _directory(asked: Namespace, state: StoredState, reactor: Any) -> Directory:
    try:
        from securecom.server.cluster import joining
    except ModuleNotFoundError as error:
        what = f"{asked.command} needs {error.name}"
        raise BadArgument(what, "Type: pip install 'securecom-chat[cluster]'") from None
    password, ca = asked.switchboard_password_file, asked.switchboard_ca
    return joining.directory(
        asked.switchboard,
        None if password is None else path_named(password, "--switchboard-password-file"),
        None if ca is None else path_named(ca, "--switchboard-ca"),
        state.server_id,
        reactor,
    )


def _answer(question: Deferred[T], then: Callable[[], Deferred[None]], running: Any) -> T:
    """Run the reactor until the question is answered; its error is raised."""
    outcome: list[T | Failure] = []
    question.addBoth(outcome.append)
    question.addCallback(lambda _: then())
    question.addBoth(lambda _: running.stop())
    running.run()
    only = outcome[0]
    if isinstance(only, Failure):
        only.raiseException()
    return only


def ask(asked: Namespace, state: StoredState, running: Any = None) -> Report:
    """Do what a command line asks for. :raises SecurecomError: the directory cannot be asked."""
    running = running or steady_reactor()
    directory = _directory(asked, state, running)
    nodes = directory.nodes()
    if asked.command == NODES:
        return _nodes(_answer(nodes, directory.close, running), asked.json)
    both = nodes.addCallback(lambda found: directory.where(asked.name).addCallback(_pair, found))
    place, living = _answer(both, directory.close, running)
    return _where(asked, place, living)


def _pair(place: Place | None, nodes: list[Node]) -> tuple[Place | None, list[Node]]:
    return place, nodes


def _nodes(nodes: list[Node], as_json: bool) -> Report:
    if as_json:
        return Report(json_lines(_fields(node) for node in nodes))
    if not nodes:
        return Report(["no node lives"])
    return Report(table(("NODE", "ADDRESS"), [(_ident(n), f"{n.host}:{n.port}") for n in nodes]))


def _where(asked: Namespace, place: Place | None, nodes: list[Node]) -> Report:
    here = [node for node in nodes if place is not None and node.ident == place.node]
    if asked.json:
        return Report(json_lines({"name": asked.name} | _fields(node) for node in here))
    if not here:
        return Report([f"{asked.name} is not online"])
    [node] = here
    return Report([f"{asked.name} is on node {_ident(node)}, {node.host}:{node.port}"])


def _ident(node: Node) -> str:
    return node.ident.hex()


def _fields(node: Node) -> dict[str, Any]:
    return {"node": _ident(node), "host": node.host, "port": node.port}
