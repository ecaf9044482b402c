"""The server's state folder: its CA, its certificate, its registry, and what it was started with.

    FOLDER/lock                    held by the one server that runs
    FOLDER/server/ca.pem           key and certificate of the CA
    FOLDER/server/server.pem       key and certificate of the server, which renews it by itself
    FOLDER/server/registry.sqlite  names, keys, invitations
    FOLDER/server/registry.url     or else the PostgreSQL that has them, for every process that asks
    FOLDER/server/settings.json    public hosts and ports, for invitation links

`server` is made under another name and renamed once it is complete, so we never leave half of one.
Anything that is not as securecom wrote it is refused, and left as it is.
"""

from __future__ import annotations

import contextlib
import dataclasses
import fcntl
import json
import os
import shutil
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path

import platformdirs
from cryptography import x509
from twisted.internet.interfaces import IReactorThreads

from securecom import whole_files
from securecom.errors import BadArgument, BadHost, NoState, StateBusy, StateDamaged, StateUnusable
from securecom.identity import server_fingerprint, server_id
from securecom.invitation import Host
from securecom.server import certificates, database, files, postgres, postgres_registry
from securecom.server.changes import Changes
from securecom.server.postgres import Address
from securecom.server.registry import Registry
from securecom.server.sqlite_registry import SQLiteRegistry
from securecom.starting import path_named, usual_path
from securecom.tls import Credentials
from securecom.values import replace

_WHOLE = "server"
_UNFINISHED = ".new-"
_LOCK = "lock"
_CA = "ca.pem"
_LEAF = "server.pem"
_REGISTRY = "registry.sqlite"
_ADDRESS = "registry.url"
#: What is said instead of an address for the file.
SQLITE = "sqlite"
_SETTINGS = "settings.json"
_RELEASED = -1  # no descriptor

_FORMAT = 1  # of the settings file
_MAX_PORT = 65535


@dataclass(frozen=True)
class StoredSettings:
    """The public hosts, the one for links first, and the ports: 0 where there is none yet."""

    public_hosts: tuple[Host, ...] = ()
    standard_port: int = 0
    request_port: int = 0

    def to_json(self) -> bytes:
        """The file's content."""
        return json.dumps({"format": _FORMAT} | asdict(self), indent=1).encode("ascii") + b"\n"

    @classmethod
    def from_json(cls, data: bytes, what: str) -> StoredSettings:
        """Read what `to_json` wrote. :raises StateDamaged: for anything else.

        :param what: names the file in the error.
        """
        try:
            values = json.loads(data)
            if values.pop("format") != _FORMAT:
                raise ValueError
            values["public_hosts"] = _hosts(values["public_hosts"])
            settings = cls(**values)
            _check_port(settings.standard_port)
            _check_port(settings.request_port)
        except (ValueError, TypeError, KeyError, AttributeError, RecursionError, BadHost):
            raise StateDamaged(f"{what} does not hold what securecom wrote into it") from None
        return settings


def _hosts(value: object) -> tuple[Host, ...]:
    if not isinstance(value, list) or not all(isinstance(host, str) for host in value):
        raise TypeError
    return tuple(map(Host, value))


def _check_port(port: object) -> None:
    if type(port) is not int or not 0 <= port <= _MAX_PORT:
        raise ValueError


def default_state_folder(environ: Mapping[str, str] = os.environ) -> Path:
    """`$SECURECOM_STATE`, or else the platform's folder for a program's data.

    :raises BadArgument: there is no such folder.
    """
    if chosen := environ.get("SECURECOM_STATE"):
        return path_named(chosen, "SECURECOM_STATE")
    find = partial(platformdirs.user_data_dir, "securecom-server", appauthor=False)
    return usual_path(find, "--state or SECURECOM_STATE")


# --- reading --------------------------------------------------------------------------------


@dataclass
class StoredState:
    """What a state folder holds. All of it has been checked.

    :param path: the folder, with links resolved.
    :param authority: the CA with its private key.
    :param credentials: what the server shows to clients, with the CA's certificate.
    :param address: of the registry's PostgreSQL; None if the registry is a file here.
    """

    path: Path
    authority: Credentials
    credentials: Credentials
    settings: StoredSettings
    address: Address | None

    @property
    def ca(self) -> x509.Certificate:
        """The certificate that clients pin."""
        return self.authority.certificate

    @property
    def server_id(self) -> bytes:
        """The CA's fingerprint as bytes (`identity.server_id`)."""
        return server_id(self.ca)

    @property
    def fingerprint(self) -> str:
        """The CA's fingerprint as people compare it."""
        return server_fingerprint(self.server_id)

    @property
    def registry_path(self) -> Path:
        """The path of the SQLite file, if the registry is one."""
        return self.path / _WHOLE / _REGISTRY

    @property
    def address_path(self) -> Path:
        """The path of the file that names the registry's PostgreSQL."""
        return self.path / _WHOLE / _ADDRESS

    @property
    def public_hosts(self) -> tuple[Host, ...]:
        """The hosts in the certificate; the first one is in links."""
        return self.settings.public_hosts


def read_state(path: Path, now: float) -> StoredState:
    """Read the state in a folder, whether or not a server runs on it. Nothing is written.

    :raises NoState: there is none.
    :raises StateDamaged: it is not as securecom wrote it, or others can read it.
    :raises StateUnusable: the system does not allow it.
    """
    root = _resolved(path)
    whole = root / _WHOLE
    if not _is_made(root):
        raise NoState(f"{root} holds no state of a securecom server")
    files.check_folder(root)
    files.check_folder(whole)
    ca_file, leaf_file, settings_file = whole / _CA, whole / _LEAF, whole / _SETTINGS
    authority = certificates.from_pem(files.read(ca_file), str(ca_file))
    certificates.check_ca(authority.certificate, now, str(ca_file))
    leaf = certificates.from_pem(files.read(leaf_file), str(leaf_file))
    certificates.check_leaf(leaf.certificate, authority.certificate, str(leaf_file))
    settings = StoredSettings.from_json(files.read(settings_file), str(settings_file))
    address = _address_in(whole / _ADDRESS)
    if address is None:
        database.verify(whole / _REGISTRY)
    credentials = replace(leaf, ca=authority.certificate)
    return StoredState(root, authority, credentials, settings, address)


def _address_in(path: Path) -> Address | None:
    """The address in this file; None if there is no such file."""
    with files.telling(path):
        if not os.path.lexists(path):
            return None
    try:
        return Address.parse(files.read(path).decode("utf-8").removesuffix("\n"))
    except (UnicodeDecodeError, BadArgument):
        raise StateDamaged(f"{path} does not hold what securecom wrote into it") from None


def _is_made(root: Path) -> bool:
    """Whether there is anything where the finished state would be."""
    with files.telling(root):
        try:
            (root / _WHOLE).lstat()
        except (FileNotFoundError, NotADirectoryError):
            return False
    return True


def _resolved(path: Path) -> Path:
    """The folder itself may be a link, as systemd's StateDirectory is; nothing in it may be."""
    return Path(os.path.realpath(path))


# --- the running server ---------------------------------------------------------------------


class ServerState(StoredState):
    """The state in the hands of the one server that runs on it."""

    def __init__(self, stored: StoredState, lock: int) -> None:
        super().__init__(
            stored.path, stored.authority, stored.credentials, stored.settings, stored.address
        )
        self._lock = lock

    def renew(self, now: float) -> bool:
        """Replace the server's certificate if it is due. Returns whether it was replaced.

        :raises StateUnusable: it cannot be written. The old one stays in use.
        """
        due = certificates.is_due(self.credentials.certificate, self.ca, now)
        if due:
            self._issue(self.public_hosts, now)
        return due

    def serve(self, hosts: tuple[Host, ...], now: float) -> None:
        """Put these hosts into certificate and settings, and replace a certificate that is due."""
        if not certificates.is_for(self.credentials.certificate, hosts):
            self._issue(hosts, now)
        self._keep(dataclasses.replace(self.settings, public_hosts=hosts))
        self.renew(now)

    def remember_ports(self, standard_port: int, request_port: int) -> None:
        """Store the ports that the server listens on, for links; 0 where it is not a TCP port.

        :raises StateUnusable: it cannot be written.
        """
        self._keep(StoredSettings(self.public_hosts, standard_port, request_port))

    def follow(self, registry: str) -> None:
        """Take the registry that the operator names, which must be the one that there is.

        :raises BadArgument: it is another one.
        :raises OurFault: the registry is not at this address.
        """
        if (registry == SQLITE) != (self.address is None):
            there = "a file in the state folder" if self.address is None else "in PostgreSQL"
            hint = "Nothing was changed. To move it: securecom-admin migrate --to ADDRESS"
            raise BadArgument(f"this server's registry is {there}", hint)
        if self.address is not None and registry != self.address.url:
            address = Address.parse(registry)
            postgres.connect(address, self.server_id).close()
            files.replace(self.address_path, address.to_file())
            self.address = address

    def close(self) -> None:
        """Release the folder for another server."""
        lock, self._lock = self._lock, _RELEASED
        if lock != _RELEASED:
            os.close(lock)

    def _issue(self, hosts: tuple[Host, ...], now: float) -> None:
        leaf = certificates.new_leaf(self.authority, hosts, now)
        files.replace(self.path / _WHOLE / _LEAF, certificates.to_pem(leaf))
        self.credentials = leaf

    def _keep(self, settings: StoredSettings) -> None:
        if settings != self.settings:
            files.replace(self.path / _WHOLE / _SETTINGS, settings.to_json())
            self.settings = settings


def open_state(
    path: Path,
    public_hosts: Sequence[str],
    now: float,
    may_begin: bool = True,
    registry: str | None = None,
) -> ServerState:
    """Take the state in a folder, made on the first start, and hold it until `close`.

    :param public_hosts: host names and IP addresses, the one for links first.
    :param now: seconds since the epoch.
    :param may_begin: whether a new server may begin in an empty folder.
    :param registry: `SQLITE`, or the address of a PostgreSQL; None: where it is, or a new file.
    :raises BadHost: one of the hosts is neither a name nor an address.
    :raises NoState: there is none, and no new one may be made.
    :raises StateBusy: a server runs on it.
    :raises StateDamaged: it is not as securecom wrote it, or the folder belongs to another user.
    :raises StateUnusable: the system does not allow it.
    """
    hosts = tuple(dict.fromkeys(map(Host, public_hosts)))
    address = None if registry is None or registry == SQLITE else Address.parse(registry)
    root = _resolved(path)
    if not may_begin and not _is_made(root):
        hint = (
            "Nothing was changed. Restore it from a backup. If no server ever ran here, start once "
            "without --no-init."
        )
        raise NoState(f"{root} holds no state of a securecom server", hint)
    _prepare(root)
    lock = _take_lock(root)
    try:
        if not _is_made(root):
            _provision(root, hosts, now, address)
        state = ServerState(read_state(root, now), lock)
        if registry is not None:
            state.follow(registry)
        state.serve(hosts, now)
    except BaseException:
        os.close(lock)
        raise
    return state


def open_registry(state: StoredState, reactor: IReactorThreads | None = None) -> Registry:
    """Open the registry of a state, for a process with a reactor.

    :raises OurFault: it cannot be used, or is in PostgreSQL and that is away.
    """
    if state.address is not None:
        postgres.connect(state.address, state.server_id).close()
        return postgres_registry.open_pooled(state.address, state.server_id, reactor)
    path = state.registry_path
    return SQLiteRegistry(database.threaded_pool(path, reactor), Changes(path))


def open_directly(state: StoredState) -> Registry:
    """The same for a short-lived process, which waits for each answer."""
    if state.address is not None:
        return postgres_registry.open_directly(state.address, state.server_id)
    return SQLiteRegistry(database.SynchronousPool(database.connect(state.registry_path)))


# --- the first start ------------------------------------------------------------------------


def _prepare(root: Path) -> None:
    """Make the folder if it is missing; refuse one that holds anything but a state."""
    with files.telling(root):
        root.mkdir(whole_files.FOLDER_MODE, parents=True, exist_ok=True)
        names = {entry.name for entry in root.iterdir()}
    if _WHOLE in names:
        return
    if any(name != _LOCK and not name.startswith(_UNFINISHED) for name in names):
        hint = "Nothing was changed. Name an empty folder, or one that does not exist yet."
        raise StateDamaged(f"{root} is not empty and holds no state of securecom", hint)
    with files.telling(root):
        root.chmod(whole_files.FOLDER_MODE)


@contextlib.contextmanager
def held(path: Path) -> Iterator[None]:
    """Keep servers from a folder with a state. :raises StateBusy: one runs on it."""
    lock = _take_lock(_resolved(path))
    try:
        yield
    finally:
        os.close(lock)


def _take_lock(root: Path) -> int:
    path = root / _LOCK
    with files.telling(path):
        flags = os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW
        lock = os.open(path, flags, whole_files.FILE_MODE)
    try:
        # Not lockf: a POSIX lock would be lost when twistd forks to the background.
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(lock)
        hint = "Stop it first, or name another folder with --state."
        raise StateBusy(f"a server runs on {root} already", hint) from None
    except OSError as error:
        os.close(lock)
        hint = "Nothing was changed. Check the folder's disk."
        if error.errno in whole_files.NO_LOCKS:  # NFS without its lock daemon, for one
            hint = "Nothing was changed. Name a folder on a local disk with --state."
        raise StateUnusable(f"{path} cannot be locked ({error.strerror})", hint) from None
    return lock


def _provision(root: Path, hosts: tuple[Host, ...], now: float, address: Address | None) -> None:
    for left_over in root.glob(_UNFINISHED + "*"):  # from a first start that was interrupted
        shutil.rmtree(left_over, ignore_errors=True)
    ca = certificates.new_ca(now)
    leaf = certificates.new_leaf(ca, hosts, now)
    with files.telling(root):
        new = Path(tempfile.mkdtemp(prefix=_UNFINISHED, dir=root))
        files.create(new / _CA, certificates.to_pem(ca))
        files.create(new / _LEAF, certificates.to_pem(leaf))
        files.create(new / _SETTINGS, StoredSettings(hosts).to_json())
        if address is None:
            database.create(new / _REGISTRY)
        else:
            files.create(new / _ADDRESS, address.to_file())
            postgres.begin(address, server_id(ca.certificate))
        whole_files.sync_folder(new)
        new.rename(root / _WHOLE)
        whole_files.sync_folder(root)
