"""Tells `twistd` that there is a server named securecom. Strings only: nothing is imported here."""

from twisted.application.service import ServiceMaker

securecom = ServiceMaker(
    "securecom",
    "securecom.tap",
    "A server for end-to-end encrypted terminal chat that asks before it connects anyone.",
    "securecom",
)
