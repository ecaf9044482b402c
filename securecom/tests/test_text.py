"""What may reach a terminal."""

from __future__ import annotations

import sys
import unicodedata

from twisted.trial.unittest import SynchronousTestCase

from securecom.text import shown

EVERYTHING = [chr(code) for code in range(sys.maxunicode + 1)]
JOINERS = "\u200c\u200d"
EMOJI_SELECTORS = "\ufe0e\ufe0f"
# DerivedCoreProperties.txt of Unicode, Default_Ignorable_Code_Point: characters without a look.
IGNORABLE = [
    (0xAD, 0xAD), (0x34F, 0x34F), (0x61C, 0x61C), (0x115F, 0x1160), (0x17B4, 0x17B5),
    (0x180B, 0x180F), (0x200B, 0x200F), (0x202A, 0x202E), (0x2060, 0x206F), (0x3164, 0x3164),
    (0xFE00, 0xFE0F), (0xFEFF, 0xFEFF), (0xFFA0, 0xFFA0), (0xFFF0, 0xFFF8),
    (0x1BCA0, 0x1BCA3), (0x1D173, 0x1D17A), (0xE0000, 0xE0FFF),
]  # fmt: skip

#: Drawn as nothing, though they have an advance. The second and the third are letters for Python
#: 3.12 and later, and unassigned for 3.11, whose Unicode is 14.
BLANKS = ["\u2800", "\U00013441", "\U00013442", "\U0001d159"]


class ShownTests(SynchronousTestCase):
    def assert_never_passes(self, characters: list[str]) -> None:
        for c in characters:
            out = shown(f"a{c}b")
            self.assertNotIn(c, out, hex(ord(c)))
            self.assertTrue(out.isprintable(), hex(ord(c)))
            self.assertGreater(len(out), 2, hex(ord(c)))  # made visible, not swallowed

    def test_no_control_character(self) -> None:
        self.assert_never_passes([chr(c) for c in (*range(0x20), *range(0x7F, 0xA0))])

    def test_nothing_that_unicode_calls_unprintable(self) -> None:
        hidden = ("Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp")
        bad = [c for c in EVERYTHING if unicodedata.category(c) in hidden and c not in JOINERS]
        self.assertGreater(len(bad), 800_000)
        out = shown("".join(bad))
        self.assertTrue(out.isascii() or set(out) - set(map(chr, range(0x80))) <= set(PICTURES))

    def test_no_bidirectional_override_isolate_or_mark(self) -> None:
        turning = ("LRE", "RLE", "LRO", "RLO", "PDF", "LRI", "RLI", "FSI", "PDI")
        marks = ["\u200e", "\u200f", "\u061c"]
        bad = [c for c in EVERYTHING if unicodedata.bidirectional(c) in turning]
        self.assertEqual(len(bad), len(turning))
        self.assert_never_passes(bad + marks)

    def test_nothing_without_a_look(self) -> None:
        bad = [chr(code) for low, high in IGNORABLE for code in range(low, high + 1)]
        kept = JOINERS + EMOJI_SELECTORS
        self.assert_never_passes([c for c in bad if c not in kept])
        self.assert_never_passes(BLANKS)

    def test_what_is_printable_stays_as_it_is(self) -> None:
        ignorable = {chr(code) for low, high in IGNORABLE for code in range(low, high + 1)}
        unseen = ignorable.union(BLANKS)
        good = "".join(c for c in EVERYTHING if c.isprintable() and c not in unseen)
        self.assertGreater(len(good), 140_000)
        self.assertEqual(shown(good), good)

    def test_joined_emoji_and_joined_scripts_stay(self) -> None:
        for text in ("\U0001f469\u200d\U0001f680", "\u2764\ufe0f", "\u0645\u06cc\u200c\u062e"):
            self.assertEqual(shown(text), text)

    # Promise T67
    def test_what_a_terminal_would_obey_becomes_a_picture_of_it(self) -> None:
        self.assertEqual(shown("\x1b[2J\x07\x7f\r\n"), "\u241b[2J\u2407\u2421\u240d\u240a")
        self.assertEqual(shown("\x9b2J"), "<U+009B>2J")
        self.assertEqual(shown("\ud800\u202e"), "<U+D800><U+202E>")

    def test_line_feeds_are_kept_only_where_they_are_asked_for(self) -> None:
        self.assertEqual(shown("a\nb", lines=True), "a\nb")
        self.assertEqual(shown("a\r\nb", lines=True), "a\u240d\nb")
        self.assertEqual(shown("a\nb"), "a\u240ab")

    def test_showing_twice_changes_nothing_more(self) -> None:
        once = shown("".join(EVERYTHING))
        self.assertEqual(shown(once), once)


PICTURES = [chr(c) for c in (*range(0x2400, 0x2420), 0x2421)]
