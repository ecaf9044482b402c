"""Makes text from peers and servers safe to print.

Everything that a peer or the server can cause to be printed goes through `shown`, so that no
control character, escape sequence, bidirectional override, lone surrogate or invisible character
reaches a terminal.
"""

from __future__ import annotations

import re
import unicodedata

# Format characters that people need: zero-width joiner and non-joiner (scripts, emoji).
_WANTED_FORMAT = frozenset("\u200c\u200d")
# Characters that Unicode does not class as control or format and that are invisible all the same:
# fillers, blanks that are not spaces, and variation selectors except emoji's (U+FE0E and U+FE0F).
# Source: Default_Ignorable_Code_Point of Unicode's DerivedCoreProperties.txt, and the characters
# that fonts draw as blanks: U+2800, U+13441, U+13442, U+1D159.
_INVISIBLE = frozenset(
    "\u034f\u115f\u1160\u17b4\u17b5\u180b\u180c\u180d\u180f\u2800\u3164\uffa0"
    "\U00013441\U00013442\U0001d159"
) | frozenset(map(chr, [*range(0xFE00, 0xFE0E), *range(0xE0100, 0xE01F0)]))
#: Between text and emoji; shows nothing itself.
_EMOJI_FORM = frozenset("\ufe0e\ufe0f")
_HIDDEN_CATEGORIES = frozenset(("Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"))
# U+2400 and the next 31 are pictures of the control characters; U+2421 is the picture of DEL.
_CONTROL_PICTURES = 0x2400


# What a terminal sends for a key or a click, around a paste, or in answer to a program.
_SEQUENCE = re.compile(
    r"(?:\x1b[\]PX^_]|[\x90\x98\x9d-\x9f])[^\x07\x1b\x9c]*(?:\x07|\x1b\\|\x9c)"  # a string
    r"|\x1b\[M.{3}(?=[/!\x1b])"  # a click, in three characters
    r"|\x1b\[\[[A-E]"  # a function key of Linux's console
    r'|(?:\x1b\[|\x9b)[0-?]*["-.]*[@-~]?'  # CSI, or the beginning of one
    r"|\x1bO[@-~]|\x1b[0-~]"  # SS3, and ESC with one character
)
_UNSEEN_CATEGORIES = _HIDDEN_CATEGORIES | {"Zs", "Mn", "Me"}


def is_unseen(c: str) -> bool:
    """Whether this character, at the start of a line, leaves no visible mark."""
    return unicodedata.category(c) in _UNSEEN_CATEGORIES or c in _INVISIBLE


def is_mark(c: str) -> bool:
    """Whether this is an accent, or another mark that shows on the character before it."""
    return unicodedata.category(c) in ("Mn", "Me") and not (c in _INVISIBLE or c in _EMOJI_FORM)


def before_seen(text: str) -> int:
    """Count the characters before the first visible one, escape sequences included."""
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
    """Return `text` with everything that a terminal would obey made visible.

    :param lines: keep line feeds; otherwise each becomes its picture.
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
