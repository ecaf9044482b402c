"""The fastest TLS transport is taken that the installed packages allow."""

from __future__ import annotations

from twisted.internet.abstract import FileDescriptor
from twisted.protocols.tls import BufferingTLSTransport, TLSMemoryBIOProtocol
from twisted.trial.unittest import SynchronousTestCase

from securecom.transport import choice, fast, openssl
from securecom.transport.direct import DirectTLS
from securecom.transport.native import NativeTLS


def without(kind: type, name: str) -> type:
    """A class like `kind` in which nothing has, reads or sets this name."""

    def uses(value: object) -> bool:
        code = getattr(value, "__code__", None)
        return code is not None and name in code.co_names

    kept = {key: value for key, value in vars(kind).items() if key != name and not uses(value)}
    kept.pop("__dict__", None)
    kept.pop("__weakref__", None)
    return type(kind.__name__, (), kept)


class ChoiceTests(SynchronousTestCase):
    def test_with_the_locked_versions_it_is_the_fastest(self) -> None:
        self.assertEqual(choice.MISSING, ())
        self.assertEqual(choice.CHOSEN, "native")
        self.assertIs(choice.TLSFactory.protocol, NativeTLS)

    def test_without_a_private_name_of_pyopenssl(self) -> None:
        self.assertEqual(choice.choose((), ("SSL_read",)), "direct")
        self.assertIs(choice.VARIANTS["direct"], DirectTLS)

    def test_without_a_private_name_of_twisted(self) -> None:
        self.assertEqual(choice.choose(("_aborted",), ()), "Twisted's")
        self.assertIs(choice.VARIANTS["Twisted's"], BufferingTLSTransport)

    def test_each_private_name_of_twisted_is_looked_for(self) -> None:
        self.assertEqual(choice.missing_in(TLSMemoryBIOProtocol, FileDescriptor), ())
        for name in (*choice._TLS_METHODS, *choice._TLS_STATE):
            missing = choice.missing_in(without(TLSMemoryBIOProtocol, name), FileDescriptor)
            self.assertIn(name, missing)
        for name in choice._TCP_STATE:
            missing = choice.missing_in(TLSMemoryBIOProtocol, without(FileDescriptor, name))
            self.assertIn(name, missing)

    def test_each_private_name_of_pyopenssl_is_looked_for(self) -> None:
        class Bare:
            """Has nothing."""

        self.assertEqual(set(openssl.missing_in(Bare, Bare, Bare)), set(openssl.NAMES))
        self.patch(openssl, "_lib", None)
        self.assertEqual(openssl.missing_here(), ("SSL._lib", "SSL._ffi"))

    def test_the_operator_is_told(self) -> None:
        self.assertEqual(choice.warnings(()), [])
        (line,) = choice.warnings(("SSL_read", "_aborted"))
        self.assertIn("has no SSL_read, _aborted, so TLS takes a slower way", line)
        (line,) = choice.warnings((), "securecom_fast cannot be loaded: too old")
        self.assertIn("cannot be loaded: too old, so messages take a slower way", line)

    def test_the_operator_is_told_of_the_compiled_way(self) -> None:
        self.patch(fast, "MODULE", None)
        self.assertEqual(choice.facts(), [])
        self.patch(fast, "MODULE", object())
        self.assertEqual(choice.facts(), ["messages are passed on by securecom_fast"])
