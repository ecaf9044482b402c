"""Tells `twistd` of a reactor named securecom. Strings only: nothing is imported here."""

from twisted.application.reactors import Reactor

securecom = Reactor(
    "securecom",
    "securecom.transport.reactor",
    "epoll(7) with a shorter way to what can be read, for busy securecom servers.",
)
