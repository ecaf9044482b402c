"""One spelling for a pass phrase.

An "é" is one character or two (an "e" and an accent), depending on the keyboard and the system; to
a cipher these are two different pass phrases. New files are made with the composed spelling
(Unicode's NFC). Older files, and other programs' files, may have been made with either.
"""

from __future__ import annotations

import unicodedata


def composed(pass_phrase: bytes) -> bytes:
    """The composed spelling (NFC) of a pass phrase; bytes that are not UTF-8 stay as they are."""
    try:
        return unicodedata.normalize("NFC", pass_phrase.decode("utf-8")).encode("utf-8")
    except UnicodeDecodeError:
        return pass_phrase


def spelt(pass_phrase: bytes) -> list[bytes]:
    """Every spelling that a file may have been made with, the likeliest first, each once.

    ASCII has one, so that nobody who types it waits longer.
    """
    spellings = [composed(pass_phrase), pass_phrase]
    try:
        text = pass_phrase.decode("utf-8")
        spellings.append(unicodedata.normalize("NFD", text).encode("utf-8"))
    except UnicodeDecodeError:
        pass
    return list(dict.fromkeys(spellings))
