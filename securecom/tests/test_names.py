"""Names of received files: whatever a peer sends, a file of the folder comes of it, and no more."""

from __future__ import annotations

from random import Random

from twisted.trial.unittest import SynchronousTestCase

from securecom import limits
from securecom.client.files.names import NAMELESS, numbered, safe_name
from securecom.tests.support.hostile_text import HOSTILE
from securecom.text import is_mark, shown

#: Marks that show nothing, each in a range of its own.
INVISIBLE = ("\u034f", "\u180b", "\ufe00", "\ufe0e", "\ufe0f", "\U000e0100")


class SafeNameTests(SynchronousTestCase):
    # Promise T231
    def test_what_becomes_of_names(self) -> None:
        for told, safe in {
            "plan.pdf": "plan.pdf",
            "/etc/passwd": "passwd",
            "../../.ssh/authorized_keys": "authorized_keys",
            "..\\..\\boot.ini": "boot.ini",
            "..": NAMELESS,
            ".": NAMELESS,
            "a/": NAMELESS,
            "": NAMELESS,
            " ": NAMELESS,
            "_": NAMELESS,
            ".bashrc": "bashrc",
            "...hidden": "hidden",
            "-rf": "rf",
            "--output=x": "output=x",
            "~root": "root",
            "a\x1b[2Jb": "a_[2Jb",
            "line\nfeed.txt": "line feed.txt",
            "evil\u202egpj.exe": "evil_gpj.exe",
            "zero\u200bwidth": "zero_width",
            "C:autoexec.bat": "C_autoexec.bat",
            'a<b>c:d"e|f?g*h': "a_b_c_d_e_f_g_h",
            "CON": "_CON",
            "nul.txt": "_nul.txt",
            "com1.tar.gz": "_com1.tar.gz",
            "trailing. ": "trailing",
            "  two   blanks  ": "two blanks",
            "\u00e4\u00f6\u00fc \u4e2d\u6587.txt": "\u00e4\u00f6\u00fc \u4e2d\u6587.txt",
            "A\u0308.txt": "\u00c4.txt",
            "lone\ud800.txt": "lone_.txt",
            "plan\u034f.pdf": "plan_.pdf",
            "plan\ufe01.pdf": "plan_.pdf",
            "plan\ufe0f.pdf": "plan_.pdf",
            "plan\U000e0101.pdf": "plan_.pdf",
            "\u0301\u0301": NAMELESS,
            "\u0301.\u0308-bashrc": "bashrc",
            "x\u0323\u0301.txt": "x\u0323\u0301.txt",
        }.items():
            self.assertEqual(safe_name(told), safe, told.encode("unicode_escape"))

    def test_long_names_keep_their_suffix(self) -> None:
        name = safe_name("\u4e2d" * 300 + ".tar.gz")
        self.assertLessEqual(len(name.encode()), limits.MAX_SAVED_NAME)
        self.assertTrue(name.endswith("\u4e2d.tar.gz"))
        self.assertLessEqual(len(safe_name("." + "x" * 300).encode()), limits.MAX_SAVED_NAME)

    def test_whatever_comes_is_one_safe_name(self) -> None:
        random = Random(5)
        parts = [
            *HOSTILE,
            "/",
            "..",
            "\\",
            ".",
            "-",
            " ",
            "a",
            "~",
            "CON",
            "\u0301",
            "\x00",
            *INVISIBLE,
        ]
        for _ in range(3000):
            name = safe_name("".join(random.choices(parts, k=random.randint(0, 6))))
            self.assertEqual(shown(name), name)
            self.assertTrue(name)
            self.assertFalse(set("/\\\0") & set(name))
            self.assertNotIn(name[0], ".-~ ")
            self.assertFalse(is_mark(name[0]) or any(c in INVISIBLE for c in name), ascii(name))
            self.assertNotIn(name[-1], ". ")
            self.assertLessEqual(len(name.encode()), limits.MAX_SAVED_NAME)
            self.assertEqual(safe_name(name), name)

    def test_numbered(self) -> None:
        self.assertEqual(numbered("plan.pdf", 0), "plan.pdf")
        self.assertEqual(numbered("plan.pdf", 2), "plan (2).pdf")
        self.assertEqual(numbered("a.tar.gz", 1), "a (1).tar.gz")
        self.assertEqual(numbered("plain", 3), "plain (3)")
        longest = safe_name("x" * 300 + ".tar.gz")
        most = numbered(longest, limits.MAX_SAME_NAMES)
        self.assertLessEqual(len(most.encode()), limits.MAX_FILE_NAME)
