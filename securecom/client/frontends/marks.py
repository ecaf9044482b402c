"""What people read is lines, and each line has a mark that says whose words it is."""

from __future__ import annotations

Line = tuple[str, str]

FACT = "*"
FRAME = "--"
OWN = ">"
SERVER = "(server)"
