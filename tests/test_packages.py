"""What `fast/`, a package of its own, repeats of securecom is the same."""

from __future__ import annotations

import re
import tomllib

from twisted.trial.unittest import SynchronousTestCase

import securecom
from tests.support.processes import ROOT

FAST = ROOT / "fast"


class FastTests(SynchronousTestCase):
    def test_the_extra_asks_for_our_own_version(self) -> None:
        project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
        wanted = [f"securecom-chat-fast=={securecom.__version__}"]
        self.assertEqual(project["optional-dependencies"]["fast"], wanted)

    def test_its_licence_is_ours(self) -> None:
        self.assertEqual((FAST / "LICENSE").read_bytes(), (ROOT / "LICENSE").read_bytes())

    def test_it_asks_for_the_same_python(self) -> None:
        ours, its = (
            tomllib.loads((place / "pyproject.toml").read_text("utf-8"))["project"]
            for place in (ROOT, FAST)
        )
        minimum = ours["requires-python"]
        self.assertEqual(its["requires-python"], minimum)
        (major, minor) = map(int, re.findall(r"\d+", minimum))
        number = re.search(
            r"#define Py_LIMITED_API (\w+)", (FAST / "securecom_fast.c").read_text("utf-8")
        )
        assert number is not None
        self.assertEqual(int(number[1], 16) >> 16, major << 8 | minor)
        self.assertIn(f'"cp{major}{minor}"', (FAST / "setup.py").read_text("utf-8"))
