"""Exit codes of the client: what a script learns from it (docs/json.md lists them)."""

from __future__ import annotations

from securecom import errors

OK = 0
FIXABLE = 1
USAGE = 2
UNREACHABLE = 3
WRONG_SERVER = 4
LOGIN_REFUSED = 5
NO_ANSWER = 6
KEY_CHANGED = 7
TOO_OFTEN = 8
#: A signal's number is added.
SIGNALLED = 128

#: The nearest class on an error's line of descent counts.
_CODES: dict[type[BaseException], int] = {
    errors.WhichProfile: USAGE,
    errors.NoFrontend: USAGE,
    errors.CannotReach: UNREACHABLE,
    errors.ConnectionWasLost: UNREACHABLE,
    errors.ServerMismatch: WRONG_SERVER,
    errors.LoginRefused: LOGIN_REFUSED,
    errors.NotAnswered: NO_ANSWER,
    errors.PeerKeyChanged: KEY_CHANGED,
    errors.TooOften: TOO_OFTEN,
}


def exit_code(error: BaseException | None) -> int:
    """The code of what went wrong first, 0 if nothing did."""
    if error is None:
        return OK
    return next((_CODES[kind] for kind in type(error).__mro__ if kind in _CODES), FIXABLE)
