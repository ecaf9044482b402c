"""The terminal that tests use: it stays when its windows close, and says what it refuses."""

from __future__ import annotations

from pathlib import Path

from twisted.trial.unittest import FailTest, TestCase

from tests.support.tmux import Tmux


class TmuxTests(TestCase):
    def setUp(self) -> None:
        self.tmux = Tmux(Path(self.mktemp()))
        self.addCleanup(self.tmux.close)

    def server(self) -> str:
        return self.tmux.do("display-message", "-p", "#{pid}")

    def test_the_server_stays_when_its_last_window_closes(self) -> None:
        self.tmux.window().close()
        before = self.server()
        self.tmux.window()
        self.assertEqual(self.server(), before)

    def test_what_tmux_refuses_fails_the_test(self) -> None:
        window = self.tmux.window()
        window.close()
        refusal = self.assertRaises(FailTest, window.key, "Enter")
        self.assertRegex(str(refusal), "^tmux send-keys: .")
