"""Calling a person who is not looking: bell, title, notification; and what must not be in them."""

from __future__ import annotations

from twisted.internet.task import Clock
from twisted.internet.testing import StringTransport
from twisted.trial.unittest import SynchronousTestCase

from securecom import limits
from securecom.client.events import Asked, Delivered, Event, Message, Missed
from securecom.client.frontends.attention import Attention, Means
from securecom.client.frontends.lines import Lines
from securecom.client.frontends.plain import Plain
from securecom.client.terms import Choices, Notify
from securecom.tests.support.hostile_text import HOSTILE
from securecom.tests.support.scripted_core import ScriptedCore

ASKED = Asked("bob", "met", "SHA256:x", 45)
MESSAGE = Message("bob", "the secret plan")
ONLY_BELL = Means(titles=False, osc=None, inside=None)
FULL = Means(titles=True, osc=9, inside=None)


class AttentionCase(SynchronousTestCase):
    means = ONLY_BELL

    def setUp(self) -> None:
        self.clock = Clock()
        self.choices = Choices()
        self.written: list[str] = []
        self.desktop: list[str] = []
        self.attention = Attention(
            self.written.append,
            self.means,
            lambda: self.choices,
            self.clock.seconds,
            self.desktop.append,
        )

    def choose(self, notify: Notify, names: bool = False) -> None:
        self.choices = Choices(notify=notify, notify_names=names)

    def hear(self, *events: Event) -> str:
        """What these cause to be written."""
        self.written.clear()
        for event in events:
            self.attention.heard(event)
        return "".join(self.written)

    def go_away(self) -> None:
        """The person has not typed for a while."""
        self.clock.advance(limits.LOOKING)


class BellTests(AttentionCase):
    def test_a_request_rings_whoever_looks(self) -> None:
        self.assertEqual(self.hear(ASKED), "\a")
        self.attention.looked(True)
        self.assertEqual(self.hear(ASKED), "\a")

    def test_the_first_message_rings_if_nothing_was_typed_lately(self) -> None:
        self.assertEqual(self.hear(MESSAGE), "")
        self.go_away()
        self.assertEqual(self.hear(MESSAGE, MESSAGE, MESSAGE), "\a")
        self.attention.looked()
        self.go_away()
        self.assertEqual(self.hear(MESSAGE), "\a")

    def test_a_terminal_that_reports_its_focus_is_believed(self) -> None:
        self.attention.looked(False)
        self.assertEqual(self.hear(MESSAGE, MESSAGE), "\a")
        self.attention.looked(True)
        self.go_away()
        self.assertEqual(self.hear(MESSAGE), "")

    def test_nothing_else_rings(self) -> None:
        self.go_away()
        self.assertEqual(self.hear(Delivered("bob", 1), Missed([])), "")

    # Promise C110
    def test_off_is_silent(self) -> None:
        self.choose("off")
        self.go_away()
        self.assertEqual((self.hear(ASKED, MESSAGE), self.desktop), ("", []))

    # Promise T210
    def test_a_peer_cannot_make_it_ring_without_end(self) -> None:
        self.assertEqual(self.hear(*[ASKED] * 1000), "\a" * limits.RINGS)
        self.clock.advance(limits.RING_WINDOW - 1)
        self.assertEqual(self.hear(ASKED), "")
        self.clock.advance(1)
        self.assertEqual(self.hear(ASKED), "\a")


class NotificationTests(AttentionCase):
    means = FULL

    def notified(self, event: Event) -> str:
        """The notification, without bell and title."""
        self.hear(event)
        return next((text for text in self.written if text.startswith(("\033]9", "\033P"))), "")

    # Promise T211
    def test_never_a_word_of_what_was_said(self) -> None:
        choices: list[Notify] = ["bell", "terminal", "desktop"]
        for notify in choices:
            for names in (False, True):
                self.choose(notify, names)
                self.attention.looked(False)
                self.attention.looked()
                self.attention.looked(False)
                told = self.hear(MESSAGE) + "".join(self.desktop)
                self.assertIn("\a", told)
                for word in MESSAGE.text.split():
                    self.assertNotIn(word, told)
                self.clock.advance(limits.RING_WINDOW)

    # Promise C110
    def test_a_name_only_by_choice(self) -> None:
        self.attention.looked(False)
        self.choose("terminal")
        self.assertEqual(self.notified(ASKED), "\033]9;somebody asks to chat\a")
        self.assertEqual(self.notified(MESSAGE), "\033]9;a message came\a")
        self.attention.looked()
        self.attention.looked(False)
        self.choose("terminal", names=True)
        self.assertEqual(self.notified(ASKED), "\033]9;bob asks to chat\a")
        self.assertEqual(self.notified(MESSAGE), "\033]9;bob wrote\a")

    def test_the_desktop_instead(self) -> None:
        self.choose("desktop")
        self.assertEqual((self.notified(ASKED), self.desktop), ("", ["somebody asks to chat"]))

    # Promise T67
    def test_a_name_is_nothing_that_a_terminal_obeys(self) -> None:
        self.choose("terminal", names=True)
        told = self.notified(Asked(HOSTILE + "\033\\;\a", "new", "SHA256:x", 45))
        body = told.removeprefix("\033]9;").removesuffix("\a")
        self.assertTrue(body.isprintable(), body)
        self.assertNotIn(";", body)

    def test_only_the_bell_by_default(self) -> None:
        self.assertEqual((self.notified(ASKED), self.desktop), ("", []))


class TitleTests(AttentionCase):
    means = FULL

    def test_it_counts_what_was_not_seen_and_is_put_back(self) -> None:
        self.attention.looked(False)
        first = self.hear(ASKED)
        self.assertIn("\033[22;2t\033]2;(1) securecom\033\\", first)
        self.assertEqual(self.hear(MESSAGE), "\033]2;(2) securecom\033\\\a")
        self.written.clear()
        self.attention.looked(True)
        self.assertEqual(self.written, ["\033]2;securecom\033\\\033[23;2t"])
        self.written.clear()
        self.attention.looked()
        self.attention.close()
        self.assertEqual(self.written, [])

    def test_it_is_put_back_at_the_end_too(self) -> None:
        self.attention.looked(False)
        self.hear(MESSAGE)
        self.written.clear()
        self.attention.close()
        self.assertEqual(self.written, ["\033]2;securecom\033\\\033[23;2t"])

    def test_it_ends_counting_somewhere(self) -> None:
        self.attention.looked(False)
        self.hear(*[MESSAGE] * 1000)
        self.assertIn(f"({limits.MAX_UNSEEN}) ", self.written[-1])

    def test_off_leaves_it_alone(self) -> None:
        self.choose("off")
        self.attention.looked(False)
        self.assertEqual(self.hear(ASKED), "")


class MeansTests(SynchronousTestCase):
    def test_what_a_terminal_can_do(self) -> None:
        for term, variables, titles, osc in (
            ("xterm-256color", {}, True, 9),
            ("xterm-kitty", {}, True, 9),
            ("rxvt-unicode-256color", {}, True, 777),
            ("foot", {}, True, 777),
            ("xterm-256color", {"VTE_VERSION": "7200"}, True, 777),
            ("linux", {}, False, None),
            ("vt100", {}, False, None),
        ):
            means = Means.of({"TERM": term, **variables})
            self.assertEqual((means.titles, means.osc, means.inside), (titles, osc, None), term)

    def test_a_multiplexer_gets_it_wrapped(self) -> None:
        tmux = Means.of({"TERM": "tmux-256color", "TMUX": "/tmp/x"})
        self.assertEqual(tmux.notification("hi"), "\033Ptmux;\033\033]9;hi\a\033\\")
        screen = Means.of({"TERM": "screen", "STY": "1.x"})
        self.assertEqual(screen.notification("hi"), "\033P\033]9;hi\a\033\\")

    def test_rxvt_takes_a_title_and_a_text(self) -> None:
        means = Means.of({"TERM": "rxvt"})
        self.assertEqual(means.notification("hi"), "\033]777;notify;securecom;hi\a")

    def test_none_where_it_would_be_shown_as_text(self) -> None:
        self.assertEqual(Means.of({"TERM": "linux"}).notification("hi"), "")


class LinesTests(SynchronousTestCase):
    """The lines front-end on a terminal."""

    def setUp(self) -> None:
        self.clock = Clock()
        self.lines = Lines(Plain(lambda: "08:05"), self.clock, lambda: None, patient=False)
        self.lines.attention = Attention(
            self.lines.control, FULL, self.lines.choices, self.clock.seconds
        )
        self.transport = StringTransport()
        self.lines.makeConnection(self.transport)
        self.lines.begin(ScriptedCore(), None)

    def test_it_rings_behind_the_line_and_a_typed_line_is_a_look(self) -> None:
        self.lines.show(ASKED)
        told = self.transport.value().decode()
        self.assertTrue(told.endswith("\a"), told)
        self.assertIn("(1) securecom", told)
        self.transport.clear()
        self.lines.dataReceived(b"\n")
        self.assertEqual(self.transport.value(), b"\033]2;securecom\033\\\033[23;2t")

    def test_the_title_is_put_back_before_the_output_closes(self) -> None:
        self.lines.show(ASKED)
        self.transport.clear()
        self.lines.close()
        self.assertTrue(self.transport.value().endswith(b"\033[23;2t"))

    def test_a_reader_that_is_slow_gets_no_bells_into_memory(self) -> None:
        output = self.lines._output
        output.pauseProducing()
        for _ in range(limits.MAX_UNSHOWN + 10):
            self.lines.control("\a")
        self.assertLessEqual(output._size, limits.MAX_UNSHOWN)
