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
        path = self.folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, "utf-8")


class ImportTests(TestRulesCase):
    def test_a_test_that_imports_another_test_is_found(self) -> None:
        self.write("test_one.py", "def late():\n    from securecom.tests import test_two\n")
        self.write("test_two.py", "from securecom.tests.test_one import late\n")
        found = list(tests.imports_of_tests(self.folder))
        self.assertIn("test_one.py imports securecom.tests.test_two;", found[0])
        self.assertIn("test_two.py imports securecom.tests.test_one;", found[1])

    def test_support_is_there_to_be_imported(self) -> None:
        self.write("test_one.py", "from securecom.tests.support.network import Network\n")
        self.assertEqual(list(tests.imports_of_tests(self.folder)), [])


class ForbiddenTests(TestRulesCase):
    def check_found(self, text: str, *expected: str) -> None:
        self.write("test_one.py", text)
        found = list(tests.forbidden_uses(self.folder, ()))
        self.assertEqual([fault.split(";")[0] for fault in found], list(expected), text)

    def test_what_leaves_memory_is_found(self) -> None:
        for module in ("socket", "threading", "subprocess", "asyncio", "multiprocessing"):
            self.check_found(f"import {module}\n", f"test_one.py uses {module}")
        self.check_found("from time import sleep\n", "test_one.py uses time.sleep")
        self.check_found("import time\ntime.sleep(1)\n", "test_one.py uses time.sleep")
        self.check_found("import time\nnow = time.time\n", "test_one.py uses time.time")
        self.check_found("reactor.run()\n", "test_one.py uses reactor.run")
        self.check_found("deferToThread(print)\n", "test_one.py uses deferToThread")

    def test_a_double_is_not(self) -> None:
        self.check_found("reactor.callFromThread = called.append\n")

    def test_an_exception_holds_for_one_file_and_one_use(self) -> None:
        allowed = [("test_one.py", "socket")]
        self.write("test_one.py", "import socket\n")
        self.assertEqual(list(tests.forbidden_uses(self.folder, allowed)), [])
        self.write("test_two.py", "import socket\n")
        [fault] = tests.forbidden_uses(self.folder, allowed)
        self.assertIn("test_two.py uses socket", fault)

    def test_an_exception_that_nothing_needs_is_found(self) -> None:
        [fault] = tests.forbidden_uses(self.folder, [("test_one.py", "socket")])
        self.assertIn("remove it from ALLOWED", fault)


class NameTests(TestRulesCase):
    def setUp(self) -> None:
        super().setUp()
        for name in ("text.py", "client/service.py", "server/service.py", "__init__.py"):
            self.write(name)

    def missing(self, **elsewhere: tuple[str, str]) -> list[str]:
        return list(tests.missing_tests(self.folder, {f"{k}.py": v for k, v in elsewhere.items()}))

    def test_a_module_without_tests_is_found(self) -> None:
        self.write("tests/test_client_service.py")
        self.write("tests/test_service.py")
        found = [fault.split(";")[0] for fault in self.missing()]
        self.assertEqual(
            found,
            ["server/service.py has no test_server_service*.py", "text.py has no test_text*.py"],
        )

    def test_tests_may_have_a_subject_in_their_name(self) -> None:
        for name in ("client_service", "server_service_stops", "text_shown"):
            self.write(f"tests/test_{name}.py")
        self.assertEqual(self.missing(), [])

    def test_tests_of_a_longer_name_are_no_tests_of_a_shorter_one(self) -> None:
        self.write("text_shown.py")
        for name in ("client_service", "server_service", "text_shown"):
            self.write(f"tests/test_{name}.py")
        [fault] = self.missing()
        self.assertIn("text.py has no test_text*.py", fault)

    def test_a_listed_module_needs_none_as_long_as_its_file_exists(self) -> None:
        for name in ("client_service", "server_service"):
            self.write(f"tests/test_{name}.py")
        self.assertEqual(self.missing(text=("test_server_service", "a reason")), [])
        [fault] = self.missing(text=("test_gone", "a reason"))
        self.assertIn("test_gone.py, which does not exist", fault)
        self.write("tests/test_text.py")
        [fault] = self.missing(text=("test_server_service", "a reason"))
        self.assertIn("text.py needs no entry", fault)
