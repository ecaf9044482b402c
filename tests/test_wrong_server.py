"""Servers that are not the one that a client knows: it says so, tells nothing, leaves with 4."""

from __future__ import annotations

from securecom import tls
from securecom.server.certificates import from_pem
from securecom.tests.support.server_certificates import Authority, bad_servers
from tests.support.intermediaries import TLSServer, soon
from tests.support.programs import Client
from tests.support.system_case import SystemCase

WRONG_SERVER = 401


class WrongServerTests(SystemCase):
    async def test_another_server_on_the_same_port(self) -> None:
        other = await self.server(state=self.home / "elsewhere")
        alice = self.client("alice", other, "--chat", "bob")
        alice.send("say", text="are you there?")
        await self._refuses(alice)
        self.assertEqual(alice.told("online"), [])

    async def test_an_invitation_shown_to_another_server(self) -> None:
        server = await self.server()
        (link,) = await self.invite("dave")
        other = await self.server(state=self.home / "elsewhere")
        false = link.replace(f":{server.standard}/", f":{other.standard}/")
        await self._refuses(self.enrolling(false, "dave"))
        dave = await self.enrolling(link, "dave").online()  # the token is unspent
        self.assertEqual(dave.told("online")[0]["name"], "dave")

    async def test_certificates_that_are_not_right(self) -> None:
        """Each is served by a TLS server of the test, since a real one checks its own first."""
        pem = (self.home / "state" / "server" / "ca.pem").read_bytes()
        ca = from_pem(pem, "the CA")
        authority = Authority()
        authority.key, authority.certificate, authority.name = (
            ca.key,
            ca.certificate,
            ca.certificate.subject,
        )
        bad = bad_servers(authority)
        forger = Authority(name=ca.certificate.subject.rfc4514_string().removeprefix("CN="))
        forged = forger.credentials()
        bad["forged"] = (
            tls.Credentials(forged.key, forged.certificate, ca.certificate),
            "signature is not the CA's",
        )
        running = []
        for why, (credentials, reason) in bad.items():
            server = self.closes(TLSServer(credentials))
            running.append((why, reason, server, await server.open()))
        for why, reason, server, port in running:
            self.point("alice", port)
            alice = self.client("alice", None)
            problem = await self._refuses(alice)
            self.assertIn(reason, problem, why)
            self.assertEqual(server.heard, b"", why)

    async def test_the_right_certificate_is_taken(self) -> None:
        """The same ground, but nothing wrong: so it is the certificate that decides above."""
        whole = self.home / "state" / "server"
        leaf = from_pem((whole / "server.pem").read_bytes(), "the leaf")
        ca = from_pem((whole / "ca.pem").read_bytes(), "the CA")
        server = self.closes(TLSServer(tls.Credentials(leaf.key, leaf.certificate, ca.certificate)))
        self.point("alice", await server.open())
        self.client("alice", None)
        await soon(server.spoken_to)
        self.assertIn(b"LogIn", server.heard)

    async def _refuses(self, client: Client) -> str:
        problem = await client.event("problem")
        self.assertEqual(problem["code"], WRONG_SERVER)
        self.assertEqual(await client.ended(), 4)
        what: str = problem["what"]
        return what
