"""Draws the pictures of the full screen: `python -m checks.screens --write`.

A scripted client plays each scene of `securecom/tests/support/screen_scenes.py`. Without `--write`
the exit code says whether the pictures in docs/pictures still show the screens of today.
"""

from __future__ import annotations

import sys

from securecom.tests.support.screen_scenes import PICTURES, SCENES, drawn


def main(arguments: list[str]) -> int:
    """Draw them, or say which are out of date."""
    old = 0
    for name in SCENES:
        picture, path = drawn(name), PICTURES / f"{name}.svg"
        if "--write" in arguments:
            PICTURES.mkdir(exist_ok=True)
            path.write_text(picture, "utf-8")
        elif not path.exists() or path.read_text("utf-8") != picture:
            print(f"docs/pictures/{name}.svg is out of date: python -m checks.screens --write")
            old += 1
    return 1 if old else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
