"""One class for each reason: our fault, the peer's fault, or the user's mistake.

Each error has a stable number, says what happened and what was not done, and ends with what to
do next. Refusals that travel on the wire are in `securecom.refusals`.
"""

from __future__ import annotations

from typing import ClassVar


class SecurecomError(Exception):
    """An error a person may read.

    :param what: what happened and what was not done; no full stop at the end.
    :param hint: what to do next; without one, the class's own.
    :param suggested: commands that help now, each with its argument or "". The front-end says how
        its user gives them: hints name no commands.
    """

    code: ClassVar[int] = 100
    hint: str = "Please report this to the people who maintain securecom."

    def __init__(self, what: str, hint: str | None = None, *suggested: tuple[str, str]) -> None:
        super().__init__(what)
        self.what = what
        self.suggested = suggested
        if hint is not None:
            self.hint = hint

    def __str__(self) -> str:
        return f"SC-{self.code} {self.what}. {self.hint}".rstrip()


# --- ours -----------------------------------------------------------------------------------


class OurFault(SecurecomError):
    """Something went wrong on this machine."""


class StateDamaged(OurFault):
    """A folder or file that securecom keeps is not what it wrote."""

    code = 110
    hint = "Nothing was changed. Repair it, or restore it from a backup."


class StateBusy(OurFault):
    """Another process holds what this one needs."""

    code = 111
    hint = "Nothing was changed. Try again in a moment."


class StateUnusable(OurFault):
    """This machine stands in the way: a disk that is full, read-only or not ours to read, or a
    library that cannot be used.
    """

    code = 112
    hint = "Check the folder's owner and permissions, and the space left."


class NoState(OurFault):
    """This folder holds no server state."""

    code = 113
    hint = "Start the server once (twistd -n securecom), or name its folder with --state."


class TLSUnusable(OurFault):
    """The TLS library that is installed cannot do what every connection needs."""

    code = 114
    hint = "Nothing was started. Install cryptography 47.0 or later from its wheels."


class RegistryAway(OurFault):
    """The database server that has the registry cannot be reached, or does not answer."""

    code = 117
    hint = "Nothing was changed. Check that PostgreSQL runs and lets this user in."


class OutcomeUnknown(OurFault):
    """The connection to the registry was lost at the one moment that leaves open what happened."""

    code = 118
    hint = "It may have been done, or not: look before you try it again."


class OutputFailed(OurFault):
    """Output could not be written."""

    code = 116
    hint = "Nothing was changed or sent. Check where the output goes, and the space left there."


class DirectoryAway(OurFault):
    """The directory that the nodes of a server share cannot be reached, or does not answer."""

    code = 119
    hint = "Check that the engine (Redis or Valkey) runs, and that this machine reaches it."


class NodeGone(OurFault):
    """Another node of this server cannot be reached, or its link broke before its answer."""

    code = 120
    hint = "It may or may not have been done. Try again in a moment."


# --- the person's ---------------------------------------------------------------------------


class Mistake(SecurecomError):
    """Something typed or configured that cannot be done as it stands."""

    code = 200
    hint = "Nothing was sent."


class UnknownCommand(Mistake):
    """A line that starts like a command but is not one."""

    code = 201


class BadArgument(Mistake):
    """A command with an argument that it does not accept."""

    code = 202


class NotNow(Mistake):
    """A command that makes no sense at this moment."""

    code = 203


class BadName(Mistake):
    """Text that is not a valid name."""

    code = 204
    hint = "A name is 1 to 32 of a-z, 0-9, '.', '_' and '-', and starts with a letter or digit."


class TooLong(Mistake):
    """A message or line over its limit."""

    code = 205


class BadKey(Mistake):
    """Bytes that are not an acceptable Ed25519 public key."""

    code = 206
    hint = "securecom takes ssh-ed25519 keys only."


class BadLink(Mistake):
    """Text that is not an invitation link."""

    code = 207
    hint = "Nothing was sent. Copy the whole link, from securecom:// to its last character."


class BadHost(Mistake):
    """Text that is neither a host name nor an IP address."""

    code = 208
    hint = "A host is a name such as chat.example.org, an IPv4 address, or an IPv6 address."


class IdentityProblem(Mistake):
    """The identity file cannot be used."""

    code = 210
    hint = "Nothing was sent."


class ProfileProblem(Mistake):
    """The profile cannot be used."""

    code = 211
    hint = "Nothing was sent."


class WhichProfile(Mistake):
    """There is no profile, or there are several and none was named."""

    code = 212


class PassPhraseProblem(IdentityProblem):
    """A pass phrase that is missing, wrong, or may not come from where it was given."""

    code = 213


class BackupProblem(Mistake):
    """A backup cannot be written there, or cannot be restored from this file."""

    code = 214
    hint = "Nothing was changed or sent."


class NoProgram(Mistake):
    """The program meant to answer chat requests is missing or not executable."""

    code = 215
    hint = "Nothing was sent. Name a program with its path, or '' for none: docs/bots.md."


class NoFrontend(Mistake):
    """The front-end that was named does not exist, or cannot run here."""

    code = 217
    hint = "Nothing was sent. Leave --frontend out, or name another one."


class ProgramFailed(Mistake):
    """The program meant to answer chat requests gave no answer."""

    code = 216
    hint = "You are asked instead."


class FileProblem(Mistake):
    """A file cannot be sent, or cannot be saved there."""

    code = 218
    hint = "Nothing was sent or written."


# --- the admin's ----------------------------------------------------------------------------


class NoSuchUser(Mistake):
    """No user of this server has that name."""

    code = 220
    hint = "Nothing was changed. securecom-admin users shows all."


class NoSuchInvitation(Mistake):
    """No open invitation has that name or number."""

    code = 221
    hint = "Nothing was changed. securecom-admin invites shows all."


class NameTaken(Mistake):
    """The name already has a key, so it cannot be invited."""

    code = 222
    hint = "Nothing was changed. For a new key: securecom-admin reset-key NAME, then invite again."


class NotConfirmed(Mistake):
    """Something that cannot be undone was not confirmed."""

    code = 223
    hint = "Nothing was changed. Repeat it with --yes."


class NameInQuarantine(Mistake):
    """The name belonged to somebody not long ago, so it cannot be invited."""

    code = 226
    hint = (
        "Nothing was changed. Old friends would mistake its next owner for the last one: choose "
        "another name, wait, or see securecom-admin release."
    )


class NotInQuarantine(Mistake):
    """A name that is not in quarantine."""

    code = 227
    hint = "Nothing was changed. securecom-admin quarantine shows the names that are."


# --- the network and the server -------------------------------------------------------------


class CannotReach(SecurecomError):
    """No connection to the server."""

    code = 301
    hint = "Check the address, and that the server is running."


class ConnectionWasLost(SecurecomError):
    """The connection to the server went away."""

    code = 302
    hint = "What had no receipt may not have arrived."


class ClockIsOff(CannotReach):
    """The server is the pinned one, but its certificate is not valid by this machine's clock."""

    code = 306
    hint = (
        "Nothing was sent. Set this machine's clock; if it is right, tell the server's admin that "
        "the certificate's dates are wrong."
    )


class NotDialled(SecurecomError):
    """The server does not open request channels itself."""

    code = 303
    hint = "Nobody can ask you for a chat. Start again with --request listen."


class PortTaken(SecurecomError):
    """Another program on this machine uses the port where the server would dial us."""

    code = 304
    hint = "End the program that uses it, or start again with --request listen."


class ServerInTrouble(SecurecomError):
    """The server's disk or database failed."""

    code = 305
    hint = "Nothing was changed. Try again in a moment, or tell the server's admin."


class ServerMismatch(SecurecomError):
    """The server is not the one that was pinned."""

    code = 401
    hint = (
        "Nothing was sent to it. Ask the admin for the server's fingerprint by phone or in person."
    )


class LoginRefused(SecurecomError):
    """The server turned us away, or does not know us."""

    code = 501
    hint = "Ask the server's admin."


class OnlineElsewhere(LoginRefused):
    """Another client has the one session that a key may have."""


class InvitationRefused(LoginRefused):
    """The invitation was used, has expired, was revoked, or is unknown."""

    code = 502
    hint = "Ask the admin for a new one."


# --- requests and peers ---------------------------------------------------------------------


class NotAnswered(SecurecomError):
    """The request came to nothing, for a reason that the other side need not give."""

    code = 601
    #: Seconds until the same person may be asked again, if that is known.
    wait: int | None = None
    hint = "No chat began. You may ask again."


class WasRefused(NotAnswered):
    """The other person said no."""

    code = 602
    hint = "They saw your request; no chat began."


class WasCancelled(NotAnswered):
    """We withdrew the request."""

    code = 603
    hint = "They may have seen it; no chat began."


class IsBusy(NotAnswered):
    """The other person is in a chat or asking for one, and lets us see that."""

    code = 604
    hint = "No chat began. They will see that you asked; try again later."


class PeerKeyChanged(SecurecomError):
    """The peer's key is not the pinned one."""

    code = 701
    hint = "No message was sent to that key. Call them and ask whether they have a new key."


class ChatFailed(SecurecomError):
    """The end-to-end session could not be set up, or broke."""

    code = 702
    hint = "Nothing more was sent. You may ask again."


class NotDelivered(SecurecomError):
    """A message without a receipt."""

    code = 703
    hint = "It may not have arrived."


class LogFailed(SecurecomError):
    """The log that both agreed to cannot be written here."""

    code = 704
    hint = "Neither of you keeps a log any more; the chat goes on."


class FileFailed(SecurecomError):
    """A file that was on its way did not arrive."""

    code = 705
    hint = "The chat goes on. Offer the file again."


class TooOften(SecurecomError):
    """A rate limit."""

    code = 801
    hint = "That was not done. Wait a minute and try again."
    #: Seconds until it may be tried again, if that is known.
    wait: int | None = None


class AskedTooSoon(TooOften):
    """The other person said no a short while ago."""

    code = 802
    hint = "They were not asked."


# --- the peer's -----------------------------------------------------------------------------


class PeerFault(SecurecomError):
    """The other end broke the protocol, so its connection ends."""

    code = 900
    hint = "The connection was ended."


class WireError(PeerFault):
    """Bytes that are not a frame, a box, or a command allowed here."""

    code = 901


class TLSRefused(PeerFault):
    """TLS finished with a protocol, group or version that is not allowed."""

    code = 902


class ProofRefused(PeerFault):
    """A request channel without a good proof of the session key, or a chat without a HELLO."""

    code = 903


class NotYourStream(PeerFault):
    """A chat frame for a stream that was never opened to its sender."""

    code = 904


class PeerSilent(PeerFault):
    """The peer sent or accepted nothing for too long."""

    code = 905


class NotRekeyed(PeerFault):
    """The keys of a chat reached the end of their life before new ones came."""

    code = 906
