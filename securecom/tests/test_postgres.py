"""The address of a PostgreSQL, and what its errors mean; `tests/test_postgres` has a real one."""

from __future__ import annotations

from pathlib import Path

from twisted.trial.unittest import SynchronousTestCase

from securecom.errors import (
    BadArgument,
    OurFault,
    RegistryAway,
    StateBusy,
    StateDamaged,
    StateUnusable,
)
from securecom.server import postgres
from securecom.server.postgres import Address
from securecom.tests.support.scripted_postgres import EngineError


class AddressTests(SynchronousTestCase):
    def given(self, url: str) -> dict[str, str]:
        return Address.parse(url).given

    def told(self, url: str, what: str) -> object:
        return Address.parse(url).parameters()[what]

    def refused(self, url: str) -> str:
        return str(self.assertRaises(BadArgument, Address.parse, url))

    def test_its_parts(self) -> None:
        self.assertEqual(
            self.given("postgresql://u%40x@db.example.org:5433/a%2Fb?passfile=/x&sslmode=require"),
            {
                "user": "u@x",
                "host": "db.example.org",
                "port": "5433",
                "dbname": "a/b",
                "passfile": "/x",
                "sslmode": "require",
            },
        )
        self.assertEqual(self.given("postgres://"), {})
        self.assertEqual(
            self.given("postgresql:///x?host=/run/pg"), {"dbname": "x", "host": "/run/pg"}
        )
        self.assertEqual(self.given("postgresql://%2Frun%2Fpg/x")["host"], "/run/pg")
        self.assertEqual(
            self.given("postgresql://[::1]:1/x"), {"dbname": "x", "host": "::1", "port": "1"}
        )
        self.assertEqual(self.given("postgresql://[::1]/x")["host"], "::1")
        several = self.given("postgresql://u@a,b:2/x")
        self.assertEqual((several["host"], several["port"]), ("a,b", ",2"))

    def test_no_password_is_taken_and_none_is_repeated(self) -> None:
        for url in (
            "postgresql://u:sesame@h/x",
            "postgresql://u:@h/x",
            "postgresql://u@h/x?password=sesame",
        ):
            said = self.refused(url)
            self.assertIn("passfile", said)
            self.assertNotIn("sesame", said)

    def test_what_is_none(self) -> None:
        for url in (
            "",
            "sqlit",
            "mysql://u@h/x",
            "postgresql://u@h/x#y",
            "postgresql://u@h/x?sslmode",
            "postgresql://u@h/x?options=-csynchronous_commit%3Doff",
            "postgresql://u@h/x?sslmode=sometimes",
            "postgresql://[u@h/x",
            "postgresql://u@h/x\n",
        ):
            self.refused(url)

    def test_names_are_checked_unless_it_is_this_machine(self) -> None:
        for host in ("db.example.org", "192.0.2.1", "db,localhost", "127.0.0.1.example.org"):
            address = Address.parse(f"postgresql://u@{host}/x")
            self.assertEqual(address.parameters()["sslmode"], "verify-full", host)
            self.assertEqual(address.warning, "")
        for host in ("localhost", "127.0.0.1", "127.1.2.3", "[::1]", "%2Frun%2Fpg", "", "@x"):
            address = Address.parse(f"postgresql://u@{host.replace('@', '%40')}/x")
            self.assertEqual(address.parameters()["sslmode"], "prefer", host)
            self.assertEqual(address.warning, "")

    def test_less_has_to_be_said_and_is_warned_of(self) -> None:
        for mode in ("disable", "allow", "prefer", "require", "verify-ca"):
            address = Address.parse(f"postgresql://u@h/x?sslmode={mode}")
            self.assertEqual(address.parameters()["sslmode"], mode)
            self.assertIn(mode, address.warning)
        self.assertEqual(Address.parse("postgresql://u@localhost/x?sslmode=disable").warning, "")

    def test_what_the_environment_cannot_change(self) -> None:
        told = Address.parse("postgresql://u@/x").parameters()
        self.assertIn(told["host"], ("/var/run/postgresql", "/tmp"))
        self.assertEqual(told["gssencmode"], "disable")
        self.assertIn("search_path=securecom", str(told["options"]))
        self.assertEqual(self.told("postgresql://u@h/x", "target_session_attrs"), "read-write")

    def test_a_file_holds_it(self) -> None:
        url = "postgresql://u@h/x?passfile=/x"
        self.assertEqual(Address.parse(url).to_file(), url.encode() + b"\n")

    def test_a_file_of_passwords_that_others_can_read(self) -> None:
        path = Path(self.mktemp())
        path.write_text("*:*:*:*:sesame\n")
        path.chmod(0o644)
        address = Address.parse(f"postgresql://u@localhost:1/x?passfile={path}")
        error = self.assertRaises(StateDamaged, postgres.reach, address)
        self.assertIn("chmod 600", str(error))


class MeaningTests(SynchronousTestCase):
    def test_each_kind(self) -> None:
        for state, kind in (
            (None, RegistryAway),
            ("08006", RegistryAway),
            ("57P01", RegistryAway),
            ("25006", RegistryAway),
            ("53300", RegistryAway),
            ("55P03", StateBusy),
            ("57014", StateBusy),
            ("40001", StateBusy),
            ("23505", StateDamaged),
            ("XX001", StateDamaged),
            ("53100", StateUnusable),
            ("42501", StateUnusable),
        ):
            error = postgres.meaning(EngineError("it\n\tsays so", state))
            self.assertIs(type(error), kind, state)
            self.assertIn("(it says so)", str(error))
            self.assertEqual(str(error).count("\n"), 0)

    def test_a_long_story_is_cut(self) -> None:
        self.assertLess(len(str(postgres.meaning(EngineError("x" * 9999)))), 1000)

    def test_other_errors_pass(self) -> None:
        def fail(error: Exception) -> None:
            with postgres.readable():
                raise error

        self.assertRaises(OurFault, fail, EngineError("x"))
        self.assertRaises(KeyError, fail, KeyError("x"))
