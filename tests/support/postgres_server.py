"""A real PostgreSQL for tests: a cluster in a temporary folder, which ends with the tests.

PostgreSQL refuses to run as root; then it runs as `postgres`, or as nobody.
"""

from __future__ import annotations

import atexit
import contextlib
import os
import pwd
import shutil
import signal
import subprocess
import tempfile
import time
from pathlib import Path
from typing import Any

from tests.support.ports import OwnPort
from tests.support.processes import DEADLINE

#: Where packages put the programs that are not for everybody's PATH.
_PLACES = ("/usr/lib/postgresql/*/bin", "/usr/pgsql-*/bin", "/opt/homebrew/opt/postgresql*/bin")
#: Nothing here outlives the machine, so nothing has to survive its loss of power.
_SETTINGS = {"fsync": "off", "max_connections": "60", "shared_buffers": "16MB"}
_ACCOUNTS = ("postgres", "nobody")
#: The data of a server that was never started; each process makes one.
_template: Path | None = None


def programs() -> Path | None:
    """The folder with `initdb` and `postgres`; None where PostgreSQL is not installed."""
    found = [path.parent for place in _PLACES for path in Path("/").glob(f"{place[1:]}/initdb")]
    if found:
        return max(found)
    on_path = shutil.which("initdb")
    return None if on_path is None else Path(on_path).resolve().parent


def missing() -> str:
    """Why there can be no server, or nothing."""
    if programs() is None:
        return "there is no PostgreSQL"
    try:
        import psycopg  # noqa: F401
    except ImportError:
        return "there is no psycopg"
    return ""


def _account() -> dict[str, Any]:
    """How to start a program that refuses to run as root."""
    if os.geteuid() != 0:
        return {}
    known = [pwd.getpwnam(name) for name in _ACCOUNTS if _is_known(name)]
    return {"user": known[0].pw_uid, "group": known[0].pw_gid, "extra_groups": []}


def _private_folder(account: dict[str, Any]) -> Path:
    """A new folder, whose path is short enough for a socket in it."""
    folder = Path(tempfile.mkdtemp(prefix="pg-", dir="/tmp"))
    if account:
        os.chown(folder, account["user"], account["group"])
    return folder


def _is_known(name: str) -> bool:
    try:
        pwd.getpwnam(name)
    except KeyError:
        return False
    return True


class PostgresServer:
    """One server with its own data. `port` is free on the loopback address."""

    def __init__(self, **settings: str) -> None:
        there = programs()
        assert there is not None
        self._programs, self._account = there, _account()
        self.folder = _private_folder(self._account)
        atexit.register(self.remove)
        self._own_port = OwnPort()
        self.port = self._own_port.number
        self._process: subprocess.Popen[bytes] | None = None
        self._databases = 0
        self._settings = {
            **_SETTINGS,
            "port": str(self.port),
            "listen_addresses": "127.0.0.1",
            "unix_socket_directories": str(self.folder),
            **settings,
        }
        if _template is None:
            self._run("initdb", "-D", self._data, "-U", "postgres", "-A", "trust", "--no-sync")
            self._run("cp", "-a", self._data, str(self._new_template()))
        else:
            self._run("cp", "-a", str(_template), self._data)

    @property
    def _data(self) -> str:
        return str(self.folder / "data")

    def _new_template(self) -> Path:
        """Where its data are kept as they are now, for servers that come later in this process."""
        global _template  # noqa: PLW0603
        folder = _private_folder(self._account)
        atexit.register(shutil.rmtree, folder, ignore_errors=True)
        _template = folder / "data"
        return _template

    def _run(self, name: str, *words: str) -> None:
        program = self._programs / name
        subprocess.run(
            [str(program) if program.exists() else name, *words],
            check=True,
            cwd=self.folder,
            stdout=subprocess.DEVNULL,
            timeout=DEADLINE,
            **self._account,
        )

    def write(self, name: str, text: str, mode: int = 0o600) -> Path:
        """A file of the server's own, beside its data."""
        path = self.folder / name
        path.write_text(text)
        path.chmod(mode)
        if self._account:
            os.chown(path, self._account["user"], self._account["group"])
        return path

    # --- starting and ending ----------------------------------------------------------------

    def start(self) -> None:
        """Returns when it takes connections."""
        options = [
            word for name, value in self._settings.items() for word in ("-c", f"{name}={value}")
        ]
        with (self.folder / "log").open("ab") as log:
            self._process = subprocess.Popen(
                [str(self._programs / "postgres"), "-D", self._data, *options],
                cwd=self.folder,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                **self._account,
            )
        end = time.monotonic() + DEADLINE
        while not self._is_ready():
            if time.monotonic() > end or self._process.poll() is not None:
                raise AssertionError((self.folder / "log").read_text())
            time.sleep(0.02)

    def _is_ready(self) -> bool:
        import psycopg

        try:
            psycopg.connect(host=str(self.folder), port=self.port, user="postgres").close()
        except psycopg.Error:
            return False
        return True

    def end(self, number: int = signal.SIGINT) -> None:
        """End it: SIGINT is its fast shutdown; after SIGKILL its children see to themselves."""
        process, self._process = self._process, None
        if process is None:
            return
        children = _children(process.pid)
        process.send_signal(number)
        process.wait(DEADLINE)
        end = time.monotonic() + DEADLINE
        while any(Path(f"/proc/{pid}").exists() for pid in children) and time.monotonic() < end:
            time.sleep(0.02)  # they have to notice it

    def signal(self, number: int) -> None:
        """Stop and continue it, with all of its children."""
        assert self._process is not None
        children = _children(self._process.pid)
        os.kill(self._process.pid, number)
        for pid in children:
            with contextlib.suppress(ProcessLookupError):  # it has ended meanwhile, as they do
                os.kill(pid, number)

    def remove(self) -> None:
        """End it and delete it."""
        atexit.unregister(self.remove)
        if self._process is not None:
            self.signal(signal.SIGCONT)
        self.end()
        self._own_port.release()
        shutil.rmtree(self.folder, ignore_errors=True)

    # --- databases --------------------------------------------------------------------------

    def admin(self, database: str = "postgres") -> Any:
        """A superuser's connection."""
        import psycopg

        where = {"host": str(self.folder), "port": self.port, "user": "postgres"}
        return psycopg.connect(dbname=database, autocommit=True, **where)  # type: ignore[arg-type, unused-ignore]

    def database(self) -> str:
        """A new, empty one, of an ordinary role `securecom`. Returns its name."""
        self._databases += 1
        name = f"test{self._databases}"
        with self.admin() as admin:
            if not admin.execute("SELECT 1 FROM pg_roles WHERE rolname = 'securecom'").fetchone():
                admin.execute("CREATE ROLE securecom LOGIN PASSWORD 'secret'")
            admin.execute(f"CREATE DATABASE {name} OWNER securecom")
        return name

    def url(self, database: str) -> str:
        """Its address by the unix socket."""
        return f"postgresql://securecom@/{database}?host={self.folder}&port={self.port}"


def _children(pid: int) -> list[int]:
    listed = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    return [int(child) for child in listed]
