"""`securecom-server`: the same as `twistd --nodaemon securecom`, without twistd on the PATH."""

from __future__ import annotations

import sys

from twisted.scripts.twistd import run


def main() -> None:
    """Run the server in the foreground with this command's options."""
    sys.argv[1:1] = ["--nodaemon", "--pidfile=", "securecom"]
    run()
