"""Servers, names and keys for tests of contacts."""

from __future__ import annotations

from securecom.identity import Identity, Name

SERVER, OTHER_SERVER = b"\x01" * 32, b"\x02" * 32


BOB, CAROL = Name("bob"), Name("carol")


NOW = 1_800_000_000.75


KEY, OTHER_KEY = Identity.generate().public_key, Identity.generate().public_key
