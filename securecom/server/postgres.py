"""The registry's PostgreSQL: its address, its tables, connections to it, and its errors.

`adbapi.ConnectionPool` takes this module for a DB-API module, so that every connection of a pool is
made and checked by `connect`.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from dataclasses import dataclass
from ipaddress import ip_address
from pathlib import Path
from typing import Any
from urllib.parse import SplitResult, parse_qsl, unquote, urlsplit

from securecom import limits
from securecom.errors import (
    BadArgument,
    OurFault,
    RegistryAway,
    StateBusy,
    StateDamaged,
    StateUnusable,
)
from securecom.server import files

#: What adbapi looks at: the DB-API's version, and that threads may share the module.
apilevel, threadsafety = "2.0", 1

# --- the address ----------------------------------------------------------------------------

_SCHEMES = ("postgresql", "postgres")
#: What an address may have after its question mark. The password is in a file.
_PARAMETERS = frozenset(
    {
        *("host", "port", "user", "dbname", "passfile", "target_session_attrs"),
        *("sslmode", "sslrootcert", "sslcert", "sslkey", "sslcrl"),
    }
)
_TLS_MODES = ("disable", "allow", "prefer", "require", "verify-ca", "verify-full")
#: Checks the certificate and the host's name in it.
_SAFE = "verify-full"
_SOCKETS = (Path("/var/run/postgresql"), Path("/tmp"))  # noqa: S108  # where packages put theirs


@dataclass(frozen=True)
class Address:
    """Where a registry is, and how it is reached.

    :param url: as the admin wrote it; it holds no password.
    :param given: libpq's parameters in it.
    """

    url: str
    given: dict[str, str]

    @classmethod
    def parse(cls, url: str) -> Address:
        """Read `postgresql://USER@HOST/DATABASE?…`. :raises BadArgument: it is something else."""
        try:
            parts = urlsplit(url)
            more = parse_qsl(parts.query, keep_blank_values=True, strict_parsing=bool(parts.query))
        except ValueError:
            raise BadArgument("the registry's address is no URL", _LOOKS_LIKE) from None
        if parts.scheme not in _SCHEMES or parts.fragment or not url.isprintable():
            raise BadArgument("the registry's address is no URL of PostgreSQL", _LOOKS_LIKE)
        given = _named_in(parts) | dict(more)
        if "password" in given:
            raise BadArgument(
                "the registry's address has a password in it",
                "Nothing was changed. Take it out, and name a file in the form of .pgpass with "
                "?passfile=FILE: docs/operations.md.",
            )
        for name in given.keys() - _PARAMETERS:
            raise BadArgument(f"the registry's address has {name!r} in it", _LOOKS_LIKE)
        if given.get("sslmode", _SAFE) not in _TLS_MODES:
            raise BadArgument(f"sslmode is one of {', '.join(_TLS_MODES)}", _LOOKS_LIKE)
        return cls(url, given)

    def to_file(self) -> bytes:
        """The content of a file that holds it."""
        return self.url.encode("utf-8") + b"\n"

    @property
    def is_local(self) -> bool:
        """Whether nothing leaves this machine on the way to it."""
        return all(map(_is_local, self._hosts.split(",")))

    @property
    def warning(self) -> str:
        """What the admin has given up, or nothing."""
        mode = self.given.get("sslmode", _SAFE)
        if self.is_local or mode == _SAFE:
            return ""
        return (
            f"the registry's address has sslmode={mode}: whoever is between here and PostgreSQL "
            f"can pose as it. Use {_SAFE}, which is what it is without sslmode"
        )

    @property
    def _hosts(self) -> str:
        there = next((path for path in _SOCKETS if path.is_dir()), _SOCKETS[0])
        return self.given.get("host") or str(there)

    def parameters(self) -> dict[str, object]:
        """All that libpq is told; what it would take from its environment is said here."""
        milliseconds = round(limits.DATABASE_BUSY * 1000)
        settings = {
            "search_path": SCHEMA,
            "lock_timeout": milliseconds,
            "statement_timeout": round(limits.REGISTRY_DEADLINE * 1000),
            "idle_in_transaction_session_timeout": milliseconds,
        }
        return {
            "sslmode": "prefer" if self.is_local else _SAFE,
            "target_session_attrs": "read-write",
            **self.given,
            "host": self._hosts,
            "gssencmode": "disable",  # it would take the place of TLS
            "connect_timeout": limits.REGISTRY_CONNECT,
            "keepalives_idle": limits.REGISTRY_CONNECT,
            "keepalives_interval": limits.REGISTRY_CONNECT,
            "keepalives_count": 2,
            "tcp_user_timeout": round(limits.REGISTRY_DEADLINE * 1000),
            "application_name": "securecom",
            "client_encoding": "UTF8",
            "options": " ".join(f"-c {name}={value}" for name, value in settings.items()),
        }


_LOOKS_LIKE = (
    "Nothing was changed. It looks like postgresql://USER@HOST/DATABASE?passfile=FILE: "
    "docs/operations.md."
)


def _named_in(parts: SplitResult) -> dict[str, str]:
    """What stands in front of the question mark, as parameters."""
    account, _, where = parts.netloc.rpartition("@")
    user, colon, _ = account.partition(":")
    hosts = [_host_and_port(one) for one in where.split(",")]
    named = {
        "user": unquote(user),
        "host": ",".join(host for host, _ in hosts),
        "port": ",".join(port for _, port in hosts),
        "dbname": unquote(parts.path.removeprefix("/")),
    }
    found = {name: value for name, value in named.items() if value.strip(",")}
    return found | {"password": ""} if colon else found


def _host_and_port(text: str) -> tuple[str, str]:
    """`[::1]:5432`, `db:5432` or `%2Frun%2Fpg` in two."""
    host, colon, port = text.rpartition(":")
    if not colon or text.endswith("]"):
        host, port = text, ""
    return unquote(host.removeprefix("[").removesuffix("]")), port


def _is_local(host: str) -> bool:
    if host.startswith(("/", "@")) or host == "localhost":
        return True
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return False


# --- the schema -----------------------------------------------------------------------------

#: A schema of our own: what else is in the database is not ours, and not in our way.
SCHEMA = "securecom"
# The columns stand as in the file of SQLite (`database`), which says why each is there. Names have
# the order of their bytes, whatever the database's language.
_TABLES = (
    # One row. Who writes locks it first, so nobody else writes meanwhile.
    """CREATE TABLE registry (
        singleton boolean PRIMARY KEY DEFAULT true CHECK (singleton),
        version integer NOT NULL,
        server bytea NOT NULL CHECK (length(server) = 32),
        number bigint NOT NULL DEFAULT 0,
        moved boolean NOT NULL DEFAULT false
    )""",
    """CREATE TABLE users (
        name text COLLATE "C" PRIMARY KEY,
        key bytea UNIQUE CHECK (length(key) = 32),
        disabled integer NOT NULL DEFAULT 0 CHECK (disabled IN (0, 1)),
        created double precision NOT NULL,
        second bytea CHECK (length(second) = 32)
    )""",
    """CREATE TABLE invitations (
        number bigint GENERATED BY DEFAULT AS IDENTITY PRIMARY KEY,
        name text COLLATE "C" NOT NULL,
        token_hash bytea NOT NULL UNIQUE CHECK (length(token_hash) = 32),
        expires double precision NOT NULL
    )""",
    "CREATE INDEX invitations_by_name ON invitations (name)",
    """CREATE TABLE blocks (
        blocker text COLLATE "C" NOT NULL REFERENCES users (name) ON DELETE CASCADE,
        blocked text COLLATE "C" NOT NULL CHECK (blocked <> blocker),
        PRIMARY KEY (blocker, blocked)
    )""",
    "CREATE INDEX blocks_by_blocked ON blocks (blocked)",
    """CREATE TABLE quarantine (
        name text COLLATE "C" PRIMARY KEY, until double precision NOT NULL
    )""",
    """CREATE TABLE successions (
        name text COLLATE "C" NOT NULL REFERENCES users (name) ON DELETE CASCADE,
        number integer NOT NULL,
        old_key bytea NOT NULL UNIQUE CHECK (length(old_key) = 32),
        new_key bytea NOT NULL UNIQUE CHECK (length(new_key) = 32),
        old_signature bytea NOT NULL CHECK (length(old_signature) = 64),
        new_signature bytea NOT NULL CHECK (length(new_signature) = 64),
        old_second_key bytea CHECK (length(old_second_key) = 1952),
        old_second_signature bytea CHECK (length(old_second_signature) = 3309),
        new_second bytea CHECK (length(new_second) = 32),
        PRIMARY KEY (name, number)
    )""",
    """CREATE TABLE retirement_keys (
        name text COLLATE "C" PRIMARY KEY REFERENCES users (name) ON DELETE CASCADE,
        public bytea NOT NULL CHECK (length(public) = 64)
    )""",
    """CREATE TABLE retired_keys (
        retired bytea PRIMARY KEY CHECK (length(retired) = 32),
        name text COLLATE "C" NOT NULL REFERENCES users (name) ON DELETE CASCADE,
        public bytea NOT NULL CHECK (length(public) = 64),
        signature bytea NOT NULL CHECK (length(signature) = 5325)
    )""",
    "CREATE INDEX retired_keys_by_name ON retired_keys (name)",
    # The last changes, for other nodes: whose entry has changed, NULL if several have or the person
    # is gone; and which process did it.
    """CREATE TABLE changes (
        number bigint PRIMARY KEY,
        name text COLLATE "C" REFERENCES users (name) ON DELETE SET NULL,
        writer bytea NOT NULL
    )""",
    "CREATE INDEX changes_by_name ON changes (name)",
)
#: The schema, step by step, as in `database.STEPS`.
STEPS: tuple[tuple[str, ...], ...] = (_TABLES,)
#: The version of a registry after all of them.
VERSION = len(STEPS)

#: Whoever uses the registry holds this lock, which all can share but the one who moves it ("scom").
_IN_USE = 0x73636F6D
_RELATIONS = f"SELECT count(*) FROM pg_class WHERE relnamespace = '{SCHEMA}'::regnamespace"  # noqa: S608
_TRANSACTION = "BEGIN ISOLATION LEVEL READ COMMITTED READ WRITE"


# --- connections ----------------------------------------------------------------------------


def driver() -> Any:
    """The module psycopg. :raises StateUnusable: it is not installed."""
    try:
        import psycopg
    except ImportError:
        raise StateUnusable(
            "psycopg, which speaks to PostgreSQL, is not installed",
            "Nothing was changed. Install it: pip install 'securecom-chat[cluster]'.",
        ) from None
    return psycopg


def connect(address: Address, server: bytes) -> Any:
    """A connection to the registry of this server; it is in no transaction.

    :raises OurFault: there is none, it is another server's, or it cannot be had.
    """
    connection = reach(address)
    try:
        with readable():
            _check(connection, server)
            _share(connection)
    except BaseException:
        connection.close()
        raise
    return connection


def reach(address: Address) -> Any:
    """A connection to the database, whatever is in it. :raises OurFault: if it cannot be had."""
    if passfile := address.given.get("passfile"):
        files.check_file(Path(passfile))
    with readable():
        connection = driver().connect(**address.parameters(), autocommit=True)
        connection.execute(
            "SELECT set_config('synchronous_commit', 'on', false) "
            "WHERE current_setting('synchronous_commit') = 'off'"
        )
    return connection


def create(connection: Any, server: bytes) -> None:
    """Make the tables of a new registry, for this server; part of the caller's transaction.

    :raises StateDamaged: there are some already.
    """
    if _one(connection, f"SELECT to_regnamespace('{SCHEMA}')") is None:
        connection.execute(f"CREATE SCHEMA {SCHEMA}")
    elif _one(connection, _RELATIONS):
        raise StateDamaged(
            f"the schema {SCHEMA} of this database is not empty",
            "Nothing was changed. Name another database; or, if nobody needs what is in it any "
            f"more: DROP SCHEMA {SCHEMA} CASCADE.",
        )
    for step in STEPS:
        for statement in step:
            connection.execute(statement)
    connection.execute("INSERT INTO registry (version, server) VALUES (%s, %s)", (VERSION, server))


def begin(address: Address, server: bytes) -> None:
    """Make the registry of a new server. :raises OurFault: there is one, or it cannot be made."""
    with contextlib.closing(reach(address)) as connection, transaction(connection):
        create(connection, server)


@contextlib.contextmanager
def transaction(connection: Any) -> Iterator[None]:
    """What is done with the connection inside happens whole or not at all.

    :raises OurFault: it did not.
    """
    with readable():
        connection.execute(_TRANSACTION)
        try:
            yield
            connection.execute("COMMIT")
        except BaseException:
            if not connection.closed:
                connection.execute("ROLLBACK")
            raise


def take_over(connection: Any) -> None:
    """Be the only one who uses the registry, until the connection is closed.

    :raises StateBusy: somebody uses it.
    """
    connection.execute("SELECT pg_advisory_unlock_shared(%s)", (_IN_USE,))
    if not _one(connection, f"SELECT pg_try_advisory_lock({_IN_USE})"):
        raise StateBusy(
            "a server or securecom-admin uses the registry", "Nothing was changed. Stop it first."
        )


def _share(connection: Any) -> None:
    if not _one(connection, f"SELECT pg_try_advisory_lock_shared({_IN_USE})"):
        raise StateBusy("the registry is being moved")


def check_version(version: int) -> None:
    """:raises StateDamaged: if a newer version of securecom has written the registry."""
    if version > VERSION:
        hint = "Nothing was changed. Use that version, or a backup from before it."
        raise StateDamaged(f"a newer securecom has written the registry ({version})", hint)


def _check(connection: Any, server: bytes) -> None:
    """See whether this is the server's registry."""
    if _one(connection, "SELECT to_regclass('registry')") is None:
        raise StateDamaged(
            "this database holds no registry of securecom",
            "Nothing was changed. Check its name in the address, or restore it from a backup.",
        )
    row = connection.execute("SELECT version, server, moved FROM registry").fetchone()
    if row is None:
        raise StateDamaged("this database holds half a registry")
    version, owner, moved = row
    check_version(version)
    if owner != server:
        raise StateDamaged(
            "the registry in this database is another server's",
            "Nothing was changed. Each server needs a database of its own.",
        )
    if moved:
        raise StateDamaged(
            "the registry was moved out of this database",
            "Nothing was changed. If this folder has a registry.sqlite, delete registry.url in it.",
        )


def _one(connection: Any, statement: str) -> Any:
    return connection.execute(statement).fetchone()[0]


# --- errors ---------------------------------------------------------------------------------

_LOST = ("08", "57P", "25P03")  # also: it is shutting down, we were idle for too long
_AWAY = (*_LOST, "53300", "25006")  # also: too many connections, a server that only reads
_BUSY = ("55P03", "57014", "40")
_DAMAGED = ("22", "23", "XX")


def is_error(error: BaseException) -> bool:
    """Whether psycopg has raised it."""
    return hasattr(error, "sqlstate")


def is_lost(connection: Any, error: BaseException) -> bool:
    """Whether the connection is of no use after this error."""
    return bool(connection.closed) or (getattr(error, "sqlstate", None) or "").startswith(_LOST)


@contextlib.contextmanager
def readable() -> Iterator[None]:
    """:raises OurFault: what an error of psycopg means."""
    try:
        yield
    except Exception as error:
        if is_error(error):
            raise meaning(error) from None
        raise


def words(error: BaseException) -> str:
    """What PostgreSQL or libpq said, in one line."""
    return " ".join(str(error).split())[: limits.ENGINE_WORDS] or type(error).__name__


def meaning(error: BaseException) -> OurFault:
    """Away, busy, damaged, or in the way."""
    state = getattr(error, "sqlstate", None) or ""
    text = words(error)
    if not state or state.startswith(_AWAY):
        return RegistryAway(f"the registry's PostgreSQL cannot be used ({text})")
    if state.startswith(_BUSY):
        return StateBusy(f"others keep the registry busy ({text})")
    if state.startswith(_DAMAGED):
        return StateDamaged(f"the registry is damaged ({text})")
    return StateUnusable(
        f"the registry cannot be used ({text})",
        "Nothing was changed. Check what PostgreSQL lets this user do: docs/operations.md.",
    )
