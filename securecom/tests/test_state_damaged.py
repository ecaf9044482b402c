"""A state folder that is not as securecom wrote it is refused, and left as it is."""

from __future__ import annotations

import json
import os

from securecom import limits
from securecom.errors import StateDamaged
from securecom.server import certificates, files
from securecom.server.state import open_state, read_state
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


class DamagedStateTests(StateCase):
    """Refused by server and admin alike, and left byte by byte as it was."""

    def setUp(self) -> None:
        super().setUp()
        self.start(*HOSTS)

    def refused(self, *why: str, now: float = NOW) -> None:
        before = snapshot(self.folder)
        for read in (
            lambda: open_state(self.folder, HOSTS, now),
            lambda: read_state(self.folder, now),
        ):
            error = self.assertRaises(StateDamaged, read)
            for part in why:
                self.assertIn(part, str(error))
        self.assertEqual(snapshot(self.folder), before)

    def test_a_missing_file(self) -> None:
        for name in (CA, LEAF, REGISTRY, SETTINGS):
            moved = self.inside(name).rename(self.folder / "moved")
            self.refused(name, "is missing")
            moved.rename(self.inside(name))
        self.start(*HOSTS)

    def test_an_empty_file(self) -> None:
        for name in (CA, LEAF, REGISTRY, SETTINGS):
            whole = self.inside(name).read_bytes()
            self.inside(name).write_bytes(b"")
            self.refused(name)
            self.inside(name).write_bytes(whole)

    def test_a_file_of_another_size_than_ever_written(self) -> None:
        with self.inside(SETTINGS).open("ab") as file:
            file.write(b" " * limits.MAX_STATE_FILE)
        self.refused(SETTINGS, "longer")

    def test_a_file_that_others_may_read(self) -> None:
        for name in (CA, LEAF, REGISTRY, SETTINGS):
            for mode in (0o640, 0o604, 0o620, 0o602):
                self.inside(name).chmod(mode)
                self.refused("others on this machine", f"chmod 600 {self.inside(name)}")
            self.inside(name).chmod(0o600)

    def test_a_state_of_another_user(self) -> None:
        """Who owns it can put their own CA in, whatever its mode says."""
        somebody_else = os.geteuid() + 1
        self.patch(os, "geteuid", lambda: somebody_else)
        self.refused("belongs to another user")

    def test_a_file_of_another_user(self) -> None:
        """Also where the folder is ours."""
        self.patch(files, "check_folder", lambda path: None)
        somebody_else = os.geteuid() + 1
        self.patch(os, "geteuid", lambda: somebody_else)
        self.refused(CA, "belongs to another user")

    def test_a_folder_that_others_may_use(self) -> None:
        for folder in (self.folder, self.folder / "server"):
            for mode in (0o750, 0o701):
                folder.chmod(mode)
                self.refused("others on this machine", f"chmod 700 {folder}")
            folder.chmod(0o700)

    def test_a_link_in_place_of_a_file(self) -> None:
        for name in (CA, LEAF, REGISTRY, SETTINGS):
            moved = self.inside(name).rename(self.folder / "moved")
            self.inside(name).symlink_to(moved)
            self.refused(name, "not a regular file")
            moved.rename(self.inside(name))

    def test_a_link_in_place_of_the_folder(self) -> None:
        real = (self.folder / "server").rename(self.folder / "moved")
        (self.folder / "server").symlink_to(real)
        self.refused("not a folder")

    def test_a_folder_in_place_of_a_file(self) -> None:
        self.inside(CA).unlink()
        self.inside(CA).mkdir(mode=0o700)
        self.refused("not a regular file")

    def test_the_leaf_of_another_ca(self) -> None:
        other = certificates.new_leaf(certificates.new_ca(NOW), (), NOW)
        self.inside(LEAF).write_bytes(certificates.to_pem(other))
        self.refused(LEAF, "this server's CA did not issue")

    def test_another_ca(self) -> None:
        self.inside(CA).write_bytes(certificates.to_pem(certificates.new_ca(NOW)))
        self.refused("this server's CA did not issue")

    def test_the_leaf_in_place_of_the_ca(self) -> None:
        self.inside(CA).write_bytes(self.inside(LEAF).read_bytes())
        self.refused(CA, "no CA")

    def test_an_expired_ca(self) -> None:
        self.refused(CA, "not today", now=NOW + (limits.CA_DAYS + 1) * DAY)

    def test_a_clock_before_the_first_start(self) -> None:
        self.refused("clock", now=NOW - (limits.CA_BACKDATED_DAYS + 10) * DAY)

    def test_settings_that_are_none(self) -> None:
        whole = json.loads(self.inside(SETTINGS).read_bytes())
        changes: tuple[object, ...] = (
            [],
            {},
            7,
            whole | {"format": 2},
            whole | {"more": 1},
            whole | {"public_hosts": ["no host"]},
            whole | {"public_hosts": [7]},
            whole | {"public_hosts": "ab"},
            whole | {"public_hosts": None},
            whole | {"standard_port": 65536},
            whole | {"standard_port": -1},
            whole | {"request_port": True},
            whole | {"request_port": "4243"},
        )
        for changed in changes:
            self.inside(SETTINGS).write_text(json.dumps(changed))
            self.refused(SETTINGS, "what securecom wrote")
        self.inside(SETTINGS).write_bytes(b"\xff{")
        self.refused(SETTINGS)
        self.inside(SETTINGS).write_bytes(b"[" * 60_000)
        self.refused(SETTINGS)

    def test_a_file_that_is_no_registry(self) -> None:
        self.inside(REGISTRY).write_bytes(b"a diary" * 100)
        self.refused(REGISTRY, "no registry")
