"""What holds behind each kind of endpoint, with a real HAProxy in front of some.

`python -m benchmarks.endpoints [WORD…]` tries all kinds, or those with one of the words in their
names; it needs `haproxy` on the PATH and takes about 20 s for each. The table that came out is in
docs/compatibility.md, "Listening endpoints".
"""

from __future__ import annotations

import contextlib
import select
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from benchmarks.loop import Loop
from benchmarks.people import Person, Visit, settle
from benchmarks.process import LOOPBACK, PATIENCE, PRODUCT, Server, end, ports_of, start_pinned
from securecom import limits

_HALF = 450
_SILENT = 20
_MARGIN = 3.0
#: As systemd hands a socket over: descriptor 3, and our own process id. Port, then the command.
_AS_SYSTEMD = """
import os, socket, sys
given = socket.create_server(("127.0.0.1", int(sys.argv[1])), backlog=4096)
given.setblocking(False)
os.dup2(given.fileno(), 3)
os.set_inheritable(3, True)
os.environ.update(LISTEN_PID=str(os.getpid()), LISTEN_FDS="1", LISTEN_FDNAMES="standard")
os.execv(sys.argv[2], sys.argv[2:])
"""
_HAPROXY = """
defaults
    mode tcp
    timeout connect 5s
    timeout client 100s
    timeout server 100s
listen standard
    bind 127.0.0.1:{front}
    server one {back} {sends}
listen request
    bind 127.0.0.1:{front_request}
    server two {back_request} {sends}
"""


@dataclass(frozen=True)
class Kind:
    """A way of listening.

    :param back: HAProxy's word for where `standard` is; empty where HAProxy is not in front.
    :param sends: what HAProxy is told to send.
    """

    name: str
    standard: str
    request: str = LOOPBACK
    back: str = ""
    sends: str = ""
    back_request: str = "127.0.0.1:{request}"


def kinds(folder: Path) -> list[Kind]:
    """All that are tried."""
    proxied, two = f"haproxy:{LOOPBACK}", "send-proxy-v2"
    here, six = "127.0.0.1:{standard}", r"haproxy:tcp6:0:interface=\:\:1"
    systemd = "systemd:domain=INET:index=0"
    path = f"{folder}/socket"
    return [
        Kind("tcp", LOOPBACK),
        Kind("haproxy:tcp, version 1", proxied, proxied, here, "send-proxy"),
        Kind("haproxy:tcp, version 2", proxied, proxied, here, two),
        Kind("haproxy:tcp6", six, six, "[::1]:{standard}", two, "[::1]:{request}"),
        Kind("haproxy:unix", f"haproxy:unix:{path}:mode=660", proxied, f"unix@{path}", two),
        Kind("systemd", systemd),
        Kind("haproxy:systemd", f"haproxy:{systemd}", proxied, here, two),
        Kind("unix, no header", f"unix:{path}:mode=660", LOOPBACK, f"unix@{path}"),
        Kind("tcp, no header", LOOPBACK, LOOPBACK, here),
    ]


def _free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as one:
        return int(one.getsockname()[1])


@contextlib.contextmanager
def _listening(kind: Kind, folder: Path) -> Iterator[Server]:
    command = [*PRODUCT.command, "--standard", kind.standard, "--request", kind.request]
    command += ["--state", str(folder / "state")]
    if "systemd" in kind.standard:
        command = [sys.executable, "-c", _AS_SYSTEMD, str(_free_port()), *command]
    log = folder / "log"
    with log.open("wb") as out:
        process = start_pinned(command, out.fileno())
    try:
        server = Server(process.pid, *ports_of(process, log))
        if kind.back:
            with _proxy(kind, server, folder) as proxied:
                yield proxied
        else:
            yield server
    finally:
        end(process)


@contextlib.contextmanager
def _proxy(kind: Kind, server: Server, folder: Path) -> Iterator[Server]:
    front, front_request = _free_port(), _free_port()
    ports = {"standard": server.standard, "request": server.request}
    back, back_request = kind.back.format(**ports), kind.back_request.format(**ports)
    configuration = folder / "haproxy.cfg"
    configuration.write_text(
        _HAPROXY.format(
            front=front,
            front_request=front_request,
            back=back,
            back_request=back_request,
            sends=kind.sends,
        )
    )
    command = ("haproxy", "-q", "-db", "-f", str(configuration))
    process = subprocess.Popen(command)  # noqa: S603 - our own words
    try:
        _wait_for(front)
        yield Server(server.pid, front, front_request)
    finally:
        end(process)


def _wait_for(port: int) -> None:
    until = time.monotonic() + PATIENCE
    while time.monotonic() < until:
        with contextlib.suppress(ConnectionRefusedError):
            socket.create_connection(("127.0.0.1", port)).close()
            return
        time.sleep(0.05)
    raise RuntimeError("haproxy does not listen")


def _connect(person: Person, port: int, data: bytes) -> socket.socket:
    one = socket.socket()
    one.bind((person.source, 0))
    one.connect(("127.0.0.1", port))
    one.sendall(data)
    return one


def _closed(sockets: Sequence[socket.socket], seconds: float) -> int:
    """How many are closed by the other end within this time."""
    poll, closed = select.poll(), 0
    for one in sockets:
        poll.register(one, select.POLLIN)
    until = time.monotonic() + seconds
    while closed < len(sockets) and time.monotonic() < until:
        for fd, _ in poll.poll(100):
            closed += 1
            poll.unregister(fd)
    return closed


def _logs_in(server: Server, person: Person) -> str:
    loop = Loop()
    visit = Visit(loop, server, person)

    async def come() -> None:
        await visit.log_in()
        await visit.prove()

    try:
        loop.run(come(), PATIENCE)
    except Exception as error:  # whatever it is, it is what came out
        return f"no ({type(error).__name__})"
    finally:
        visit.close()
        loop.close()
    return "yes"


def try_one(kind: Kind, people: Sequence[Person], folder: Path) -> str:
    """A row: does somebody log in, how many half connections stay, does another log in, …"""
    with _listening(kind, folder) as server:
        first = _logs_in(server, people[0])
        half = [_connect(people[1], server.standard, b"\x16\x03\x01") for _ in range(_HALF)]
        stay = _HALF - _closed(half, _MARGIN)
        second = _logs_in(server, people[2])
        silent = [_connect(people[3], server.standard, b"") for _ in range(_SILENT)]
        closed = _closed(silent, limits.HELLO_DEADLINE + _MARGIN)
        for one in (*half, *silent):
            one.close()
    errors = (folder / "log").read_text().count("Traceback")
    cells = (kind.name, first, str(stay), second, f"{closed} of {_SILENT}", str(errors))
    return f"| {' | '.join(cells)} |"


def main() -> None:
    """See above."""
    words = sys.argv[1:]
    with tempfile.TemporaryDirectory(prefix="securecom-endpoints-") as name:
        folder = Path(name)
        people = settle(folder / "state", 4)
        print("| endpoint | logs in | half stay | the other logs in | silent closed | tracebacks |")
        print("|---|---|---|---|---|---|")
        for kind in kinds(folder):
            if not words or any(word in kind.name for word in words):
                print(try_one(kind, people, folder), flush=True)


if __name__ == "__main__":
    main()
