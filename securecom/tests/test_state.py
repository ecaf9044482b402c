"""The state folder: made whole on the first start, unchanged on later ones, locked."""

from __future__ import annotations

import errno
import fcntl
import os
from pathlib import Path
from typing import cast

from twisted.internet.interfaces import IReactorThreads
from twisted.internet.testing import MemoryReactorClock

from securecom import limits, tls, whole_files
from securecom.errors import BadArgument, BadHost, NoState, StateBusy, StateDamaged, StateUnusable
from securecom.identity import server_fingerprint, server_id
from securecom.server import certificates, database, files
from securecom.server.database import SynchronousPool, connect
from securecom.server.sqlite_registry import SQLiteRegistry
from securecom.server.state import (
    SQLITE,
    ServerState,
    default_state_folder,
    open_registry,
    open_state,
    read_state,
)
from securecom.tests.support.state_case import (
    CA,
    DAY,
    HOSTS,
    LEAF,
    NOW,
    REGISTRY,
    SETTINGS,
    StateCase,
    snapshot,
)


class FirstStartTests(StateCase):
    def test_everything_is_private(self) -> None:
        self.start(*HOSTS)
        modes = {name: mode & 0o777 for name, (mode, _, _) in snapshot(self.folder).items()}
        folder = modes.pop("server")
        self.assertEqual((folder, self.folder.stat().st_mode & 0o777), (0o700, 0o700))
        names = {"lock", *(f"server/{name}" for name in (CA, LEAF, REGISTRY, SETTINGS))}
        self.assertEqual(modes, dict.fromkeys(names, 0o600))

    # Promise T112
    def test_private_even_with_a_careless_umask(self) -> None:
        before = os.umask(0)
        self.addCleanup(os.umask, before)
        self.test_everything_is_private()

    def test_it_is_usable(self) -> None:
        state = self.start(*HOSTS)
        self.assertEqual(state.public_hosts, ("chat.example.org", "192.0.2.7"))
        self.assertEqual(state.server_id, server_id(state.ca))
        self.assertEqual(state.fingerprint, server_fingerprint(server_id(state.ca)))
        self.assertEqual(state.credentials.ca, state.ca)
        self.assertTrue(certificates.is_for(state.credentials.certificate, state.public_hosts))
        tls.standard_server(state.credentials)
        registry = SQLiteRegistry(SynchronousPool(connect(state.registry_path)))
        self.assertEqual(self.successResultOf(registry.users()), [])
        registry.close()

    def test_in_an_empty_folder_that_others_could_read(self) -> None:
        self.folder.mkdir(mode=0o755)
        self.start()
        self.assertEqual(self.folder.stat().st_mode & 0o777, 0o700)

    def test_in_folders_that_are_to_be_made(self) -> None:
        self.folder = self.folder / "deep" / "down"
        self.start()
        self.assertTrue(self.inside(CA).exists())

    def test_behind_a_link_to_the_folder(self) -> None:
        real = self.folder.with_name("real")
        real.mkdir()
        self.folder.symlink_to(real)
        self.assertEqual(self.start().path, real)

    def test_a_host_twice_counts_once(self) -> None:
        self.assertEqual(self.start("a.example", "A.example").public_hosts, ("a.example",))

    def test_a_bad_host_makes_nothing(self) -> None:
        self.assertRaises(BadHost, open_state, self.folder, ["no host"], NOW)
        self.assertFalse(self.folder.exists())

    def test_another_programs_folder_is_left_alone(self) -> None:
        self.folder.mkdir(mode=0o755)
        (self.folder / "diary.txt").write_text("dear diary")
        before = snapshot(self.folder)
        error = self.assertRaises(StateDamaged, open_state, self.folder, (), NOW)
        self.assertIn("not empty", str(error))
        self.assertEqual(snapshot(self.folder), before)

    def test_cut_short_at_any_moment_the_next_start_is_the_first(self) -> None:
        for owner, name in (
            (files, "create"),
            (database, "create"),
            (whole_files, "sync_folder"),
            (Path, "rename"),
        ):
            self.folder = Path(self.mktemp()).absolute()
            patch = self.patch(owner, name, _power_cut)
            self.assertRaises(PowerCut, open_state, self.folder, HOSTS, NOW)
            patch.restore()
            self.assertRaises(NoState, read_state, self.folder, NOW)
            self.start(*HOSTS)
            left = {path.name for path in self.folder.iterdir()}
            self.assertEqual(left, {"lock", "server"})


class PowerCut(Exception):
    """The machine stops here."""


def _power_cut(*_arguments: object) -> None:
    raise PowerCut


class LaterStartTests(StateCase):
    def test_nothing_changes(self) -> None:
        first = self.start(*HOSTS)
        before = snapshot(self.folder)
        again = self.start(*HOSTS, now=NOW + 10 * DAY)
        self.assertEqual(snapshot(self.folder), before)
        self.assertEqual(again.fingerprint, first.fingerprint)
        self.assertEqual(again.credentials.certificate, first.credentials.certificate)

    def test_reading_changes_nothing(self) -> None:
        first = self.start(*HOSTS)
        before = snapshot(self.folder)
        stored = read_state(self.folder, NOW)
        self.assertEqual(snapshot(self.folder), before)
        self.assertEqual(stored.settings, first.settings)
        self.assertEqual(stored.registry_path, self.inside(REGISTRY))

    def test_ports_are_remembered(self) -> None:
        state = open_state(self.folder, HOSTS, NOW)
        self.assertEqual(state.settings.standard_port, 0)
        state.remember_ports(5001, 5003)
        state.close()
        settings = self.start(*HOSTS).settings
        self.assertEqual((settings.standard_port, settings.request_port), (5001, 5003))
        self.assertEqual(settings.public_hosts, state.public_hosts)
        self.assertEqual(self.inside(SETTINGS).stat().st_mode & 0o777, 0o600)

    def test_other_hosts_other_leaf_same_server(self) -> None:
        first = self.start(*HOSTS)
        again = self.start("new.example.org")
        self.assertEqual(again.fingerprint, first.fingerprint)
        self.assertEqual(again.public_hosts, ("new.example.org",))
        self.assertNotEqual(again.credentials.certificate, first.credentials.certificate)
        self.assertTrue(certificates.is_for(again.credentials.certificate, again.public_hosts))
        self.assertEqual(again.credentials.ca, first.ca)
        stored = read_state(self.folder, NOW)
        self.assertEqual(stored.credentials.certificate, again.credentials.certificate)
        self.assertEqual(stored.settings, again.settings)

    def test_an_old_leaf_is_replaced(self) -> None:
        for late in (limits.CERTIFICATE_DAYS - limits.RENEW_DAYS + 1, 1000):
            first = self.start(*HOSTS)
            again = self.start(*HOSTS, now=NOW + late * DAY)
            self.assertNotEqual(again.credentials.certificate, first.credentials.certificate)
            left = certificates.days_left(again.credentials.certificate, NOW + late * DAY)
            self.assertEqual(left, limits.CERTIFICATE_DAYS)

    def test_renewed_while_it_runs(self) -> None:
        state = open_state(self.folder, HOSTS, NOW)
        self.addCleanup(state.close)
        old = state.credentials
        self.assertFalse(state.renew(NOW + DAY))
        self.assertIs(state.credentials, old)
        self.assertTrue(state.renew(NOW + 61 * DAY))
        self.assertNotEqual(state.credentials.certificate, old.certificate)
        self.assertTrue(certificates.is_for(state.credentials.certificate, state.public_hosts))
        self.assertFalse(state.renew(NOW + 61 * DAY))
        stored = read_state(self.folder, NOW + 61 * DAY)
        self.assertEqual(stored.credentials.certificate, state.credentials.certificate)

    def test_a_renewal_that_cannot_be_written_leaves_the_old_one(self) -> None:
        state = open_state(self.folder, HOSTS, NOW)
        self.addCleanup(state.close)
        old, before = state.credentials, self.inside(LEAF).read_bytes()
        for name in ("create", "sync_folder"):
            patch = self.patch(whole_files, name, _full_disk)
            self.assertRaises(StateUnusable, state.renew, NOW + 61 * DAY)
            patch.restore()
            self.assertIs(state.credentials, old)
            if name == "create":
                self.assertEqual(self.inside(LEAF).read_bytes(), before)
        self.assertTrue(state.renew(NOW + 61 * DAY))

    def test_what_an_earlier_replacement_left_does_no_harm(self) -> None:
        self.start(*HOSTS)
        self.inside(f".{LEAF}.new").write_bytes(b"half a certif")
        self.start("new.example.org")
        self.assertFalse(self.inside(f".{LEAF}.new").exists())

    def test_the_registry_is_opened_for_a_reactor(self) -> None:
        state = self.start()
        registry = open_registry(state, cast(IReactorThreads, MemoryReactorClock()))
        registry.close()


def _full_disk(path: Path, *_data: bytes) -> None:
    raise OSError(errno.ENOSPC, "No space left on device")


class LockTests(StateCase):
    def test_two_servers_do_not_run_on_one_state(self) -> None:
        state = open_state(self.folder, (), NOW)
        before = snapshot(self.folder)
        error = self.assertRaises(StateBusy, open_state, self.folder, ("a.example",), NOW)
        self.assertIn("a server runs", str(error))
        self.assertEqual(snapshot(self.folder), before)
        state.close()
        self.start()

    def test_the_admin_needs_no_lock(self) -> None:
        state = open_state(self.folder, (), NOW)
        self.addCleanup(state.close)
        stored = read_state(self.folder, NOW)
        self.assertEqual(stored.fingerprint, state.fingerprint)
        self.assertNotIsInstance(stored, ServerState)

    def test_a_refused_start_gives_the_lock_back(self) -> None:
        self.start()
        whole = self.inside(CA).read_bytes()
        self.inside(CA).write_bytes(b"")
        self.assertRaises(StateDamaged, open_state, self.folder, (), NOW)
        self.inside(CA).write_bytes(whole)
        self.start()

    # Promise R56
    def test_a_disk_without_locks_is_told_in_one_line(self) -> None:
        """NFS without its lock daemon says ENOLCK or EOPNOTSUPP."""
        for number, hint in (
            (errno.ENOLCK, "local disk"),
            (errno.EOPNOTSUPP, "local disk"),
            (errno.EIO, "Check"),
        ):

            def flock(lock: int, flags: int, number: int = number) -> None:
                raise OSError(number, os.strerror(number))

            self.patch(fcntl, "flock", flock)
            error = self.assertRaises(StateUnusable, open_state, self.folder, (), NOW)
            self.assertIn("cannot be locked", error.what)
            self.assertIn(hint, error.hint)
            self.assertFalse((self.folder / "server").exists())

    def test_a_link_in_place_of_the_lock(self) -> None:
        self.start()
        (self.folder / "lock").unlink()
        (self.folder / "lock").symlink_to(self.folder / "elsewhere")
        self.assertRaises(StateUnusable, open_state, self.folder, (), NOW)
        self.assertFalse((self.folder / "elsewhere").exists())


class ElsewhereTests(StateCase):
    def test_nothing_there(self) -> None:
        error = self.assertRaises(NoState, read_state, self.folder, NOW)
        self.assertIn("Start the server once", str(error))
        self.assertFalse(self.folder.exists())

    def test_a_file_in_place_of_the_folder(self) -> None:
        self.folder.write_text("a file")
        self.assertRaises(StateUnusable, open_state, self.folder, (), NOW)
        self.assertRaises(NoState, read_state, self.folder, NOW)

    def test_below_a_file(self) -> None:
        self.folder.write_text("a file")
        self.assertRaises(StateUnusable, open_state, self.folder / "state", (), NOW)

    def test_where_the_system_does_not_let_us_look(self) -> None:
        self.folder.mkdir()
        self.folder = self.folder / ("a name longer than any file system takes" * 9)
        self.assertRaises(StateUnusable, read_state, self.folder, NOW)
        self.assertRaises(StateUnusable, open_state, self.folder, (), NOW)

    def test_where_the_state_is_kept(self) -> None:
        chosen = default_state_folder({"SECURECOM_STATE": "/srv/chat"})
        self.assertEqual(chosen, Path("/srv/chat"))
        home = default_state_folder({"SECURECOM_STATE": "~/chat"})
        self.assertEqual(home, Path.home() / "chat")
        self.assertEqual(default_state_folder({}).name, "securecom-server")
        self.assertEqual(default_state_folder({"SECURECOM_STATE": ""}).name, "securecom-server")


class AddressTests(StateCase):
    """The registry may be elsewhere; what asks a PostgreSQL is in `tests/test_postgres_server`."""

    def setUp(self) -> None:
        super().setUp()
        self.file = self.inside("registry.url")

    def test_a_file_is_the_usual_place(self) -> None:
        open_state(self.folder, (), NOW, registry=SQLITE).close()
        self.assertIsNone(read_state(self.folder, NOW).address)
        open_state(self.folder, (), NOW, registry=SQLITE).close()

    def test_an_address_moves_nothing(self) -> None:
        self.start()
        before = snapshot(self.folder)
        url = "postgresql://u@localhost:1/x"
        error = self.assertRaises(BadArgument, open_state, self.folder, (), NOW, registry=url)
        self.assertIn("securecom-admin migrate", str(error))
        self.assertRaises(BadArgument, open_state, self.folder, (), NOW, registry="nonsense")
        self.assertEqual(snapshot(self.folder), before)

    def test_nothing_begins_where_the_address_is_bad(self) -> None:
        self.assertRaises(BadArgument, open_state, self.folder, (), NOW, registry="nonsense")
        self.assertFalse(self.folder.exists())

    def test_the_file_names_it(self) -> None:
        self.start()
        self.inside(REGISTRY).unlink()
        self.file.write_text("postgresql://u@localhost:1/x\n")
        self.file.chmod(0o600)
        address = read_state(self.folder, NOW).address
        self.assertEqual(address and address.url, "postgresql://u@localhost:1/x")
        error = self.assertRaises(BadArgument, open_state, self.folder, (), NOW, registry=SQLITE)
        self.assertIn("PostgreSQL", str(error))

    def test_a_damaged_one_is_refused(self) -> None:
        self.start()
        for damage in (b"", b"nonsense\n", b"postgresql://u:p@h/x\n", b"\xff\n"):
            self.file.write_bytes(damage)
            self.file.chmod(0o600)
            error = self.assertRaises(StateDamaged, read_state, self.folder, NOW)
            self.assertIn("registry.url", str(error))
