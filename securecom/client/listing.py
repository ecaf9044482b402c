"""Who is available: the server's list, page by page."""

from __future__ import annotations

from collections.abc import Callable, Generator
from typing import Any

from twisted.internet.defer import Deferred, inlineCallbacks

from securecom import commands, limits
from securecom.client.coordination.station import Station
from securecom.client.events import Users
from securecom.errors import BadArgument, WireError
from securecom.identity import Name


@inlineCallbacks
def available(
    station: Station, ask: Callable[..., Deferred[dict[str, Any]]], text: str
) -> Generator[Deferred[Any], Any, Users]:
    """Those with `text` in the name; at most `limits.MAX_USERS_SHOWN`.

    :param ask: sends a command; its answer, or an error that people can read.
    """
    wanted = text.lower().encode("utf-8", "replace")
    if len(wanted) > limits.MAX_NAME:
        raise BadArgument(f"no name is longer than {limits.MAX_NAME} characters")
    names: list[Name] = []
    busy: set[str] = set()
    more = True
    while more and len(names) < limits.MAX_USERS_SHOWN:
        after = names[-1] if names else ""
        page = yield ask(commands.ListAvailable, after=after.encode("ascii"), text=wanted)
        _check_page(page["names"], after)
        names += page["names"]
        busy.update(page["busy"] or ())
        more = page["more"] and bool(page["names"])
    names, more = names[: limits.MAX_USERS_SHOWN], more or len(names) > limits.MAX_USERS_SHOWN
    users = [station.user(name) for name in names]
    return Users(users, text, more, [name for name in names if name in busy])


def _check_page(names: list[Name], after: str) -> None:
    """Pages go on, or a server could keep us listing for ever."""
    for name in names:
        if name <= after:
            hint = "Nothing was shown. Tell the server's admin."
            raise WireError("the server's list is out of order", hint)
        after = name
