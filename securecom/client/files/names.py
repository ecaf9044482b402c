"""Names of files that are safe on any disk and any terminal.

A peer chooses the name of a file that it offers. What is left of it here cannot leave the folder,
hide the file, look like an option to a program, pose as another name, or mean a device.
"""

from __future__ import annotations

import re
import unicodedata

from securecom import limits
from securecom.text import is_mark, is_unseen

#: What a file is called whose name has nothing left.
NAMELESS = "file"
#: What Windows and its file systems take for something else than a part of a name.
_SPECIAL = re.compile(r'[<>:"|?*]')
#: Names that mean a device on Windows, whatever suffix they have.
_DEVICES = re.compile(r"(?:con|prn|aux|nul|com[0-9¹²³]|lpt[0-9¹²³])", re.IGNORECASE)
_MAX_SUFFIX = 16


def safe_name(told: str) -> str:
    """A name for a file in the folder of downloads, whatever a peer calls it."""
    base = re.split(r"[/\\]", told)[-1]
    name = "".join(map(_safe_character, unicodedata.normalize("NFC", base)))
    name = unicodedata.normalize("NFC", " ".join(name.split())).rstrip(" .-~")
    while name and (name[0] in " .-~" or is_mark(name[0])):  # a mark would show on the quotation
        name = name[1:]
    name = _shortened(name, limits.MAX_SAVED_NAME).strip(" .")
    if not name.strip("_"):
        return NAMELESS
    if _DEVICES.fullmatch(name.split(".")[0].strip()):
        return f"_{name}"
    return name


def numbered(name: str, number: int) -> str:
    """The name, or for 1 and more a variant of it: `plan (1).pdf`."""
    if not number:
        return name
    stem, suffix = _split(name)
    return f"{stem} ({number}){suffix}"


def _safe_character(c: str) -> str:
    if c == " " or c.isspace():
        return " "
    if is_mark(c):  # accents that no single character has
        return c
    return "_" if _SPECIAL.match(c) or is_unseen(c) else c


def _split(name: str) -> tuple[str, str]:
    """Stem and suffix, which `.tar.gz` is as a whole."""
    match = re.fullmatch(r"(.+?)((?:\.tar)?\.[^. ()]+)", name, re.DOTALL)
    if match is None or len(match[2]) > _MAX_SUFFIX:
        return name, ""
    return match[1], match[2]


def _shortened(name: str, most: int) -> str:
    """At most so many bytes of UTF-8, with the suffix kept."""
    if len(name.encode("utf-8")) <= most:
        return name
    stem, suffix = _split(name)
    room = most - len(suffix.encode("utf-8"))
    return stem.encode("utf-8")[:room].decode("utf-8", "ignore").rstrip(" .") + suffix
