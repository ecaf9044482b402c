"""What `./dev test` makes of what trial writes."""

from __future__ import annotations

import re
import sys
from importlib import import_module

from twisted.trial.unittest import SynchronousTestCase

from tests import suite
from tests.support.system_case import SystemCase

RULE, LINE = "=" * 79, "-" * 79
NAME = "tests.test_keys.KeysTests.test_one"
SKIPPED = f"""\
{RULE}
[SKIPPED]
there is no such program here

{NAME}
tests.test_keys.KeysTests.test_two
{LINE}
Ran 9 tests in 1.000s

PASSED (skips=2, successes=7)
"""
#: A module with one test that passes and one that is skipped.
MODULE = """\
from twisted.trial.unittest import TestCase

class SomeTests(TestCase):
    def test_good(self):
        pass

    def test_left_out(self):
        pass
    test_left_out.skip = "not today"
"""


class OutcomeTests(SynchronousTestCase):
    def outcome(self, text: str, exit_code: int = 0, **known: str) -> suite.Outcome:
        return suite.outcome("tests", text, exit_code, known)

    def test_all_good(self) -> None:
        found = self.outcome("Ran 7 tests in 1.000s\n\nPASSED (successes=7)\n")
        self.assertTrue(found.good)
        self.assertEqual(found.lines(), ["7 passed, 0 failed, 0 skipped"])

    # Promise R3
    def test_a_skip_that_nobody_expects(self) -> None:
        found = self.outcome(SKIPPED)
        self.assertFalse(found.good)
        self.assertEqual(len(found.problems), 2)
        self.assertIn(f"skipped: {NAME} (there is no such program here)", found.lines())
        self.assertEqual(found.lines()[-1], "7 passed, 2 failed, 2 skipped")

    def test_a_skip_for_a_known_reason(self) -> None:
        names = (NAME, "tests.test_keys.KeysTests.test_two")
        known = dict.fromkeys(names, "there is no such program")
        self.assertTrue(suite.outcome("tests", SKIPPED, 0, known).good)

    def test_a_whole_class_may_be_skipped_for_a_known_reason(self) -> None:
        known = {"tests.test_keys.KeysTests": "there is no such program"}
        self.assertTrue(suite.outcome("tests", SKIPPED, 0, known).good)
        self.assertFalse(suite.outcome("tests", SKIPPED, 0, {"tests.test_keys": "there"}).good)
        other = {"tests.test_keys.KeysTests": "it rains"}
        self.assertEqual(len(suite.outcome("tests", SKIPPED, 0, other).problems), 2)

    def test_a_known_skip_for_another_reason(self) -> None:
        known = {NAME: "there is no such", "tests.test_keys.KeysTests.test_two": "it rains"}
        self.assertEqual(len(suite.outcome("tests", SKIPPED, 0, known).problems), 1)

    def test_a_skip_without_a_name(self) -> None:
        self.assertFalse(self.outcome("PASSED (skips=1, successes=7)\n").good)

    def test_failures_and_errors(self) -> None:
        found = self.outcome("FAILED (failures=1, errors=2, successes=7)\n", 1)
        self.assertEqual((found.passed, found.failed, found.good), (7, 3, False))

    # Promise R4
    def test_no_result(self) -> None:
        self.assertFalse(self.outcome("Running 9 tests.\n").good)
        self.assertFalse(self.outcome("PASSED (successes=7)\n", -9).good)
        self.assertFalse(self.outcome("Ran 0 tests in 0.000s\n\nPASSED\n").good)

    def test_two_runs_together(self) -> None:
        found = self.outcome("PASSED (successes=7)\n")
        found += self.outcome("FAILED (failures=1, successes=2)\n", 1)
        self.assertEqual(found.lines()[-1], "9 passed, 1 failed, 0 skipped")
        self.assertFalse(found.good)

    def test_every_known_skip_is_the_name_of_a_test_or_a_class(self) -> None:
        for name in suite.KNOWN_SKIPS:
            found = re.match(r"(?:\w+\.)*?test_\w+", name)
            assert found is not None, name
            case, *test = name[found.end() + 1 :].split(".")
            named = getattr(import_module(found[0]), case)
            self.assertTrue(all(hasattr(named, one) for one in test), name)

    def test_every_module_runs_and_the_longest_begins(self) -> None:
        modules = suite.system_modules()
        self.assertEqual(modules[0], suite.LONGEST)
        files = {path.stem for path in (suite.ROOT / "tests").glob("test_*.py")}
        self.assertEqual(sorted(modules), sorted(f"tests.{name}" for name in files))

    def test_a_minimal_system_without_tmux_is_foreseen(self) -> None:
        """Whatever is tested at a terminal now: its class is known, or the test by its name."""
        for module in ("tests.test_editor", "tests.test_fullscreen"):
            __import__(module)
            cases = [name for name in vars(sys.modules[module]) if name.endswith("Tests")]
            self.assertTrue(cases)
            for name in cases:
                self.assertIn(f"{module}.{name}", suite.KNOWN_SKIPS)


class RunTests(SystemCase):
    """Trial itself, as it is installed."""

    async def prepare(self) -> None:
        """Nobody lives here."""

    # Promise R3
    async def test_trial_in_parallel(self) -> None:
        (self.home / "test_some.py").write_text(MODULE)
        argv = (sys.executable, "-m", "twisted.trial", "--jobs=2", "test_some")
        done = await self.finished(*argv, folder=self.home)
        name = "test_some.SomeTests.test_left_out"
        found = suite.outcome("some", done.output, done.exit_code or 0, {name: "not today"})
        expected = [f"skipped: {name} (not today)", "1 passed, 0 failed, 1 skipped"]
        self.assertEqual(found.lines(), expected)
        self.assertTrue(found.good, found)
        self.assertFalse(suite.outcome("some", done.output, 0, {}).good)
