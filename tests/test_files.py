"""Files between real clients: sent, fetched, cancelled, resumed, from pipes, onto full disks."""

from __future__ import annotations

import hashlib
import os
import sys
import tarfile
from collections.abc import Sequence
from pathlib import Path
from random import Random
from typing import Any

from tests.support.processes import Process, environment
from tests.support.programs import CLIENT, Client
from tests.support.system_case import SystemCase

DATA = Random(2).randbytes(1024 * 1024)
#: A receiver that writes, and says so, ten times a second and no more often: what is under way can
#: be relied on to be, however fast the machine is. The sender's window is 4 MiB at the most.
SELDOM = {"FILE_WRITE": 2**30, "FILE_KEPT_WAIT": 0.1}
#: A sender whose window never grows: with that receiver, a MiB takes more than a second.
NARROW = dict.fromkeys(("FILE_WINDOW", "FILE_WINDOW_FIRST", "FILE_WINDOW_LEAST"), 64 * 1024)
#: What a client runs that may not write more than so many bytes into one file.
_SMALL_FILES = """
import resource, runpy, signal, sys
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, ({most}, {most}))
runpy.run_module("securecom.client", run_name="__main__", alter_sys=True)
"""


def written(path: Path, size: int) -> Path:
    """A file of so many MiB."""
    with path.open("wb") as file:
        for number in range(size):
            file.write(number.to_bytes(8, "big") + DATA[8:])
    return path


def digest(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


class FilesCase(SystemCase):
    async def prepare(self) -> None:
        await super().prepare()
        self.running = await self.server()
        self.alice, self.bob = await self.people()
        self.downloads = self.home / "downloads"
        await self.bob.do("set", setting=f"downloads {self.downloads}")
        await self.begin()

    async def people(self) -> Sequence[Client]:
        """Alice and bob, online."""
        return await self.clients(self.running, "alice", "bob")

    async def begin(self) -> None:
        await self.chat(self.alice, self.bob, "bob", "alice")
        await self.say(self.alice, self.bob, "here it comes")

    async def offer(self, path: Path) -> str:
        """Alice offers it; bob's number."""
        sent = self.alice.send("send", file=str(path))
        result = await self.alice.answer(sent)
        self.assertTrue(result["ok"], result)
        told = await self.bob.event("file-offered")
        if path.is_file():
            self.assertEqual(told["sha256"], digest(path))
        return str(told["number"])


class TransferTests(FilesCase):
    async def people(self) -> Sequence[Client]:
        (alice,) = await self.clients(self.running, "alice")
        return alice, await self.hasty("bob", self.running, **SELDOM)

    # Promise C120
    async def test_there_and_back_with_a_chat_meanwhile(self) -> None:
        large = written(self.home / "large.bin", 64)
        number = await self.offer(large)
        self.assertFalse(self.downloads.exists())
        await self.bob.do("get", number=number)
        await self.bob.event("file-progress")
        await self.alice.event("file-progress")
        await self.say(self.alice, self.bob, "are you there?")
        await self.say(self.bob, self.alice, "yes")
        over = await self.bob.event("file-over")
        self.assertEqual(over["ending"], "done")
        self.assertEqual(over["path"], str(self.downloads / "large.bin"))
        self.assertEqual(digest(self.downloads / "large.bin"), digest(large))
        await self.alice.event("file-over", ending="done")
        sent = self.bob.send("send", file=str(large))
        self.assertTrue((await self.bob.answer(sent))["ok"])
        told = await self.alice.event("file-offered", direction="in")
        await self.alice.do("get", number=f"{told['number']} {self.home}/back.bin")
        await self.alice.event("file-over", direction="in", ending="done")
        self.assertEqual(digest(self.home / "back.bin"), digest(large))

    async def test_a_folder_comes_as_a_tar_file(self) -> None:
        folder = self.home / "photos"
        (folder / "summer").mkdir(parents=True)
        written(folder / "summer" / "a.jpg", 2)
        number = await self.offer(folder)
        await self.bob.do("get", number=number)
        await self.bob.event("file-over", ending="done")
        with tarfile.open(self.downloads / "photos.tar") as tar:
            self.assertEqual(tar.getmember("photos/summer/a.jpg").size, 2 * len(DATA))


class UnderWayTests(FilesCase):
    """The file takes longer than anything here is waited for, if nobody ends its transfer."""

    async def people(self) -> Sequence[Client]:
        alice = await self.hasty("alice", self.running, **NARROW)
        return alice, await self.hasty("bob", self.running, **SELDOM)

    async def some_of(self, number: str) -> dict[str, Any]:
        """Bob has a part of this file that could be resumed; what he was told of it."""

        def find() -> dict[str, Any] | None:
            told = self.bob.told("file-progress")
            return next((one for one in told if str(one["number"]) == number and one["done"]), None)

        return await self.bob.until(f"part of file {number}", find)

    # Promise C123
    async def test_either_cancels(self) -> None:
        large = written(self.home / "large.bin", 64)
        for who, other in ((self.alice, self.bob), (self.bob, self.alice)):
            number = await self.offer(large)
            await self.bob.do("get", number=number)
            await self.some_of(number)
            await who.do("cancel", number=number)
            await who.event("file-over", ending="cancelled-by-me")
            await other.event("file-over", ending="cancelled-by-peer")
            await self.say(self.alice, self.bob, "all the same")
        self.assertFalse((self.downloads / "large.bin").exists())

    # Promise C125
    async def test_it_goes_on_after_a_client_was_killed(self) -> None:
        large = written(self.home / "large.bin", 64)
        number = await self.offer(large)
        await self.bob.do("get", number=number)
        half = await self.some_of(number)
        self.alice.kill()
        over = await self.bob.event("file-over", ending="chat-over")
        self.assertTrue(over["resumable"])
        self.assertGreaterEqual(over["done"], half["done"])
        self.alice = self.client("alice", self.running, "--available", "--takeover")
        await self.alice.online()
        await self.begin()
        number = await self.offer(large)
        await self.bob.do("get", number=number)
        await self.bob.event("file-over", ending="done")
        self.assertEqual(digest(self.downloads / "large.bin"), digest(large))
        self.assertEqual(os.listdir(self.downloads), ["large.bin"])
        for told in self.alice.told("file-progress"):
            self.assertGreaterEqual(told["done"], over["done"])


class PipeTests(FilesCase):
    async def begin(self) -> None:
        self.alice.send("exit")
        await self.alice.ended()

    def script(self, words: str) -> Process:
        """What alice types into a shell, whose input has ended otherwise."""
        self.point("alice", self.running.standard)
        line = " ".join((*CLIENT, *self.whose("alice"), "--chat bob", words))
        return self.run_process("/bin/bash", "-c", line)

    async def fetched(self) -> None:
        await self.bob.event("asked", name="alice")
        await self.bob.do("accept", name="alice")
        told = await self.bob.event("file-offered")
        await self.bob.do("get", number=str(told["number"]))

    async def test_from_a_file_and_from_a_pipe(self) -> None:
        large = written(self.home / "backup.tar", 8)
        for words in (
            f"--send - < {large}",
            f"--send - < <(cat {large})",
            f"--send {large} < /dev/null",
        ):
            script = self.script(words)
            await self.fetched()
            over = await self.bob.event("file-over", ending="done")
            self.assertEqual(digest(Path(over["path"])), digest(large))
            self.assertEqual(await script.ended(), 0, script)
            await self.bob.event("chat-over", ending="by-peer")

    async def test_what_is_declined_is_an_error_of_the_script(self) -> None:
        small = written(self.home / "backup.tar", 1)
        script = self.script(f"--send - < {small}")
        await self.bob.event("asked", name="alice")
        await self.bob.do("accept", name="alice")
        told = await self.bob.event("file-offered")
        await self.bob.do("decline", what=str(told["number"]))
        self.assertEqual(await script.ended(), 1, script)
        self.assertIn('does not want "stdin"', script.output)

    async def test_a_pipe_that_says_nothing_keeps_nobody(self) -> None:
        os.mkfifo(self.home / "pipe")
        script = self.script(f"--send - <> {self.home}/pipe")
        await self.bob.event("asked", name="alice")
        await self.bob.do("accept", name="alice")
        await self.bob.event("chat-started")
        await self.bob.do("stop")
        self.assertEqual(await script.ended(), 1, script)

    async def test_what_makes_no_sense_is_said_at_once(self) -> None:
        for words, said in (
            ("--send x", "--chat NAME"),
            ("- --chat bob --send -", "either the link or the file"),
        ):
            done = await self.finished(*CLIENT, *words.split())
            self.assertEqual(done.exit_code, 2)
            self.assertIn(said, done.errors)


class FullDiskTests(FilesCase):
    async def begin(self) -> None:
        self.bob.send("exit")
        await self.bob.ended()

    # Promise C125
    async def test_a_disk_that_fills_up_loses_nothing(self) -> None:
        large = written(self.home / "large.bin", 16)
        most = 5 * 1024 * 1024
        argv = [sys.executable, "-c", _SMALL_FILES.format(most=most)]
        argv += ["--json", *self.whose("bob"), "--available"]
        self.bob = self.started(Client(argv, environment(self.home)))
        await self.bob.online()
        await super().begin()
        number = await self.offer(large)
        await self.bob.do("get", number=number)
        over = await self.bob.event("file-over")
        self.assertEqual((over["ending"], over["resumable"]), ("failed-here", True))
        self.assertIn("file too large", over["why"])
        await self.alice.event("file-over", ending="failed-there")
        await self.say(self.alice, self.bob, "the chat goes on")
        await self.stop(self.alice, self.bob)
        self.bob.send("exit")
        await self.bob.ended()
        (self.bob,) = await self.clients(self.running, "bob")
        await super().begin()
        number = await self.offer(large)
        await self.bob.do("get", number=number)
        await self.bob.event("file-over", ending="done")
        self.assertEqual(digest(self.downloads / "large.bin"), digest(large))


class MemoryTests(FilesCase):
    # Promise T233
    async def test_memory_does_not_grow_with_the_file(self) -> None:
        large = written(self.home / "large.bin", 256)
        number = await self.offer(large)
        processes = (self.alice, self.bob, self.running)
        before = [memory(one, "VmRSS") for one in processes]
        await self.bob.do("get", number=number)
        await self.bob.event("file-over", ending="done")
        for one, idle in zip(processes, before, strict=True):
            self.assertLess(memory(one, "VmHWM") - idle, 16 * 1024, f"KiB more\n{one}")


def memory(process: Process, which: str) -> int:
    """What a process has in memory now (VmRSS) or had at the most (VmHWM), in KiB."""
    for line in Path(f"/proc/{process.pid}/status").read_text().splitlines():
        if line.startswith(which):
            return int(line.split()[1])
    raise ValueError(f"no {which}")
