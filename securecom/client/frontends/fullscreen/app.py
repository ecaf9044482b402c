"""The application: its screen, its keys, and where each event is shown.

Nothing of the client is decided here. What is typed becomes an order by the table that the other
front-ends use, and what happens becomes lines by their words.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from functools import partial
from typing import Any, ClassVar

from textual import events
from textual.app import ComposeResult
from textual.binding import Binding
from textual.containers import Horizontal
from textual.screen import ModalScreen, Screen
from textual.widgets import Static
from twisted.logger import Logger
from twisted.python.failure import Failure

from securecom import limits
from securecom.client import events as e
from securecom.client import file_events, key_events
from securecom.client.api import ClientState
from securecom.client.events import Event, problem
from securecom.client.frontends import commands
from securecom.client.frontends.fullscreen.bars import (
    Question,
    QuestionBar,
    RequestBar,
    StatusBar,
    TopBar,
)
from securecom.client.frontends.fullscreen.composer import Composer
from securecom.client.frontends.fullscreen.conversations import (
    HOME,
    Conversation,
    Entry,
    Kind,
    Progress,
)
from securecom.client.frontends.fullscreen.dialogs import (
    Comparison,
    KeyChanged,
    Secret,
    SixWords,
    Verification,
)
from securecom.client.frontends.fullscreen.files_pane import FilesPane
from securecom.client.frontends.fullscreen.garbage import GarbageCollection
from securecom.client.frontends.fullscreen.help_screen import HelpScreen
from securecom.client.frontends.fullscreen.keys_in_order import KeysInOrder
from securecom.client.frontends.fullscreen.people import People
from securecom.client.frontends.fullscreen.scrollback import Scrollback
from securecom.client.frontends.fullscreen.search_bar import SearchBar
from securecom.client.frontends.fullscreen.settings_screen import SettingsScreen
from securecom.client.frontends.fullscreen.situation import Situation
from securecom.client.frontends.marks import FRAME, SERVER
from securecom.client.frontends.orders import Order
from securecom.client.frontends.plain import Typed, order
from securecom.client.frontends.tab_completion import complete
from securecom.client.frontends.words import words
from securecom.errors import NotNow, PeerKeyChanged, SecurecomError
from securecom.identity import Name
from securecom.text import shown

_log = Logger()
#: A narrower screen shows people only when asked to.
_PEOPLE_FROM = 60
_WIDE_PEOPLE = 120

#: Events of one chat: they are shown in its conversation alone.
_OF_THE_CHAT = (
    e.Message,
    e.Said,
    e.ChatLogState,
    e.TimeLeft,
    file_events.FileOffered,
    file_events.FileOver,
)
#: Events that bars, marks and lists show.
_IN_BARS = (e.Delivered, file_events.FileProgress, e.PeopleNow, e.PeerTyping)
#: Events that change nothing but a conversation.
_LINES = (e.Message, e.Said, e.Delivered)
#: Events that begin a conversation with somebody.
_BEGINNINGS = (e.Asking, e.ChatOpening, e.ChatStarted, e.Message)


class ChatApp(KeysInOrder[None]):
    """The full screen.

    :param situation: what is so now.
    :param wall: Unix seconds.
    :param take: carries an order out.
    :param leave: ends the program.
    :param moved: called when events were drawn, or could not be.
    """

    CSS_PATH = "fullscreen.tcss"
    ENABLE_COMMAND_PALETTE = False
    TITLE = "securecom"
    BINDINGS: ClassVar = [
        Binding("alt+y,f8", "accept", priority=True),
        Binding("alt+n,f9", "refuse", priority=True),
        Binding("alt+c", "show_chat", priority=True),
        Binding("alt+a", "show_unread", priority=True),
        Binding("alt+up,ctrl+up", "neighbour(-1)", priority=True),
        Binding("alt+down,ctrl+down", "neighbour(1)", priority=True),
        Binding("f1", "help", priority=True),
        Binding("f2", "people", priority=True),
        Binding("f3,ctrl+f", "search", priority=True),
        Binding("f4", "files", priority=True),
        Binding("f5", "settings", priority=True),
        Binding("f6", "verify", priority=True),
        Binding("pageup", "page(1)", priority=True),
        Binding("pagedown", "page(-1)", priority=True),
        Binding("ctrl+home", "oldest", priority=True),
        Binding("ctrl+end", "newest", priority=True),
        Binding("ctrl+c", "clear", priority=True),
        Binding("ctrl+l", "redraw", priority=True),
        Binding("ctrl+z", "suspend_process", priority=True),
        Binding("escape", "escape", priority=True),
    ]

    def __init__(
        self,
        situation: Situation,
        wall: Callable[[], float],
        take: Callable[[Order], None],
        leave: Callable[[], None],
        moved: Callable[[], None],
    ) -> None:
        # The terminal's own colours. Said here, so that NO_COLOR finds the right filter.
        super().__init__(ansi_color=True)
        self.situation = situation
        self._wall, self._take, self._leave, self._moved = wall, take, leave, moved
        self.conversations = {HOME: Conversation(HOME)}
        self.viewed = HOME
        #: What is not drawn yet, with the time at which it came.
        self.undrawn: deque[tuple[float, Event]] = deque()
        #: The class of an error that ended the application.
        self.fault: str | None = None
        self.garbage = GarbageCollection()
        #: Called when the user types, and when the terminal gets or loses the focus.
        self.looked: Callable[[bool | None], None] = lambda focus: None
        self._typed = Typed()
        self._is_due = False
        self.garbage.busy()
        self._drawn_at = 0.0
        self._has_focus = True
        self._wants_people: bool | None = None
        #: What was typed when a question was asked, or a note about it shown.
        self._text_then = ""

    # --- the screen -------------------------------------------------------------------------

    def compose(self) -> ComposeResult:
        yield TopBar(self.situation)
        with Horizontal(id="body"):
            yield People()
            yield Scrollback(self.conversations[HOME], "scrollback")
        yield FilesPane()
        yield SearchBar()
        yield RequestBar(self.situation)
        yield StatusBar(self.situation)
        yield QuestionBar()
        with Horizontal(id="line"):
            yield Static(">", id="prompt", markup=False)
            yield Composer(self._entered, self._complete, self.action_leave)

    def on_mount(self) -> None:
        self.theme = "ansi-dark"
        self.scrollback = self.query_one(Scrollback)
        self.composer = self.query_one(Composer)
        self.status = self.query_one(StatusBar)
        self.files = self.query_one(FilesPane)
        self.composer.focus()
        self.set_interval(1, self.tick)
        self.set_interval(1, self.garbage.tick)
        self._arrange(self.size.width)
        self.tick()
        self.wake()

    def on_resize(self, event: events.Resize) -> None:
        self._arrange(event.size.width)

    def _arrange(self, width: int) -> None:
        wants = width >= _PEOPLE_FROM if self._wants_people is None else self._wants_people
        people = self._main.query_one(People)
        people.display = wants
        people.styles.width = 28 if width >= _WIDE_PEOPLE else 20

    def tick(self) -> None:
        """A second has passed, or something has changed: draw the bars again."""
        if not self.is_running:
            return
        main = self._main
        unread = {name: one.unread for name, one in self.conversations.items() if one.unread}
        people = main.query_one(People)
        others = [name for name in self.conversations if name]
        people.update(self.situation.people(others), unread, self.viewed)
        self.status.below, self.status.viewed = self.scrollback.below, self.viewed
        main.query_one(TopBar).update()
        main.query_one(RequestBar).update()
        self.status.update()

    @property
    def _main(self) -> Screen[Any]:
        """The screen below all dialogs."""
        return self.screen_stack[0]

    def _handle_exception(self, error: Exception) -> None:
        """A mistake of ours ends it. Textual would print what its variables held."""
        if self.is_headless:  # a test is told
            super()._handle_exception(error)
            return
        self.fault = type(error).__name__
        _log.failure("the screen broke", Failure(error))
        self.exit(return_code=1)

    def control(self, text: str) -> None:
        """Write control characters that move nothing on the screen, such as the bell."""
        if self._driver is not None:
            self._driver.write(text)

    # --- events -----------------------------------------------------------------------------

    def wake(self) -> None:
        """There is something to draw."""
        if not self._is_due and self.is_running:
            self._is_due = True
            self.call_later(self._drain)

    def _drain(self) -> None:
        since = self.situation.seconds() - self._drawn_at
        if 0 <= since < limits.REDRAW:
            self.set_timer(limits.REDRAW - since, self._draw)
        else:
            self._draw()

    def _draw(self) -> None:
        self._is_due = False
        self.garbage.busy()
        self._drawn_at = self.situation.seconds()
        changed = has_news = False
        while self.undrawn:
            at, event = self.undrawn.popleft()
            self.situation.heard(event)
            changed |= self._shown(at, event)
            has_news |= not isinstance(event, _LINES) or event.name != self.viewed
        if changed:
            self.scrollback.grown()
        if has_news or not self._has_focus or not self.scrollback.is_at_end:
            self.tick()
        self._moved()

    def _shown(self, at: float, event: Event) -> bool:
        """Put an event where it belongs; True if that is on the screen."""
        self.files.heard(event)
        if isinstance(event, e.Delivered):
            self._progress(event.name, event.number, "delivered")
        if isinstance(event, _IN_BARS):
            return False
        if isinstance(event, e.ChatStarted):
            self.conversation(event.name).chat_begins()
        if isinstance(event, e.ChatOver):
            for number in event.undelivered:
                self._progress(event.name, number, "failed")
        places = self._places(event)
        for place in places:
            self._add(place, at, event)
        if isinstance(event, (e.ChatOpening, e.ChatStarted)):
            self._chat_begins(event.name)
        if isinstance(event, key_events.KeyFollowed):
            self.push_screen(KeyChanged.followed(event))
        if isinstance(self.screen, Comparison):
            self.screen.heard(event)
        return any(place.name == self.viewed for place in places)

    def _progress(self, name: str, number: int, progress: Progress) -> None:
        conversation = self.conversations.get(name)
        if conversation is not None and conversation.advance(number, progress):
            self.scrollback.progressed()

    def _places(self, event: Event) -> list[Conversation]:
        """The conversations that show an event."""
        name = getattr(event, "name", None) or self.situation.peer
        if isinstance(event, _OF_THE_CHAT):
            return [self.conversation(name)]
        names = {HOME, self.viewed}
        if isinstance(event, _BEGINNINGS) or name in self.conversations:
            names.add(name)
        return [self.conversation(name) for name in names]

    def conversation(self, name: str) -> Conversation:
        """The conversation with somebody, which begins now if there is none."""
        if name not in self.conversations:
            self.conversations[name] = Conversation(name)
        return self.conversations[name]

    def _add(self, place: Conversation, at: float, event: Event) -> None:
        seen = place.name == self.viewed and self._has_focus and self.scrollback.is_at_end
        if isinstance(event, e.Message):
            place.add(Entry(at, Kind.PEER, event.text, event.name), seen=seen)
            return
        if isinstance(event, e.Said):
            progress: Progress = "held" if event.held else "sent"
            place.add(Entry(at, Kind.MINE, event.text, "", progress), event.number)
            place.divider = None
            return
        kinds = {FRAME: Kind.FRAME, SERVER: Kind.SERVER}
        lines = words(event)
        if isinstance(event, e.Asked):  # the bar says the rest, while it matters
            lines = lines[:1]
        for mark, text in lines:
            kind = Kind.PROBLEM if isinstance(event, e.Problem) else kinds.get(mark, Kind.FACT)
            place.add(Entry(at, kind, text))

    def _chat_begins(self, name: str) -> None:
        """Show the chat, unless something is half typed elsewhere: that must not go there."""
        if self.viewed != name and not self.composer.text:
            self.view(name)

    # --- answers to what was typed ----------------------------------------------------------

    def answered(self, done: Order, result: object, error: SecurecomError | None) -> None:
        """An order was carried out, or was not."""
        if error is not None:
            self._failed(done, error)
        elif isinstance(result, e.ScreenCleared):
            self.conversations[self.viewed].clear()
            self.scrollback.redrawn()
        elif isinstance(result, (key_events.SafetyNumber, key_events.SafetyCode)):
            inverted = str(done.argument or "").endswith("invert")
            self.push_screen(Verification(result, self._compared, inverted=inverted))
        elif isinstance(result, key_events.WordsToCompare):
            self.push_screen(SixWords(result, self._compared))
        elif isinstance(result, Event):
            self.situation.heard(result)
            self.note(result)
        self.tick()

    def note(self, event: Event) -> None:
        """Show something in the conversation that is on the screen."""
        self._add(self.conversations[self.viewed], self._wall(), event)
        self.scrollback.grown()
        self.scrollback.to_end()

    def complain(self, error: SecurecomError) -> None:
        """Show why something was not done."""
        self.note(problem(error))

    def _failed(self, done: Order, error: SecurecomError) -> None:
        if done.command.asks:
            self._typed.asked_in_vain()
        self.complain(error)
        if done.command is commands.SAY and not self.composer.text:
            self.composer.replace_text(str(done.argument))
        if isinstance(error, PeerKeyChanged) and self.situation.api is not None:
            for command, argument in error.suggested:
                if command == commands.TRUST.word:
                    self._key_changed(*argument.split())

    def _key_changed(self, name: str, received: str) -> None:
        """Show both keys; only the word "trust" accepts the new one."""
        assert self.situation.api is not None  # noqa: S101 - there was an order
        known = self.situation.api.keys.whois(Name(name)).fingerprint or "none"
        accept = partial(self._carry_out, f"/{commands.TRUST.word} {name} {received}")
        self.push_screen(KeyChanged.changed(name, known, received, accept))

    def _compared(self, word: str) -> None:
        self._carry_out(f"/verify {word}")

    # --- what is typed ----------------------------------------------------------------------

    def _entered(self) -> None:
        question = self._main.query_one(QuestionBar)
        if question.question is not None and "enter" in question.question.keys:
            asked = question.question
            question.ask(None)
            asked.yes()
            return
        self._read(self.composer.text)

    def _complete(self) -> None:
        """Finish the last word before the cursor, or show how it may go on."""
        before = self.composer.before_cursor
        found = complete(before, self.situation.api)
        if found.text != before:
            self.composer.replace_before_cursor(found.text)
        elif found.candidates:
            self._text_then = self.composer.text
            self.status.note = shown("  ".join(one.text for one in found.candidates))
            self.status.update()

    def on_text_area_changed(self) -> None:
        """Whoever goes on typing has answered no."""
        self.looked(None)
        self.garbage.busy()
        if self.composer.text != self._text_then:
            self.status.note = ""
            self._main.query_one(QuestionBar).ask(None)
        now, draft = self.situation, self._main.query_one(Composer).text
        is_message = bool(draft.strip()) and not draft.lstrip().startswith(("/", "!"))
        if now.api is not None and now.is_chatting and self.viewed == now.peer and is_message:
            now.api.typing()

    def _read(self, text: str) -> None:
        try:
            what = self._typed.read(text)
            self._check_place(what)
        except SecurecomError as error:
            self.complain(error)
            return
        if isinstance(what, Order) and what.command is commands.SAY and "\n" in text.strip():
            lines = text.strip().count("\n") + 1
            whom = self.situation.peer or "nobody"
            ask = f"Send {lines} lines to {whom} as one message? Enter sends, Esc goes back"
            self._ask(Question(ask, ("enter",), lambda: self._send(what)))
            return
        if isinstance(what, Order):
            self._send(what)
        elif what is not None:
            self.composer.text = ""
            self.note(e.Notice(what))

    def _ask(self, question: Question) -> None:
        self._text_then = self.composer.text
        self._main.query_one(QuestionBar).ask(question)

    def _check_place(self, what: object) -> None:
        """A message goes to the person on the screen, or to nobody."""
        is_message = isinstance(what, Order) and what.command is commands.SAY
        peer = self.situation.peer
        if is_message and self.situation.state is ClientState.CHAT and self.viewed != peer:
            where = self.viewed or "the notices"
            raise NotNow(
                f"you are looking at {where}, and your chat is with {peer}",
                f"Nothing was sent. Alt+C shows the chat with {peer}.",
            )

    def _send(self, what: Order) -> None:
        self.composer.remember(self.composer.text)
        self.composer.text = ""
        self._take(what)

    def _carry_out(self, text: str) -> None:
        """What a key or a dialog stands for, as if it had been typed."""
        try:
            what = self._typed.read(text)
        except SecurecomError as error:
            self.complain(error)
            return
        if isinstance(what, Order):
            self._take(what)

    def ask_secret(self, question: str, answered: Callable[[str], None]) -> None:
        """Ask for a pass phrase; `answered` gets it, or nothing if there is none."""
        self.push_screen(Secret(question), lambda secret: answered(secret or ""))

    # --- where one is -----------------------------------------------------------------------

    def view(self, name: str) -> None:
        """Show a conversation, with what was half typed there."""
        self.conversations[self.viewed].draft = self.composer.text
        former = self.conversations[self.viewed]
        former.divider = None
        self.viewed = name
        conversation = self.conversation(name)
        self.scrollback.display_conversation(conversation)
        conversation.looked_at()
        self.composer.replace_text(conversation.draft)
        self.tick()

    def on_people_chosen(self, event: People.Chosen) -> None:
        self.view(event.name)

    def on_app_focus(self) -> None:
        self._has_focus = True
        self.looked(True)
        self.conversations[self.viewed].looked_at()
        self.scrollback.redrawn()
        self.tick()

    def on_app_blur(self) -> None:
        self._has_focus = False
        self.looked(False)

    def action_neighbour(self, step: int) -> None:
        """The next, or the previous, conversation in the list."""
        names = self._main.query_one(People).names
        at = names.index(self.viewed) if self.viewed in names else 0
        if self._is_alone:
            self.view(names[(at + step) % len(names)])

    def action_show_chat(self) -> None:
        """The conversation of the chat that is open."""
        if self._is_alone and self.situation.peer:
            self.view(self.situation.peer)

    def action_show_unread(self) -> None:
        """The next conversation with unread messages."""
        name = next((name for name, one in self.conversations.items() if one.unread), None)
        if self._is_alone and name is not None:
            self.view(name)

    # --- keys -------------------------------------------------------------------------------

    @property
    def _is_alone(self) -> bool:
        """No dialog is open."""
        return not isinstance(self.screen, ModalScreen)

    def action_accept(self) -> None:
        """Accept the request, without touching the line."""
        self._answer(commands.ACCEPT)

    def action_refuse(self) -> None:
        """Refuse it, likewise."""
        self._answer(commands.REFUSE)

    def _answer(self, command: commands.Command) -> None:
        request = self.situation.request
        name = "" if request is None else request.asked.name
        if self._is_alone:
            self._take(order(command, name))

    def action_help(self) -> None:
        """Every command and key, to be searched."""
        if self._is_alone:
            self.push_screen(HelpScreen(self.situation.state), self._picked)

    def _picked(self, command: str | None) -> None:
        if command and not self.composer.text:
            self.composer.replace_text(f"{command} ")

    def action_files(self) -> None:
        """More files, or fewer."""
        self.files.toggle()

    def action_settings(self) -> None:
        """What is chosen for good."""
        if self._is_alone and self.situation.api is not None:
            self.push_screen(SettingsScreen(self.situation.api, self.complain))

    def action_verify(self) -> None:
        """Compare keys."""
        if self._is_alone:
            self._take(order(commands.VERIFY, ""))

    def action_people(self) -> None:
        """Show or hide the list of people."""
        self._wants_people = not self._main.query_one(People).display
        self._arrange(self.size.width)

    def action_search(self) -> None:
        """Look for text in the conversation."""
        if self._is_alone:
            self._main.query_one(SearchBar).begin(self.conversations[self.viewed])

    def on_search_bar_found(self, event: SearchBar.Found) -> None:
        self.scrollback.find(event.text)
        if event.entry is not None:
            self.scrollback.show_entry(event.entry)
        self.tick()

    def on_search_bar_ended(self) -> None:
        self.scrollback.find("")
        self.composer.focus()

    def action_page(self, pages: int) -> None:
        """Scroll the conversation."""
        self.scrollback.scroll_page(pages)
        self._scrolled()

    def action_oldest(self) -> None:
        """Go to the first row."""
        self.scrollback.to_start()
        self._scrolled()

    def action_newest(self) -> None:
        """Go to the last row."""
        self.scrollback.to_end()
        self._scrolled()

    def _scrolled(self) -> None:
        if self.scrollback.is_at_end:
            self.conversations[self.viewed].looked_at()
        self.tick()

    def action_redraw(self) -> None:
        """Draw the whole screen again."""
        self.refresh(layout=True)

    def action_escape(self) -> None:
        """Close what is open, or go back to the newest row."""
        question = self._main.query_one(QuestionBar)
        search = self._main.query_one(SearchBar)
        if not self._is_alone:
            self.screen.dismiss()
        elif question.question is not None:
            question.ask(None)
        elif search.display:
            search.close()
        else:
            self.screen.clear_selection()
            self.action_newest()

    def action_clear(self) -> None:
        """Copy what is selected; otherwise clear the line; otherwise ask whether to leave."""
        selected = self.screen.get_selected_text()
        if selected:
            self.copy_to_clipboard(selected)
            self.screen.clear_selection()
        elif not self._is_alone:
            self.screen.dismiss()
        elif self.composer.text:
            self.composer.remember(self.composer.text)
            self.composer.text = ""
        else:
            self.action_leave()

    def action_leave(self) -> None:
        """Ask whether to leave; the second time, leave."""
        bar = self._main.query_one(QuestionBar)
        if bar.question is not None and "ctrl+c" in bar.question.keys:
            self._leave()
            return
        peer = self.situation.peer if self.situation.is_chatting else ""
        ends = f" The chat with {peer} ends." if peer else ""
        text = f"Leave?{ends} Enter or Ctrl+C leaves, Esc stays"
        self._ask(Question(text, ("enter", "ctrl+c"), self._leave))
