"""`securecom --retire NAME`: the owner of a stolen key tells the server, without their client.

It needs twelve words and the server's address and id: from any profile at that server, or from an
invitation link, which may be spent.
"""

from __future__ import annotations

import sys
from argparse import Namespace
from typing import Any

from twisted.python.failure import Failure

from securecom import limits
from securecom.client.channels.enrol import retire
from securecom.client.profile.profile import Profile
from securecom.client.profile.profiles import Profiles
from securecom.client.program import exits, standard_io
from securecom.client.program.running import Route
from securecom.clocks import steady_reactor
from securecom.errors import SecurecomError, WhichProfile
from securecom.identity import Name
from securecom.invitation import Invitation
from securecom.retirement import RetirementSecret
from securecom.starting import print_all
from securecom.values import Value


class Errand(Value):
    """Whose key, by which words, at which server (its id, 32 bytes)."""

    name: Name
    secret: RetirementSecret
    host: str
    port: int
    server: bytes

    @classmethod
    def of(cls, arguments: Namespace, profiles: Profiles) -> Errand:
        """What the command line asks for; the words are read from the input.

        :raises SecurecomError: if the profile or the words are none.
        """
        link = arguments.link
        if isinstance(link, Invitation):
            place = (str(link.host), link.standard_port, link.server)
        else:
            profile = _any_profile(arguments, profiles)
            place = (str(profile.host), profile.port, profile.server)
        question = f"the twelve words that retire {arguments.retire}'s key: "
        words = standard_io.first_line(limits.MAX_RETIREMENT_LINE, question=question)
        return cls(arguments.retire, RetirementSecret.from_words(words), *place)

    def run(self, in_asyncio: bool = False) -> int:
        """Tell the server; the exit code."""
        codes: list[int] = []
        reactor = steady_reactor(in_asyncio=in_asyncio)
        reactor.callWhenRunning(self._begin, reactor, codes)
        reactor.run()
        return codes[0] if codes else exits.FIXABLE

    def _begin(self, reactor: Any, codes: list[int]) -> None:
        route = Route(reactor, self.host, self.port)
        signature = self.secret.retire(self.server, self.name)
        said = (self.server, self.name, self.secret.public, signature)
        told = retire(route, *said, reactor, f"{self.host}:{self.port}")
        code = told.addCallbacks(self._retired, self._failed)
        code.addCallback(codes.append).addBoth(lambda _: reactor.stop())

    def _retired(self, _: object) -> int:
        print_all(
            f"{self.name}'s key is retired: nobody can log in with it, and it has no session.\n"
            f"People whom you have met should know too: each types /retire {self.name} in their "
            "client, with the same words. The server's admin can invite you again.\n"
        )
        return exits.OK

    def _failed(self, failure: Failure) -> int:
        error = failure.value
        if not isinstance(error, SecurecomError):
            failure.raiseException()
        print(f"securecom: {error}", file=sys.stderr)
        return exits.exit_code(error)


def _any_profile(arguments: Namespace, profiles: Profiles) -> Profile:
    """Of the server to tell, whoever's it is. :raises SecurecomError: if there is no such one."""
    try:
        return profiles.load(arguments.profile)
    except WhichProfile as error:
        link = f"securecom --retire {arguments.retire} securecom://…"
        hint = f"Nothing was sent. Name the server by a link of it, even a spent one: {link}"
        raise WhichProfile(error.what, hint) from None
