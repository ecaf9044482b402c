"""Dialogs that need a decision. A word has to be typed, so no stray key decides anything."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial

from rich.text import Text
from textual.app import ComposeResult
from textual.containers import Horizontal, Vertical
from textual.screen import ModalScreen
from textual.widgets import Input, Static

from securecom.client.events import ChatOver, Event
from securecom.client.frontends.fullscreen.rows import pieces
from securecom.client.frontends.qr import Screen, qr_rows
from securecom.client.frontends.words import words
from securecom.client.key_events import KeyFollowed, SafetyCode, SafetyNumber, WordsToCompare
from securecom.safety_number import in_rows
from securecom.text import shown

#: Cells of the digits beside a QR code, with a gap.
_DIGITS = 26
#: Rows and columns that a dialog needs for itself.
_FRAME_COLUMNS, _FRAME_ROWS = 4, 3
#: What stands in front of a key.
_INDENT = " " * 9
#: The six words stand in so many columns, each as wide as the longest word and a gap.
_WORD_COLUMNS, _WORD_WIDTH = 3, 10
#: Characters of what was typed that a refusal repeats.
_REPEATED = 16
#: A lower screen has no room for frames.
_FRAMED_FROM = 20


class WordDialog(ModalScreen[str]):
    """Text, and a line for one of a few words; any other word is refused, Esc closes.

    :param answers: what each word does.
    """

    def __init__(self, answers: Mapping[str, Callable[[], None]]) -> None:
        super().__init__()
        self._answers = answers

    def compose(self) -> ComposeResult:
        with Vertical(classes="dialog"):
            yield from self.body()
            with Horizontal(classes="answer"):
                yield Static(f"{self.asks} > ", classes="asks", markup=False)
                yield Input(id="word", compact=True)
            yield Static("", id="refused", markup=False)

    def body(self) -> ComposeResult:
        """What is to be decided."""
        yield from ()

    @property
    def asks(self) -> str:
        """What to type."""
        return " or ".join(self._answers)

    def on_mount(self) -> None:
        self.set_class(self.app.size.height < _FRAMED_FROM, "small")
        self.query_one(Input).focus()

    def on_input_submitted(self, event: Input.Submitted) -> None:
        event.stop()
        word = event.value.strip().lower()
        act = self._answers.get(word)
        if act is None:
            self.query_one(Input).value = ""
            self.query_one("#refused", Static).update(self._refusal(event.value))
            return
        self.dismiss(word)
        act()

    def _refusal(self, typed: str) -> str:
        """What was typed is no answer, went nowhere, and is taken away: say so, and what is one."""
        what = f"Type {' or '.join(self._answers)}, then Enter. Esc closes."
        typed = shown(typed.strip())
        if not typed:
            return what
        if len(typed) > _REPEATED:
            typed = f"{typed[:_REPEATED]}…"
        return f'"{typed}" was not sent. {what}'


class Comparison(WordDialog):
    """What two people compare in a chat."""

    def heard(self, event: Event) -> None:
        """Take notice of what happens meanwhile."""
        if not self.query("#word"):  # it was opened a moment ago, and is not composed
            self.call_later(self.heard, event)
        elif isinstance(event, WordsToCompare):
            self.changed(event)
        elif isinstance(event, ChatOver):
            self._over()

    def changed(self, shown: WordsToCompare) -> None:
        """The peer did something about the six words."""
        raise NotImplementedError

    def _over(self) -> None:
        """Nothing can be compared now. The dialog stays, so that no key meant for it strays."""
        self._answers = {"close": _nothing}
        self.query_one(".asks", Static).update("close > ")
        what = "The chat is over: there is nothing to compare."
        self.query_one("#refused", Static).update(what)


class Verification(Comparison):
    """The digits and the QR code of a chat, side by side, and whether they match."""

    def __init__(
        self, shown: SafetyNumber | SafetyCode, compared: Callable[[str], None], *, inverted: bool
    ) -> None:
        super().__init__({word: partial(compared, word) for word in ("yes", "no", "words")})
        self._shown, self._inverted = shown, inverted
        number = shown.digits if isinstance(shown, SafetyCode) else shown.number
        self.digits = number.replace(" ", "")

    def body(self) -> ComposeResult:
        """The digits always; the code where there is room for one."""
        title, *_ = words(self._shown)
        size = self.app.size
        digits = Static("\n".join(in_rows(self.digits)), id="digits", markup=False)
        screen = Screen(
            size.width - _DIGITS - _FRAME_COLUMNS,
            size.height - _FRAME_ROWS,
            has_colours=not self.app.no_color,
        )
        code = qr_rows(self.digits, screen, inverted=self._inverted)
        yield Static(Text(title[1], style="bold"), classes="title", markup=False)
        with Horizontal(id="number"):
            yield digits
            if code:
                drawn = Text("\n", no_wrap=True).join(Text.from_ansi(row) for row in code)
                yield Static(drawn, id="code", markup=False)
        yield Static("compare all of it, or type words", id="instead", markup=False)

    def changed(self, shown: WordsToCompare) -> None:
        """The peer would rather compare words."""
        what = f"{shown.name} wants to compare six words: type words"
        self.query_one("#instead", Static).update(what)

    @property
    def asks(self) -> str:
        """What to type."""
        return "same? yes or no"


class SixWords(Comparison):
    """The six words of a chat, from when one has asked for them, and whether they match."""

    def __init__(self, shown: WordsToCompare, compared: Callable[[str], None]) -> None:
        super().__init__({})
        self._compared = compared
        self._take(shown)

    def _take(self, shown: WordsToCompare) -> None:
        self._shown = shown
        words_there = ("yes", "no", "digits") if shown.words else ("digits",)
        self._answers = {word: partial(self._answered, word) for word in words_there}

    def _answered(self, word: str) -> None:
        self._compared("" if word == "digits" else word)

    def changed(self, shown: WordsToCompare) -> None:
        """The peer has asked for them too."""
        self._take(shown)
        self.query_one("#words", Static).update(self._text)
        self.query_one(".asks", Static).update(f"{self.asks} > ")
        self.query_one("#refused", Static).update("")

    def body(self) -> ComposeResult:
        """The words, or whom we wait for."""
        yield Static(self._text, id="words", markup=False)

    @property
    def _text(self) -> Text:
        title, *rest = [text for _, text in words(self._shown)]
        text = Text(title, style="bold" if self._shown.words else "")
        if self._shown.words:
            text.append("\n\n")
            for at in range(0, len(self._shown.words), _WORD_COLUMNS):
                row = self._shown.words[at : at + _WORD_COLUMNS]
                text.append("".join(f"{word:{_WORD_WIDTH}}" for word in row).rstrip() + "\n")
            text.append("\nread all six to each other, by phone or in person")
            rest = rest[1:-1]
        for line in rest:
            text.append(f"\n{line}")
        return text

    @property
    def asks(self) -> str:
        """What to type."""
        return "same? yes or no" if self._shown.words else "digits, or wait"


class KeyChanged(WordDialog):
    """Somebody's key is not the one we know. Both are shown whole."""

    def __init__(
        self, title: str, keys: list[tuple[str, str]], advice: str, **answers: Callable[[], None]
    ) -> None:
        super().__init__(answers)
        self._title, self._keys, self._advice = title, keys, advice

    @classmethod
    def changed(cls, name: str, known: str, received: str, trust: Callable[[], None]) -> KeyChanged:
        """A key that nobody signed."""
        return cls(
            f"STOP: {name}'s key has changed",
            [("known", known), ("received", received)],
            f"Nothing was sent. Call {name}. Type trust only if they read to you the key that was "
            "received.",
            trust=trust,
            no=_nothing,
        )

    @classmethod
    def followed(cls, event: KeyFollowed) -> KeyChanged:
        """A key that the one we knew has signed."""
        title, *_ = words(event)
        return cls(
            title[1],
            [("new", event.fingerprint), ("old", event.former)],
            "The old key signed the new one, so it is most likely theirs. Verify it when you talk.",
            ok=_nothing,
        )

    def body(self) -> ComposeResult:
        """Title, keys, advice."""
        yield Static(Text(self._title, style="bold"), classes="alarm", markup=False)
        room = max(self.app.size.width - _FRAME_COLUMNS - len(_INDENT), 20)
        for what, key in self._keys:
            rows = [piece for piece, _, _ in pieces(key, room)]
            text = f"{what:8} " + f"\n{_INDENT}".join(rows)
            yield Static(text, classes="key", markup=False)
        yield Static(self._advice, classes="advice", markup=False)


def _nothing() -> None:
    """Nothing is done."""


class Secret(ModalScreen[str]):
    """A pass phrase, which is never shown. Enter without one, or Esc, cancels."""

    def __init__(self, question: str) -> None:
        super().__init__()
        self._question = question

    def compose(self) -> ComposeResult:
        with Vertical(classes="dialog"):
            yield Static(self._question, markup=False)
            yield Input(id="secret", password=True, compact=True)
            yield Static("hidden; an empty line cancels", classes="advice", markup=False)

    def on_mount(self) -> None:
        self.query_one(Input).focus()

    def on_input_submitted(self, event: Input.Submitted) -> None:
        event.stop()
        self.dismiss(event.value)
