"""Who takes part in `./dev bench`: this version, an earlier one, and servers that others wrote."""

from __future__ import annotations

import contextlib
import importlib.util
import os
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

from benchmarks.generating import SOURCE, CannotMeasure

#: Accounts at a server: those of 1,000 pairs, and a few more.
PEOPLE = 2100
#: Seconds for a server to open its port, and to end.
_PATIENCE = 30.0
_SETTING_UP = 600
_PEERS = SOURCE / "peers"


@dataclass(frozen=True)
class Place:
    """Where one contender works: a folder that is removed afterwards, and its ports."""

    folder: Path
    port: int
    other_port: int
    backend: int

    def write(self, template: str) -> Path:
        """The configuration of this name, filled in."""
        text = (_PEERS / template).read_text()
        values = {"RUN": self.folder, "PORT": self.port}
        values |= {"OTHER": self.other_port, "BACKEND": self.backend}
        for name, value in values.items():
            text = text.replace(f"@{name}@", str(value))
        path = self.folder / template
        path.write_text(text)
        return path


Command = Callable[[Place], tuple[list[str], dict[str, str]]]


@dataclass(frozen=True)
class Contender:
    """A server that can be measured.

    :param command: its words and the additional environment, at a place.
    :param driver: how the generator speaks to it.
    :param options: further options of the generator.
    :param ours: whether it is a version of securecom.
    """

    name: str
    command: Command
    driver: str
    options: tuple[str, ...] = ()
    ours: bool = False
    version: str = ""


# --- securecom ------------------------------------------------------------------------------


@dataclass(frozen=True)
class Tree:
    """A version of securecom in a folder, with the Python of its environment.

    :param also: where this Python finds more modules.
    """

    folder: Path
    python: Path
    protocol: int
    also: Path | None = None

    def environment(self) -> dict[str, str]:
        """What makes this Python import this version."""
        return {"PYTHONPATH": os.pathsep.join(map(str, filter(None, (self.folder, self.also))))}

    def settle(self, state: Path, people: Path, count: int = PEOPLE) -> None:
        """Make accounts, with this version's own code."""
        script = Path(__file__).with_name("bench_people.py")
        words = [str(self.python), "-P", str(script), str(state), str(people), str(count)]
        _checked(words, self.folder, self.environment())

    def has_reactor(self, name: str) -> bool:
        """Whether its Twisted finds a reactor of this name."""
        asked = (
            "from twisted.application.reactors import getReactorTypes as types\n"
            f"raise SystemExit({name!r} not in [one.shortName for one in types()])"
        )
        words = [str(self.python), "-P", "-c", asked]
        environment = {**os.environ, **self.environment()}
        done = subprocess.run(  # noqa: S603 - our own words
            words, cwd=self.folder, env=environment, capture_output=True, check=False
        )
        return not done.returncode

    def contender(self, name: str, folder: Path, *twistd: str) -> Contender:
        """This version as a server over the accounts in `folder`."""

        def command(place: Place) -> tuple[list[str], dict[str, str]]:
            where = "interface=127.0.0.1"
            return [
                *(str(self.python), str(self.python.with_name("twistd")), *twistd),
                *("-n", "--pidfile=", "securecom", "--no-dial"),
                *("--standard", f"tcp:{place.port}:{where}"),
                *("--request", f"tcp:{place.other_port}:{where}"),
                *("--state", str(folder / "state")),
            ], self.environment()

        options = ("--protocol", str(self.protocol), "--people", str(folder / "people"))
        return Contender(name, command, "securecom", options, ours=True)


def earlier_tree(root: Path, revision: str, folder: Path) -> Tree:
    """A worktree of an earlier revision with an environment of its own, made once.

    :raises CannotMeasure: if there is no such revision, or its environment cannot be made.
    """
    git = shutil.which("git") or "git"
    full = _checked([git, "rev-parse", "--verify", f"{revision}^{{commit}}"], root).strip()
    # --force: the folder of an earlier run may have been removed behind the back of git
    tree = folder / f"tree-{full[:12]}"
    if not tree.is_dir():
        _checked([git, "worktree", "add", "--force", "--detach", str(tree), full], root)
    _checked([str(tree / "dev"), "run", "true"], tree)
    protocol = 2 if "securecom-standard/2" in _sources(tree / "securecom") else 1
    return Tree(tree, tree / ".venv" / "bin" / "python", protocol)


def compiled(root: Path, folder: Path) -> Path:
    """A folder with the compiled relay, built for this.

    :raises CannotMeasure: if it cannot be built, or every server here would use one.
    """
    if importlib.util.find_spec("securecom_fast") is not None:
        raise CannotMeasure("it is installed, so every server uses it: ./dev fast --remove")
    target = folder / "fast"
    shutil.rmtree(target, ignore_errors=True)
    pip = [sys.executable, "-m", "pip", "--disable-pip-version-check", "install", "--quiet"]
    local = ["--no-index", "--no-deps", "--no-build-isolation", "--target", str(target)]
    _checked([*pip, *local, str(root / "fast")], root)
    return target


def _sources(folder: Path) -> str:
    return (folder / "tls.py").read_text()


def _checked(words: list[str], folder: Path, more: dict[str, str] | None = None) -> str:
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    try:
        done = subprocess.run(  # noqa: S603 - our own words
            words,
            cwd=folder,
            env={**environment, **(more or {})},
            capture_output=True,
            text=True,
            timeout=_SETTING_UP,
            check=False,
        )
    except subprocess.TimeoutExpired:
        raise CannotMeasure(f"{words[0]} took more than {_SETTING_UP} s") from None
    if done.returncode:
        raise CannotMeasure(f"{' '.join(words[:3])} failed: {done.stderr[-500:]}")
    return done.stdout


# --- the others -----------------------------------------------------------------------------

_MODULE = Path("/usr/lib/nginx/modules/ngx_stream_module.so")
_ERL = "+K true +P 250000 +S 1:1 +SDcpu 1 +SDio 1 +A 1 +sbwt none +sbwtdcpu none +sbwtdio none"


def _nginx(place: Place) -> tuple[list[str], dict[str, str]]:
    return ["nginx", "-c", str(place.write("nginx.conf"))], {}


def _haproxy(place: Place) -> tuple[list[str], dict[str, str]]:
    return ["haproxy", "-db", "-f", str(place.write("haproxy.cfg"))], {}


def _mosquitto(place: Place) -> tuple[list[str], dict[str, str]]:
    return ["mosquitto", "-c", str(place.write("mosquitto.conf"))], {}


def _ngircd(place: Place) -> tuple[list[str], dict[str, str]]:
    return ["ngircd", "-n", "-f", str(place.write("ngircd.conf"))], {}


def _prosody(place: Place) -> tuple[list[str], dict[str, str]]:
    accounts = place.folder / "prosody-data" / "localhost" / "accounts"
    accounts.mkdir(parents=True)
    for number in range(PEOPLE // 2):
        for side in "ab":
            text = f'return {{ ["password"] = "{side}{number}"; }};\n'
            (accounts / f"{side}{number}.dat").write_text(text)
    return ["prosody", "--config", str(place.write("prosody.cfg.lua"))], {}


def _ejabberd(place: Place) -> tuple[list[str], dict[str, str]]:
    """One scheduler, as it has one core; the database in memory only."""
    environment = {
        "EJABBERD_CONFIG_PATH": str(place.write("ejabberd.yml")),
        "EJABBERD_LOG_PATH": str(place.folder / "ejabberd.log"),
        "ERL_LIBS": "/usr/lib/x86_64-linux-gnu",
        "ERL_MAX_PORTS": "32000",
        "ERL_CRASH_DUMP": str(place.folder / "crash.dump"),
        "HOME": str(place.folder),
    }
    database = ["-mnesia", "dir", f'"{place.folder}/mnesia"']
    return ["erl", *_ERL.split(), "-noinput", *database, "-s", "ejabberd"], environment


@dataclass(frozen=True)
class Peer:
    """A server of others: its program, and Debian's packages that bring it."""

    contender: Contender
    program: str
    packages: str
    needs: tuple[Path, ...] = field(default=())

    def installed(self) -> bool:
        """Whether it can be started."""
        return shutil.which(self.program) is not None and all(one.exists() for one in self.needs)

    def version(self) -> str:
        """Of the package, as Debian numbers it."""
        words = ["dpkg-query", "-W", "-f", "${Version}", self.packages.split()[0]]
        try:
            return _checked(words, Path("/"))
        except (CannotMeasure, OSError):
            return "?"


PEERS = (
    Peer(
        Contender("nginx stream", _nginx, "raw"),
        "nginx",
        "nginx-light libnginx-mod-stream",
        (_MODULE,),
    ),
    Peer(Contender("HAProxy", _haproxy, "raw"), "haproxy", "haproxy"),
    Peer(Contender("mosquitto", _mosquitto, "mqtt"), "mosquitto", "mosquitto"),
    Peer(Contender("ejabberd", _ejabberd, "xmpp"), "ejabberdctl", "ejabberd"),
    Peer(Contender("Prosody", _prosody, "xmpp"), "prosody", "prosody"),
    Peer(Contender("ngIRCd", _ngircd, "irc"), "ngircd", "ngircd"),
)


# --- running --------------------------------------------------------------------------------


def certificate(folder: Path) -> None:
    """A self-signed P-256 certificate for the servers of others: server.crt, .key, and .pem."""
    key, crt = folder / "server.key", folder / "server.crt"
    words = "req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 30"
    names = ["-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost"]
    openssl = shutil.which("openssl") or "openssl"
    _checked([openssl, *words.split(), *names, "-keyout", str(key), "-out", str(crt)], folder)
    (folder / "server.pem").write_text(crt.read_text() + key.read_text())


def free_ports(count: int) -> list[int]:
    """Ports of 127.0.0.1 on which nobody listens now."""
    with contextlib.ExitStack() as stack:
        sockets = [stack.enter_context(socket.socket()) for _ in range(count)]
        for one in sockets:
            one.bind(("127.0.0.1", 0))
        return [int(one.getsockname()[1]) for one in sockets]


@contextlib.contextmanager
def running(contender: Contender, place: Place, core: int) -> Iterator[int]:
    """Its process id, while it runs on this core; it has ended when the context has.

    :raises CannotMeasure: if it does not open its port.
    """
    words, environment = contender.command(place)
    log = place.folder / "log"
    with log.open("wb") as out:
        process = subprocess.Popen(  # noqa: S603 - our own words
            [shutil.which("taskset") or "taskset", "-c", str(core), *words],
            env={**os.environ, **environment},
            cwd=place.folder,
            stdin=subprocess.DEVNULL,
            stdout=out,
            stderr=out,
        )
    try:
        _wait_for(process, place.port, log)
        yield process.pid
    finally:
        process.terminate()
        try:
            process.wait(_PATIENCE)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def _wait_for(process: subprocess.Popen[bytes], port: int, log: Path) -> None:
    until = time.monotonic() + _PATIENCE
    while time.monotonic() < until and process.poll() is None:
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), 1):
            time.sleep(0.5)  # it notices that this connection has ended
            return
        time.sleep(0.1)
    raise CannotMeasure(f"it opened no port: {log.read_text(errors='replace')[-500:]}")
