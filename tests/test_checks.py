"""What `./dev check` finds in tests that break a rule."""

from __future__ import annotations

from pathlib import Path

from twisted.trial.unittest import SynchronousTestCase

from checks import tests


class TestRulesCase(SynchronousTestCase):
    def setUp(self) -> None:
        self.folder = Path(self.mktemp())
        self.folder.mkdir()

    def write(self, name: str, text: str = "") -> None:
        (self.folder / name).write_text(text, "utf-8")


class ImportTests(TestRulesCase):
    def test_a_test_that_imports_another_test_is_found(self) -> None:
        self.write("test_one.py", "def late():\n    from securecom.tests import test_two\n")
        self.write("test_two.py", "from securecom.tests.test_one import late\n")
        found = list(tests.imports_of_tests(self.folder))
        self.assertEqual(len(found), 2, found)
        self.assertIn("test_one.py imports securecom.tests.test_two;", found[0])
        self.assertIn("test_two.py imports securecom.tests.test_one;", found[1])

    def test_support_is_there_to_be_imported(self) -> None:
        self.write("test_one.py", "from securecom.tests.support.network import Network\n")
        self.assertEqual(list(tests.imports_of_tests(self.folder)), [])
