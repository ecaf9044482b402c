"""`python -m benchmarks.files`: a file from one person to another, beside other programs.

Two real clients, a real server between them, on this machine. Beside it, in turn and where they are
installed: magic-wormhole over a transit relay of its own, and scp to an sshd on loopback. Prints
throughput, and CPU seconds a GiB for each process; for ours also how much the memory grew.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import resource
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median

from benchmarks.facts import facts, load
from benchmarks.process import ROOT

_TICKS = os.sysconf("SC_CLK_TCK")
_MIB = 1024 * 1024
_DEADLINE = 600.0
_PORTS = re.compile(r"standard channel on port (\d+)")


@dataclass
class Result:
    """One transfer: seconds, CPU seconds by process, KiB that each grew by."""

    seconds: float
    cpu: dict[str, float]
    grown: dict[str, int] = field(default_factory=dict)


@dataclass
class Run:
    """What all transfers share.

    :param wormhole: a folder with magic-wormhole's programs; None: it is not installed.
    """

    folder: Path
    file: Path
    wormhole: Path | None
    sshd: str | None

    def log(self, name: str) -> Path:
        """Where a process writes."""
        return self.folder / f"{name}.log"


def main() -> None:
    """See above."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.files", description=__doc__)
    parser.add_argument("--mib", type=int, default=1024)
    parser.add_argument("--repetitions", type=int, default=3)
    parser.add_argument("--wormhole", type=Path, help="where magic-wormhole's programs are")
    options = parser.parse_args()
    print(*(f"- {name}: {value}" for name, value in facts().items()), sep="\n")
    print(f"- load when it began: {load():.1f}\n- {options.mib} MiB\n", flush=True)
    with tempfile.TemporaryDirectory(prefix="securecom-files-") as temporary:
        folder = Path(temporary)
        run = Run(folder, _file(folder / "large.bin", options.mib), options.wormhole, _sshd())
        ways: dict[str, Callable[[Run], Result]] = {"securecom": securecom}
        if run.wormhole is not None:
            ways["magic-wormhole"] = wormhole
        if run.sshd is not None:
            ways["scp"] = scp
        results: dict[str, list[Result]] = {name: [] for name in ways}
        for _ in range(options.repetitions):
            for name, way in ways.items():
                results[name].append(way(run))
                print(f"{name}: {_rate(results[name][-1], run):.0f} MB/s", flush=True)
        _table(results, run)
    print(f"\n- load when it ended: {load():.1f}")


def _table(results: dict[str, list[Result]], run: Run) -> None:
    gib = run.file.stat().st_size / 2**30
    print("\n| | MB/s, median (all) | CPU s a GiB | MiB more than idle, at most |")
    print("|---|---|---|---|")
    for name, those in results.items():
        rates = [_rate(one, run) for one in those]
        cpu = {who: median(one.cpu[who] for one in those) / gib for who in those[0].cpu}
        grown = {who: max(one.grown[who] for one in those) / 1024 for who in those[0].grown}
        told = (
            f"{median(rates):.0f} ({', '.join(f'{rate:.0f}' for rate in rates)})",
            ", ".join(f"{who} {seconds:.1f}" for who, seconds in cpu.items()),
            ", ".join(f"{who} {mib:.1f}" for who, mib in grown.items()) or "-",
        )
        print(f"| {name} | {' | '.join(told)} |")


def _rate(result: Result, run: Run) -> float:
    return run.file.stat().st_size / result.seconds / 1e6


def _file(path: Path, mib: int) -> Path:
    block = os.urandom(_MIB)
    with path.open("wb") as file:
        for number in range(mib):
            file.write(number.to_bytes(8, "big") + block[8:])
    return path


def _sshd() -> str | None:
    return shutil.which("sshd", path=f"{os.environ['PATH']}:/usr/sbin")


# --- processes --------------------------------------------------------------------------------


@contextmanager
def started(argv: Sequence[str], log: Path, **named: object) -> Iterator[subprocess.Popen[str]]:
    """A process that ends with the context."""
    env = {**os.environ, "PYTHONPATH": str(ROOT)}
    with log.open("w") as out:
        process: subprocess.Popen[str] = subprocess.Popen(  # type: ignore[call-overload]  # noqa: S603
            argv, env=env, stderr=out, text=True, **{"stdout": out, **named}
        )
    try:
        yield process
    finally:
        process.terminate()
        process.wait(_DEADLINE)


def cpu_seconds(pid: int) -> float:
    """User's and system's, of all threads."""
    after_name = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(after_name[11]) + int(after_name[12])) / _TICKS


def _memory(pid: int, line: str) -> int:
    for text in Path(f"/proc/{pid}/status").read_text().splitlines():
        if text.startswith(line):
            return int(text.split()[1])
    raise RuntimeError(f"no {line}")


def _until(look: Callable[[], object], *needed: subprocess.Popen[str]) -> None:
    """Wait until something is so.

    :param needed: processes whose end means that it never will be.
    """
    until = time.monotonic() + _DEADLINE
    while not look():
        for process in needed:
            if process.poll() is not None:
                raise RuntimeError(f"it ended at once: {process.args!r}; its log says why")
        if time.monotonic() > until:
            raise RuntimeError("a process does not do what it should")
        time.sleep(0.02)


# --- securecom --------------------------------------------------------------------------------


class Client:
    """`securecom --json`, driven line by line."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self._process = process
        self.pid = process.pid

    def do(self, command: str, **fields: str) -> None:
        """Give a command."""
        assert self._process.stdin is not None  # noqa: S101
        print(json.dumps({"command": command, **fields}), file=self._process.stdin, flush=True)

    def wait(self, kind: str) -> dict[str, object]:
        """The next event of a kind."""
        assert self._process.stdout is not None  # noqa: S101
        for line in self._process.stdout:
            event: dict[str, object] = json.loads(line)
            if event["event"] == kind:
                return event
        raise RuntimeError(f"the client ended before {kind}")


def securecom(run: Run) -> Result:
    """From `/get` to the receiver's word that all is there and checked."""
    home = run.folder / "securecom"
    shutil.rmtree(home, ignore_errors=True)
    with ExitStack() as held:
        server = held.enter_context(_server(run, home))
        alice, bob = (held.enter_context(_client(run, home, name)) for name in ("alice", "bob"))
        bob.do("set", setting=f"downloads {home / 'downloads'}")
        bob.wait("result")
        alice.do("chat", name="bob")
        bob.wait("asked")
        bob.do("accept")
        for client in (alice, bob):
            client.wait("chat-started")
        alice.do("send", file=str(run.file))
        number = bob.wait("file-offered")["number"]
        pids = {"sender": alice.pid, "receiver": bob.pid, "server": server}
        before = {who: (cpu_seconds(pid), _idle(pid)) for who, pid in pids.items()}
        began = time.monotonic()
        bob.do("get", number=str(number))
        ending = bob.wait("file-over")["ending"]
        seconds = time.monotonic() - began
        if ending != "done":
            raise RuntimeError(f"the file is {ending}")
        cpu = {who: cpu_seconds(pid) - before[who][0] for who, pid in pids.items()}
        grown = {who: _memory(pid, "VmHWM") - before[who][1] for who, pid in pids.items()}
    shutil.rmtree(home / "downloads")
    return Result(seconds, cpu, grown)


def _idle(pid: int) -> int:
    """KiB now; its peak is measured from here on."""
    Path(f"/proc/{pid}/clear_refs").write_text("5")
    return _memory(pid, "VmRSS")


@contextmanager
def _server(run: Run, home: Path) -> Iterator[int]:
    loopback = "tcp:0:interface=127.0.0.1"
    argv = [str(Path(sys.executable).with_name("twistd")), "-n", "--pidfile=", "securecom"]
    argv += ["--standard", loopback, "--request", loopback, "--state", str(home / "state")]
    home.mkdir()
    with started(argv, run.log("server")) as process:
        _until(lambda: _PORTS.search(run.log("server").read_text()), process)
        yield process.pid


@contextmanager
def _client(run: Run, home: Path, name: str) -> Iterator[Client]:
    admin = [sys.executable, "-m", "securecom.admin", "--state", str(home / "state")]
    invited = subprocess.run(  # noqa: S603
        [*admin, "invite", "--json", name], capture_output=True, check=True, text=True
    )
    link = json.loads(invited.stdout)["link"]
    argv = [sys.executable, "-m", "securecom.client", "--json", link, "--no-pass", "--available"]
    argv += ["--data-dir", str(home / name)]
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE}
    with started(argv, run.log(name), **pipes) as process:
        client = Client(process)
        client.wait("online")
        yield client


# --- others -----------------------------------------------------------------------------------

_MAILBOX, _TRANSIT = 4710, 4711


def wormhole(run: Run) -> Result:
    """From the receiver's start, with the code known, to its end; start-up is taken off."""
    programs = run.wormhole or Path()
    twistd = str(programs / "twistd")
    target = run.folder / "wormhole"
    shutil.rmtree(target, ignore_errors=True)
    target.mkdir()
    common = [
        str(programs / "wormhole"),
        f"--relay-url=ws://127.0.0.1:{_MAILBOX}/v1",
        f"--transit-helper=tcp:127.0.0.1:{_TRANSIT}",
    ]
    with ExitStack() as held:
        port = f"--port=tcp:{_MAILBOX}:interface=127.0.0.1"
        mailbox = ["-n", "--pidfile=", "wormhole-mailbox", port]
        mailbox += [f"--channel-db={target / 'relay.sqlite'}"]
        box = held.enter_context(started([twistd, *mailbox], run.log("mailbox")))
        transit = ["-n", "--pidfile=", "transitrelay", f"--port=tcp:{_TRANSIT}:interface=127.0.0.1"]
        relay = held.enter_context(started([twistd, *transit], run.log("transit")))
        _until(lambda: "starting on" in run.log("transit").read_text(), relay)
        _until(lambda: "starting on" in run.log("mailbox").read_text(), box)
        code = f"7-benchmark-{time.monotonic_ns()}"
        sending = ["send", "--no-listen", "--hide-progress", f"--code={code}", str(run.file)]
        sender = held.enter_context(started([*common, *sending], run.log("send")))
        time.sleep(2.0)  # it waits for the receiver, which is what we measure from
        before = cpu_seconds(relay.pid)
        receiving = ["receive", "--no-listen", "--hide-progress", "--accept-file"]
        receiving += ["--output-file", str(target / "large.bin"), code]
        receiver = held.enter_context(started([*common, *receiving], run.log("receive")))
        written = target / "large.bin.tmp"
        _until(written.exists, sender, receiver)
        began, used = time.monotonic(), _cpu(sender, receiver)
        ends = used
        while sender.poll() is None and receiver.poll() is None:
            ends = _cpu(sender, receiver) or ends
            time.sleep(0.02)
        receiver.wait(_DEADLINE)
        seconds = time.monotonic() - began
        cpu = {who: ends[who] - used[who] for who in used}
        cpu["relay"] = cpu_seconds(relay.pid) - before
        if (target / "large.bin").stat().st_size != run.file.stat().st_size:
            raise RuntimeError("wormhole did not send all of it")
    shutil.rmtree(target)
    return Result(seconds, cpu)


def _cpu(sender: subprocess.Popen[str], receiver: subprocess.Popen[str]) -> dict[str, float]:
    try:
        return {"sender": cpu_seconds(sender.pid), "receiver": cpu_seconds(receiver.pid)}
    except (OSError, IndexError):
        return {}


#: Where sshd, started by root, wants an empty folder; at boot the system makes it.
_PRIVILEGE_SEPARATION = Path("/run/sshd")
_SSH_PORT = 4712


def scp(run: Run) -> Result:
    """To an sshd of our own on loopback; a copy of nothing is taken off."""
    home = run.folder / "ssh"
    shutil.rmtree(home, ignore_errors=True)
    home.mkdir(mode=0o700)
    for key in ("host", "user"):
        make = ["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(home / key)]
        subprocess.run(make, check=True)  # noqa: S603
    (home / "authorized").write_text((home / "user.pub").read_text())
    if os.geteuid() == 0:
        _PRIVILEGE_SEPARATION.mkdir(mode=0o755, exist_ok=True)
    empty = home / "empty"
    empty.write_bytes(b"")
    copied = home / "out"
    with started(_sshd_argv(run, home), run.log("sshd")) as sshd:
        _until(lambda: "listening on" in run.log("sshd").read_text(), sshd)
        nothing = _copied(home, sshd.pid, empty, copied)
        result = _copied(home, sshd.pid, run.file, copied)
        if copied.stat().st_size != run.file.stat().st_size:
            raise RuntimeError("scp did not copy all of it")
    shutil.rmtree(home)
    cpu = {who: seconds - nothing.cpu[who] for who, seconds in result.cpu.items()}
    return Result(result.seconds - nothing.seconds, cpu)


def _sshd_argv(run: Run, home: Path) -> list[str]:
    """It reads and writes nothing of the system's own sshd."""
    options = {
        "ListenAddress": "127.0.0.1",
        "PidFile": "none",
        "AuthorizedKeysFile": home / "authorized",
        "PermitRootLogin": "prohibit-password",
        "StrictModes": "no",
        "UsePAM": "no",
        "Subsystem": "sftp internal-sftp",
    }
    argv = [str(run.sshd), "-D", "-e", "-f", "/dev/null", "-h", str(home / "host")]
    argv += ["-p", str(_SSH_PORT)]
    return argv + [word for name, value in options.items() for word in ("-o", f"{name}={value}")]


def _copied(home: Path, sshd: int, source: Path, target: Path) -> Result:
    """One copy, and its CPU seconds: scp's with its ssh, and those of sshd's children."""
    argv = ["scp", "-q", "-F", "/dev/null", "-P", str(_SSH_PORT), "-i", str(home / "user")]
    argv += ["-o", "BatchMode=yes", "-o", "IdentitiesOnly=yes"]
    argv += ["-o", "StrictHostKeyChecking=no", "-o", f"UserKnownHostsFile={os.devnull}"]
    used, served = _of_our_children(), _of_children(sshd)
    began = time.monotonic()
    subprocess.run([*argv, str(source), f"127.0.0.1:{target}"], check=True)  # noqa: S603
    seconds = time.monotonic() - began
    children = Path(f"/proc/{sshd}/task/{sshd}/children")
    _until(lambda: not children.read_text())  # until they are waited for, nobody knows
    cpu = {"sender": _of_our_children() - used, "receiver": _of_children(sshd) - served}
    return Result(seconds, cpu)


def _of_children(pid: int) -> float:
    """CPU seconds of a process's children that have ended."""
    after_name = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(after_name[13]) + int(after_name[14])) / _TICKS


def _of_our_children() -> float:
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


if __name__ == "__main__":
    main()
