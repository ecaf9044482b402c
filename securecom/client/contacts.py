"""The people we have met at a server: which key each of them has, and whether it was compared.

The pins are in the file `known_peers`, which several clients of one profile share.
"""

from __future__ import annotations

from collections.abc import Callable
from itertools import takewhile
from pathlib import Path

from securecom import limits
from securecom.client.events import REFUSED, Trust
from securecom.client.introductions import Introductions, Received
from securecom.client.known_peers import OldKey, Pin, Pins, PinTrust, parse, written
from securecom.client.profile.profile import RETIREMENTS_FILE
from securecom.client.profile.shared_file import SharedFile
from securecom.client.retirements import Retirable, Retirements
from securecom.errors import BadArgument, PeerKeyChanged
from securecom.identity import Name, PublicKey
from securecom.introduction import Person
from securecom.succession import leads
from securecom.values import replace

#: Beside the pins, in the profile.
INTRODUCTIONS_FILE = "introductions"
_NOT_THEIRS = "No message was sent to it: whoever shows it stole it. Ask them for their new key."


class Contacts:
    """The pins at one server.

    :param path: the file; None keeps the pins in memory only.
    :param server: the server's id (32 bytes).
    :param now: the wall clock, Unix seconds.
    """

    def __init__(self, path: Path | None, server: bytes, now: Callable[[], float]) -> None:
        self._path, self._server, self._now = path, server, now
        self._file = SharedFile(path, limits.MAX_KNOWN_PEERS_FILE, parse, written, dict)
        self._taken: dict[Name, str] = {}
        self._introductions: Introductions | None = None
        self._retirements: Retirements | None = None
        self._file.read()

    @property
    def folder(self) -> Path | None:
        """Where the pins are kept, and what else is the profile's."""
        return None if self._path is None else self._path.parent

    @property
    def introductions(self) -> Introductions:
        """Those that we make, agreed to, or received."""
        if self._introductions is None:
            file = self._introductions_file
            self._introductions = Introductions(file, self._server, self._now)
        return self._introductions

    @property
    def _introductions_file(self) -> Path | None:
        return None if self._path is None else self._path.with_name(INTRODUCTIONS_FILE)

    def _received(self, name: Name | None = None) -> list[Received]:
        """The introductions of this name, or all. Most people never have any."""
        if self._introductions is None:
            file = self._introductions_file
            if file is None or not file.exists():
                return []
        return self.introductions.received(name)

    @property
    def retirements(self) -> Retirements:
        """What can retire keys, and which are."""
        if self._retirements is None:
            self._retirements = Retirements(self._retirements_file, self._server)
        return self._retirements

    @property
    def _retirements_file(self) -> Path | None:
        return None if self._path is None else self._path.with_name(RETIREMENTS_FILE)

    @property
    def own_retirement(self) -> bytes | None:
        """The public half of our own words, for HELLO."""
        if self._retirements is None:
            file = self._retirements_file
            if file is None or not file.exists():
                return None
        return self.retirements.own

    def retirable(self, name: Name) -> Retirable | None:
        """What can retire the name's pinned key, if they have told us."""
        if self._retirements is None:
            file = self._retirements_file
            if file is None or not file.exists():
                return None
        pin = self._pins.get((self._server, name))
        if pin is None:
            return None
        return self.retirements.of(name, [key.fingerprint for key in _line_of(pin)])

    def is_retired(self, name: Name) -> bool:
        """The name's pinned key is retired: whoever shows it is somebody else."""
        pin = self._pins.get((self._server, name))
        return pin is not None and self._who_retired(pin.key) is not None

    def _retired(self) -> list[tuple[str, PublicKey]]:
        """Whose keys are retired, and which. Most people never know of any."""
        if self._retirements is None:
            file = self._retirements_file
            if file is None or not file.exists():
                return []
        return self.retirements.retired()

    def _who_retired(self, key: PublicKey) -> str | None:
        """Whose key it was, if a half of it is retired."""
        return next((name for name, gone in self._retired() if key.shares(gone)), None)

    def learn_retirement(self, name: Name, key: PublicKey, public: bytes) -> bool:
        """Their client says, in a chat with this key, what can retire it. The first word counts.

        :returns: False if they had said something else before.
        """
        with self._file.changing():
            one = self.retirable(name)
            if one is None:
                self.retirements.learn(name, key.fingerprint, public)
            return one is None or one.public == public.hex()

    def retire(self, name: Name, public: bytes) -> bool:
        """Who holds the words with this public half retires the name's key, for good.

        :returns: whether that is what can retire it.
        """
        with self._file.changing():
            one, pin = self.retirable(name), self._pins.get((self._server, name))
            if one is None or pin is None or one.public != public.hex():
                return False
            self.retirements.retire(name, _line_of(pin))
            return True

    def pin(self, name: Name) -> Pin | None:
        """What we know of a name, be it from an introduction.

        :raises StateDamaged: if the file cannot be read.
        """
        self._file.read()
        pin = self._pins.get((self._server, name))
        if pin is None and (came := self._standing(name)) is not None:
            return Pin(came.public_key, came.since, "tofu")
        return pin

    def names(self) -> list[Name]:
        """Everybody whose key we know, in order. :raises StateDamaged: as `pin`."""
        self._file.read()
        names = {name for server, name in self._pins if server == self._server}
        introduced = {one.name for one in self._received()} - names
        names |= {name for name in introduced if self._standing(Name(name)) is not None}
        return sorted(map(Name, names))

    def introducer(self, name: Name) -> Name | None:
        """Who introduced the name's pinned key to us, if that counts."""
        pin = self.pin(name)
        came = None if pin is None else self._standing(name, pin.key)
        return None if came is None else Name(came.by)

    def trust(self, name: Name, key: PublicKey | None = None, chain: bytes = b"") -> Trust:
        """How a name stands, or how it stands with the key that is claimed to be its own.

        :param chain: what is said to lead to that key; one that is not right is none.
        :raises PeerKeyChanged: if the key is pinned, but as somebody else's.
        """
        pin = self.pin(name)
        shown = key if key is not None or pin is None else pin.key
        if shown is not None and self._who_retired(shown) == name:
            return "retired"
        if pin is None:
            self._check_nobody_elses(name, key)
            return "new"
        if self.is_retired(name):
            return "changed"
        is_verified = pin.trust == "verified"
        if key is None or key == pin.key:
            if is_verified:
                return "verified"
            return "met" if self._standing(name, pin.key) is None else "introduced"
        if self._is_completed(name, pin, key):
            return "met"
        if self._is_followed(name, pin, key, chain):
            return "followed-verified" if _carried(pin) == "verified" else "followed"
        return "changed"

    def may_be(self, name: Name, key: PublicKey, chain: bytes = b"") -> bool:
        """The key is the pin, the first one, one that the pin signed over to, one that the
        person took in its place, or the pin with a second key where it has none.

        :raises PeerKeyChanged: if it is pinned as somebody else's, and no key for this name.
        """
        trust = self.trust(name, key, chain)
        return trust not in REFUSED or (trust != "retired" and self._took(name, key))

    def take(self, name: Name, fingerprint: str) -> None:
        """The person takes the key with this fingerprint for the name's, as soon as it is proved.

        It holds as long as this object lives; the pin stays until `meet`.

        :raises BadArgument: if there is no key to replace, or it is somebody's already.
        """
        if self.pin(name) is None:
            raise BadArgument(f"you have never met {name}, so there is no key to replace")
        for other, pin in self._pins_here():
            keys = [pin.key] if other == name else _keys(pin)
            if fingerprint in [key.fingerprint for key in keys]:
                raise BadArgument(f"that is the key of {other}, and known to you as theirs")
        if any(fingerprint == key.fingerprint for _, key in self._retired()):
            raise BadArgument("that key is retired by its owner: whoever shows it stole it")
        self._taken[name] = fingerprint

    def meet(self, name: Name, key: PublicKey, chain: bytes = b"") -> Pin | None:
        """The peer has proved to hold this key: pin it, if it is the first, was taken, if the
        chain leads from the pin to it, or if it is the pin's and adds a second key.

        A key that it replaces is kept as an old one. One that was taken was not compared; one that
        a verified key signed over to is verified, unless what was compared was a first key alone.

        :returns: the pin that was followed to the new one, or completed, if it was.
        :raises PeerKeyChanged: if another key is pinned and this one was not taken and does not
            follow, or if this one is or was pinned under another name.
        :raises StateDamaged: if the file cannot be read or written.
        :raises StateBusy: if another process is writing.
        """
        with self._file.changing():
            pin = self.pin(name)
            if self._who_retired(key) == name:
                raise PeerKeyChanged(f"{name} has retired this key", _NOT_THEIRS)
            if pin is not None and pin.key == key:
                if (self._server, name) not in self._pins:  # we know it from an introduction
                    self._check_nobody_elses(name, key)
                    self._keep(name, replace(pin, first_seen=int(self._now())))
                return None
            if pin is not None and self._is_completed(name, pin, key):
                self._keep_followed(name, replace(pin, key=key, trust="tofu"))
                return pin
            followed = pin if pin and self._is_followed(name, pin, key, chain) else None
            if pin is not None and followed is None and not self._took(name, key):
                raise PeerKeyChanged(f"{name}'s key is not the one you know")
            self._check_nobody_elses(name, key)
            now = int(self._now())
            trust: PinTrust = "tofu" if followed is None else _carried(followed)
            new = Pin(key, now, trust, _behind(pin, now, followed is not None))
            keep = self._keep if followed is None else self._keep_followed
            keep(name, new)
            self._taken.pop(name, None)
            return followed

    def compared(self, name: Name, key: PublicKey, same: bool) -> None:
        """Our person compared this very key, or found that it does not compare.

        :raises PeerKeyChanged: if it is not the pin any more; then it stays as it is.
        :raises StateDamaged: if the file cannot be read or written.
        :raises StateBusy: if another process is writing.
        """
        with self._file.changing():
            pin = self.pin(name)
            if pin is None or pin.key != key:
                raise PeerKeyChanged(f"{name}'s key is not the one that was compared")
            trust: PinTrust = "verified" if same else "tofu"
            if not same:  # nobody's word for it counts any longer
                self.introductions.forget(name)
            if pin.trust != trust:
                self._keep(name, replace(pin, trust=trust))

    def introduce(self, introduced: Person, by: Person) -> Trust:
        """Somebody whom we have verified vouches for a key; how it stands now.

        It counts as long as the introducer is verified with the key that they had, or with one
        that this key signed over to; until the name has another key; and for no verified key.

        :raises PeerKeyChanged: if we know another key for this name, or this one as somebody
            else's. Nothing was kept.
        """
        name, key = introduced.name, introduced.key
        pin = self.pin(name)
        if pin is not None and not (pin.key == key or key.completes(pin.key)):
            what = f"{by.name} vouches for another key of {name} than the one you know"
            hint = f"Nothing was changed. Theirs is {key.fingerprint}. Ask both which one is right."
            raise PeerKeyChanged(what, hint)
        if self._who_retired(key) == name:
            raise PeerKeyChanged(
                f"{by.name} vouches for a key that {name} has retired", _NOT_THEIRS
            )
        self._check_nobody_elses(name, key)
        self.introductions.receive(introduced, by)
        return self.trust(name, key)

    def _standing(self, name: Name, key: PublicKey | None = None) -> Received | None:
        """The latest introduction of this name, with this key, that counts now."""
        for came in self._received(name):
            if key in (None, came.public_key) and self._vouches(came):
                return came
        return None

    def _vouches(self, came: Received) -> bool:
        """The introducer still is verified, with a key that goes back to the one they had."""
        pin = self._pins.get((self._server, came.by))
        if pin is None or pin.trust != "verified" or self.is_retired(Name(came.by)):
            return False
        return came.fingerprint in [key.fingerprint for key in _line_of(pin)]

    def _took(self, name: Name, key: PublicKey) -> bool:
        return self._taken.get(name) == key.fingerprint

    def _keep(self, name: Name, pin: Pin) -> None:
        self._file.write({**self._pins, (self._server, name): pin})

    def _keep_followed(self, name: Name, pin: Pin) -> None:
        """What can retire the key before can retire this one, however many come after it."""
        one = self.retirable(name)
        self._keep(name, pin)
        if one is not None:
            self.retirements.learn(name, pin.key.fingerprint, bytes.fromhex(one.public))

    def _is_followed(self, name: Name, pin: Pin, key: PublicKey, chain: bytes) -> bool:
        """The pin signed over to this key, which is nobody else's and no earlier one of theirs."""
        if self.is_retired(name):  # a thief may have signed over
            return False
        is_earlier = any(key.shares(old.key) for old in pin.earlier)
        is_known = is_earlier or self._owner_of(key, name) is not None
        return not is_known and leads(chain, self._server, name, pin.key, key)

    def _is_completed(self, name: Name, pin: Pin, key: PublicKey) -> bool:
        """The pin is of a first key alone, and this is it with a second, which is nobody else's."""
        return key.completes(pin.key) and self._owner_of(key, name) is None

    def _check_nobody_elses(self, name: Name, key: PublicKey | None) -> None:
        """A key that we know is not new just because the name is."""
        if key is not None and (owner := self._owner_of(key, name)) is not None:
            what = f"this key is known to you as {owner}"
            hint = "No message was sent to it. Call them and ask why they use another name."
            raise PeerKeyChanged(what, hint)

    def _owner_of(self, key: PublicKey, name: Name) -> str | None:
        """Whose key it is if not `name`'s: pinned, or one that signed over, or retired."""
        for other, pin in self._pins_here():
            if other != name and _is_among(key, pin):
                return other
        gone = self._who_retired(key)
        return None if gone == name else gone

    @property
    def _pins(self) -> Pins:
        return self._file.content

    def _pins_here(self) -> list[tuple[str, Pin]]:
        return [(name, pin) for (server, name), pin in self._pins.items() if server == self._server]


def _keys(pin: Pin) -> list[PublicKey]:
    """The pinned key, and all that have signed over."""
    return [pin.key, *(old.key for old in pin.earlier if old.signed_over)]


def _line_of(pin: Pin) -> list[PublicKey]:
    """The pinned key, and those that signed over until it was there.

    What came before a key that the person took in another's place has no say about it.
    """
    signed = takewhile(lambda old: old.signed_over, reversed(pin.earlier))
    return [pin.key, *(old.key for old in signed)]


def _is_among(key: PublicKey, pin: Pin) -> bool:
    """Whether a half of this key is one of the pinned ones, or of those that signed over."""
    return any(key.shares(one) for one in _keys(pin))


def _carried(pin: Pin) -> PinTrust:
    """The trust that goes over to keys which these sign over to.

    Who compared a first key alone has compared nothing that a quantum computer cannot forge.
    """
    return "tofu" if pin.key.second is None else pin.trust


def _behind(pin: Pin | None, now: int, signed_over: bool) -> tuple[OldKey, ...]:
    """The old keys of a pin that is replaced now, itself the last of them."""
    if pin is None:
        return ()
    replaced = OldKey(pin.key, pin.first_seen, pin.trust, now, signed_over)
    return (*pin.earlier, replaced)[-limits.MAX_OLD_KEYS :]
