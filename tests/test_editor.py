"""Two people at real terminals, each with the line editor: what is typed, seen, sent and left."""

from __future__ import annotations

import os
import signal
from pathlib import Path

from twisted.internet.task import deferLater

from securecom import limits
from tests.support.processes import reactor
from tests.support.programs import CLIENT, Client
from tests.support.terminal_case import TerminalCase
from tests.support.tmux import PROMPT, Window, cross

SCRIPTS = {
    "Latin": "The quick brown fox jumps over it, and so on. ",
    "Cyrillic": "Съешь же ещё этих мягких французских булок. ",
    "Chinese": "天地玄黃宇宙洪荒日月盈昃辰宿列張寒來暑往。",
    "combining": "e\u0301a\u0300u\u0308n\u0303 o\u0302i\u0308 ",
}
INVISIBLE = (
    *("\u00a0", "\u00ad", "\u034f", "\u061c", "\u115f", "\u17b4", "\u180e"),
    *("\u200b", "\u200e", "\u2060", "\u2800", "\u3164", "\ufe0f", "\ufeff"),
)
LENGTH = 5000


class EditorCase(TerminalCase):
    async def sit_down(self, name: str, *options: str, columns: int = 80) -> Window:
        """Somebody starts their client in a shell."""
        self.point(name, self.at.standard)
        window = self.tmux.window(columns)
        await self.shell_state(window, "before")
        await window.run([*CLIENT, "--plain", *self.whose(name), *options])
        await window.text(f"(?s)online as {name}.*{name}>")
        return window

    async def in_a_chat(self, window: Window, name: str, bob: Client) -> None:
        window.enter("/chat bob")
        await bob.event("asked", name=name)
        await bob.do("accept")
        await window.text("you asked, so you write first")
        window.enter("hello")
        await bob.event("message", text="hello")


class VisitTests(EditorCase):
    async def test_from_the_invitation_to_the_end(self) -> None:
        links = await self.invite("dave", "erin")
        dave, erin = self.tmux.window(), self.tmux.window()
        for window, name, link in zip((dave, erin), ("dave", "erin"), links, strict=True):
            await self.shell_state(window, "before")
            folder = str(self.home / name)
            await window.run(
                [*CLIENT, "--plain", "--data-dir", folder, "--no-pass", "--available", link]
            )
            await window.text(rf"^{name}>")
        dave.type("/cha")
        dave.key("Tab")
        dave.enter("erin")
        await erin.text(r"^erin \(dave asks, \d+ s\)>")
        erin.type("/acc")
        erin.key("Tab")
        erin.key("Enter")
        await dave.text(r"^dave \(chat with erin, NOT VERIFIED\)>")
        dave.enter("hello erin")
        await erin.text(r"dave\| hello erin")
        erin.type("half typed rep")
        dave.enter("second line")
        await erin.text(r"dave\| second line$")
        await erin.text(r"^erin \(chat with dave, NOT VERIFIED\)> half typed rep$")
        erin.enter("ly")
        await dave.text(r"erin\| half typed reply$")
        sent, got = await cross(self.home, dave, erin)
        self.assertEqual(got, sent)
        for window in (dave, erin):
            window.enter("/verify")
            await window.text(r"(\d{5} ){3}\d{5}")
            window.enter("/verify yes")
        await dave.text(r"^dave \(chat with erin\)>")
        again = self.ports_of(self.at)
        await self.at.stop()
        await dave.text(r"^dave \(offline\)>")
        self.at = await self.server(*again)
        dave.enter("/reconnect")
        await dave.text("(?s)offline.*online")
        dave.key("C-c")
        await dave.text(r"^Leave securecom\?")
        dave.key("C-c")
        await self.check_left(dave, 0)
        erin.key("C-d")
        await self.check_left(erin, 0)

    # Promise R40
    async def test_a_signal_ends_it_wherever_one_is(self) -> None:
        for number in (signal.SIGTERM, signal.SIGHUP, signal.SIGQUIT, signal.SIGINT):
            alice = await self.sit_down("alice")
            alice.type("touch /tmp/pwned")
            await alice.text("pwned")
            os.kill(self.client_of(alice), number)
            await self.check_left(alice, 128 + number)
            self.assertNotIn("pwned: ", alice.all)
            alice.close()

    async def test_the_terminal_is_closed(self) -> None:
        alice = await self.sit_down("alice")
        bob = await self.client("bob", self.at, "--available").online()
        await self.in_a_chat(alice, "alice", bob)
        pid = self.client_of(alice)
        alice.close()
        await bob.event("chat-over")
        while Path(f"/proc/{pid}").exists():
            await deferLater(reactor, 0.05)

    async def test_the_server_ends_the_session(self) -> None:
        alice = await self.sit_down("alice")
        alice.type("touch /tmp/pwned")
        await self.client("alice", self.at, "--takeover").online()
        await self.check_left(alice, 5)


class TypedAheadTests(EditorCase):
    async def test_what_was_typed_before_there_was_an_editor_is_carried_out(self) -> None:
        self.point("alice", self.at.standard)
        window = self.tmux.window()
        await window.run([*CLIENT, "--plain", *self.whose("alice"), "--available"])
        window.enter("/fingerprint")
        await window.text("(?s)> /fingerprint.*your key: SHA256")


class TypingTests(EditorCase):
    async def prepare(self) -> None:
        await super().prepare()
        self.bob = await self.client("bob", self.at, "--available").online()
        self.alice = await self.sit_down("alice")
        await self.in_a_chat(self.alice, "alice", self.bob)

    async def test_pastes_arrive_whole(self) -> None:
        for sample in SCRIPTS.values():
            text = (sample * LENGTH)[:LENGTH].strip()
            self.alice.paste(text)
            await deferLater(reactor, 0.3)
            self.alice.key("Enter")
            self.assertEqual((await self.bob.event("message"))["text"], text)

    async def test_a_paste_of_lines_is_one_message_after_a_question(self) -> None:
        self.alice.paste("one\ntwo\n/exit\nfour\n")
        await self.alice.text(r"^Send 4 lines to bob as one message\? Enter / Esc")
        self.alice.key("Escape")
        await self.alice.without("Send 4 lines")
        self.alice.key("C-c")
        self.alice.paste("one\ntwo\n/exit\nfour\n")
        await self.alice.text(r"^Send 4 lines")
        self.alice.key("Enter")
        await self.bob.event("message", text="one\ntwo\n/exit\nfour")
        self.alice.enter("still here")
        await self.bob.event("message", text="still here")
        self.assertEqual(len(self.bob.messages), 3)

    async def test_a_message_of_several_lines(self) -> None:
        self.alice.type("first")
        self.alice.key("M-Enter")
        self.alice.type("second")
        self.alice.key("C-j")
        self.alice.enter("third")
        await self.bob.event("message", text="first\nsecond\nthird")

    async def test_what_looks_like_a_command_is_not_sent(self) -> None:
        for number, c in enumerate(INVISIBLE, 1):
            self.alice.enter(f"{c}/stop")
            await self.alice.text(rf"(?s)(SC-201.*?){{{number}}}")
        self.alice.enter("the end")
        await self.bob.event("message", text="the end")
        self.assertEqual(self.bob.messages, ["hello", "the end"])

    async def test_too_long_a_message_stays_in_the_editor(self) -> None:
        self.alice.paste("x" * (limits.MAX_TEXT + 1))
        await self.alice.text("x{80}")
        self.alice.key("Enter")
        await self.alice.text(f"SC-205 a message holds at most {limits.MAX_TEXT} bytes")
        self.alice.key("BSpace")
        self.alice.key("Enter")
        await self.bob.event("message", text="x" * limits.MAX_TEXT)

    async def test_stopped_and_back(self) -> None:
        self.alice.type("half ")
        self.alice.key("C-z")
        await self.alice.text(PROMPT)
        self.alice.enter("fg")
        await self.alice.text(r"(?s)fg.*NOT VERIFIED\)> half")
        os.kill(self.client_of(self.alice), signal.SIGTSTP)
        await self.alice.text(rf"(?s)fg.*{PROMPT}")
        self.alice.enter("fg")
        await self.alice.text(r"(?s)fg.*fg.*NOT VERIFIED\)> half")
        self.alice.paste("a\nb\nc")
        await self.alice.text(r"^Send 3 lines")
        self.alice.key("Enter")
        await self.bob.event("message", text="half a\nb\nc")
        self.assertEqual(self.bob.messages, ["hello", "half a\nb\nc"])

    # Promise R44
    async def test_pass_phrases_are_not_shown_nor_sent(self) -> None:
        self.alice.type("a draft")
        self.alice.key("C-c")
        self.alice.enter(f"/backup {self.home}/copy.age")
        for number in (1, 2):
            await self.alice.text(rf"(?s)(hidden; press.*?){{{number}}}")
            self.alice.enter("correct-horse-battery")
        await self.alice.text("the backup is written")
        self.alice.enter("all done")
        await self.bob.event("message", text="all done")
        self.assertEqual(self.bob.messages, ["hello", "all done"])
        self.assertNotIn("correct", self.alice.all)

    async def test_a_stop_that_nobody_could_prepare_for(self) -> None:
        self.alice.type("half ")
        await self.alice.text("> half")
        os.kill(self.client_of(self.alice), signal.SIGSTOP)
        await self.alice.text(PROMPT)
        self.alice.type("fg")
        self.alice.key("C-j")  # the terminal is still raw: no shell could take an Enter
        await self.alice.text(r"(?s)Stopped.*NOT VERIFIED\)> half")
        self.alice.paste("a\nb")
        await self.alice.text(r"^Send 2 lines")
        self.alice.key("Enter")
        await self.bob.event("message", text="half a\nb")

    async def test_commands_come_back_and_what_was_said_does_not(self) -> None:
        self.alice.enter("/whois bob")
        await self.alice.text("bob: NOT VERIFIED")
        self.alice.enter("a word")
        await self.bob.event("message", text="a word")
        self.alice.key("Up")
        await self.alice.text(r"> /whois bob$\s*\Z")
        self.alice.key("C-c", "C-d", "C-d")
        await self.alice.text(r"^\[exit 0\]")
        (file,) = (self.home / "alice").glob("profiles/*/history")
        self.assertEqual(file.read_text().splitlines()[-2:], ["/chat bob", "/whois bob"])
        self.assertEqual(file.stat().st_mode & 0o777, 0o600)

    async def test_leaving_a_chat_is_asked_about(self) -> None:
        self.alice.key("C-d")
        await self.alice.text(r"^Leave the chat with bob, and securecom\? Enter / Esc")
        self.alice.enter("n")
        await self.bob.event("message", text="n")
        self.alice.key("C-d")
        await self.alice.text(r"^Leave the chat")
        self.alice.key("C-d")
        await self.check_left(self.alice, 0)

    async def test_a_resized_window(self) -> None:
        self.alice.type("half typed")
        self.alice.resize(40, 12)
        await self.alice.text(r"hal\s*f\s+typed")
        self.bob.send("say", text="a line for a narrow window, which is broken there")
        await self.alice.text(r"bob\| a line")
        self.alice.enter(" text")
        await self.bob.event("message", text="half typed text")


class OwnEditorTests(EditorCase):
    async def prepare(self) -> None:
        await super().prepare()
        self.script = self.home / "editor.sh"
        self.seen = self.home / "seen"
        self.alice = await self.start(f'cat "$1" > {self.seen}; printf \'two\\nlines\\n\' > "$1"')

    async def start(self, does: str) -> Window:
        self.script.write_text(f"#!/bin/sh\necho at work\n{does}\n")
        self.script.chmod(0o700)
        self.point("alice", self.at.standard)
        window = self.tmux.window()
        await self.shell_state(window, "before")
        window.enter(f"export EDITOR={self.script} TMPDIR={self.home} XDG_RUNTIME_DIR=")
        await window.run([*CLIENT, "--plain", *self.whose("alice")])
        await window.text("(?s)online as alice.*alice>")
        return window

    def left(self) -> list[Path]:
        return list(self.home.glob("securecom-*"))

    async def test_what_it_writes_is_put_into_the_line(self) -> None:
        bob = await self.client("bob", self.at, "--available").online()
        await self.in_a_chat(self.alice, "alice", bob)
        self.alice.type("begun")
        self.alice.key("C-x", "C-e")
        await self.alice.text(r"(?s)at work.*> two\nlines")
        self.assertEqual(self.seen.read_text(), "begun")
        self.assertEqual(self.left(), [])
        self.alice.key("Enter")
        await bob.event("message", text="two\nlines")

    async def test_its_keys_stop_and_interrupt_it_and_do_not_end_us(self) -> None:
        self.alice.key("C-d")
        await self.alice.text(r"^\[exit 0\]")
        alice = await self.start("trap 'echo interrupted' INT; cat; cat; echo done > \"$1\"")
        alice.key("C-x", "C-e")
        await alice.text("at work")
        alice.key("C-z")
        await alice.text(r"\[exit \d+\]")
        alice.enter("fg; echo [exit $?]")
        alice.enter("back")  # cat repeats it, once the terminal is its own again
        await alice.text("(?s)^back$.*^back$")
        alice.key("C-c")
        await alice.text("interrupted")
        alice.key("C-d")
        await alice.text("> done")
        alice.key("C-c")
        alice.enter("/exit")
        await self.check_left(alice, 0)

    async def test_its_file_is_private_and_goes_when_a_signal_ends_us(self) -> None:
        self.alice.key("C-d")
        await self.alice.text(r"^\[exit 0\]")
        self.alice.close()
        alice = await self.start("trap '' TERM; sleep 60")
        alice.type("a secret")
        alice.key("C-x", "C-e")
        await alice.text("at work")
        (folder,) = self.left()
        self.assertEqual(folder.stat().st_mode & 0o777, 0o700)
        self.assertEqual((folder / "message.txt").stat().st_mode & 0o777, 0o600)
        os.kill(self.client_of(alice), signal.SIGTERM)
        await self.check_left(alice, 143)
        self.assertEqual(self.left(), [])
