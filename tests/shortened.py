"""twistd with some of `securecom.limits` changed: `python -m tests.shortened NAME=VALUE… ARGUMENT…`

The waits of the product are as long as people need them, and no option changes them. Tests have
less time; this sets the constants before anything else of securecom is imported, and then is
twistd, with the rest of the command line.
"""

from __future__ import annotations

import sys

from twisted.scripts.twistd import run

from securecom import limits

#: The client, with limits changed likewise: they stand in front of its own options.
CLIENT = (
    sys.executable,
    "-c",
    "import sys; from tests.shortened import shorten; sys.argv[1:] = shorten(sys.argv[1:]);"
    "from securecom.client.__main__ import main; sys.exit(main())",
)
#: Nobody has half a minute for a request that comes to nothing, and people here answer at once.
SILENCE = ("REQUEST_STANDS=6", "REQUEST_EXPIRES=9")


def shorten(words: list[str]) -> list[str]:
    """Set what is named in front; the words that are left."""
    while words and "=" in words[0] and not words[0].startswith("-"):
        name, value = words.pop(0).split("=", 1)
        old = getattr(limits, name)  # a misspelt name fails here
        setattr(limits, name, type(old)(value))
    return words


if __name__ == "__main__":
    sys.argv[1:] = shorten(sys.argv[1:])
    run()
