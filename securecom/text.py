"""The one place where text from elsewhere is made fit to show.

Everything a peer or the server can cause to be printed goes through `shown`: no control
character, escape sequence, bidirectional override, lone surrogate or unseen character reaches
a terminal.
"""

from __future__ import annotations

import re
import unicodedata

# Format characters that people need: zero-width joiner and non-joiner (scripts, emoji).
_WANTED_FORMAT = frozenset("\u200c\u200d")
# What Unicode calls other than control or format, and still is not seen: fillers, blanks that
# are no spaces, and variation selectors but for the two of emoji (U+FE0E and U+FE0F).
# Source: Default_Ignorable_Code_Point of Unicode's DerivedCoreProperties.txt, and the characters
# that are drawn as blanks: U+2800, U+13441, U+13442, U+1D159.
_INVISIBLE = frozenset(
    "\u034f\u115f\u1160\u17b4\u17b5\u180b\u180c\u180d\u180f\u2800\u3164\uffa0"
    "\U00013441\U00013442\U0001d159"
) | frozenset(map(chr, [*range(0xFE00, 0xFE0E), *range(0xE0100, 0xE01F0)]))
_HIDDEN_CATEGORIES = frozenset(("Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"))
# U+2400 and the 31 after it are pictures of the control characters; U+2421 is that of DEL.
_CONTROL_PICTURES = 0x2400


# What a terminal sends for a key, a click, around a paste, or as its answer to a program.
_SEQUENCE = re.compile(
    r"(?:\x1b[\]PX^_]|[\x90\x98\x9d-\x9f])[^\x07\x1b\x9c]*(?:\x07|\x1b\\|\x9c)"  # a string
    r"|\x1b\[M.{3}(?=[/!\x1b])"  # a click, in three characters
    r"|\x1b\[\[[A-E]"  # a function key of Linux's console
    r'|(?:\x1b\[|\x9b)[0-?]*["-.]*[@-~]?'  # CSI, or the beginning of one
    r"|\x1bO[@-~]|\x1b[0-~]"  # SS3, and ESC with one character
)
_UNSEEN_CATEGORIES = _HIDDEN_CATEGORIES | {"Zs", "Mn", "Me"}


def is_unseen(c: str) -> bool:
    """Does this character, at the start of a line, leave no mark of its own there?"""
    return unicodedata.category(c) in _UNSEEN_CATEGORIES or c in _INVISIBLE


def before_seen(text: str) -> int:
    """How many characters stand before the first that a person sees, escape sequences too."""
    at = 0
    while at < len(text):
        sequence = _SEQUENCE.match(text, at)
        if sequence is not None:
            at = sequence.end()
        elif is_unseen(text[at]):
            at += 1
        else:
            break
    return at


def shown(text: str, *, lines: bool = False) -> str:
    """`text` with everything that a terminal would obey made visible.

    :param lines: keep line feeds; else each becomes the picture of one.
    """
    return "".join(_shown_character(c, lines) for c in text)


def _shown_character(c: str, lines: bool) -> str:
    if " " <= c <= "~" or (c == "\n" and lines):
        return c
    if c < " ":
        return chr(_CONTROL_PICTURES + ord(c))
    if c == "\x7f":
        return "\u2421"
    if c in _WANTED_FORMAT:
        return c
    if unicodedata.category(c) in _HIDDEN_CATEGORIES or c in _INVISIBLE:
        return f"<U+{ord(c):04X}>"
    return c
