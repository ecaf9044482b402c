"""What a registry does, in statements that SQLite and PostgreSQL both understand.

Each method of `SQLRegistry` is one transaction, made from one function over a cursor. A function
that raises changes nothing. The pools hold a write lock around those that write, so what such a
function has read stays true until it is done, whatever other threads, processes and machines do;
when its caller hears that it has returned, the change is on the disk. Parameters are question
marks, as in SQLite.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import Any, Concatenate, ParamSpec, TypeVar

from twisted.internet.defer import Deferred, succeed
from twisted.python.failure import Failure

from securecom import limits
from securecom.errors import (
    BadKey,
    BadName,
    NameInQuarantine,
    NameTaken,
    NoSuchInvitation,
    NoSuchUser,
    NotInQuarantine,
)
from securecom.identity import Name, PublicKey, SecondKey
from securecom.refusals import BadInvitation, BadProof, KeyInUse, ListFull
from securecom.server import personal
from securecom.server.pools import Cursor, Interaction, Pool, never_written
from securecom.server.registry import Entrant, Everybody, OpenInvitation, Quarantined, User
from securecom.succession import Link, encode

P = ParamSpec("P")
T = TypeVar("T")
C = TypeVar("C", bound=Cursor)

# --- users ----------------------------------------------------------------------------------

_USERS = "SELECT name, key, second, disabled, created FROM users "


def user(cursor: Cursor, name: Name) -> User | None:
    """The user of this name."""
    return _one_user(cursor, "WHERE name = ?", str(name))


def users(cursor: Cursor) -> list[User]:
    """All users, in the order of their names."""
    cursor.execute(_USERS + "ORDER BY name")
    return [_user_of(*row) for row in cursor.fetchall()]


def entrant(cursor: Cursor, key: PublicKey) -> Entrant | None:
    """The user of this first key, disabled or not, and what a log-in needs besides."""
    found = _one_user(cursor, "WHERE key = ?", key.raw)
    if found is None:
        return None
    chain = encode(_links(cursor, found.name))
    return Entrant(found, tuple(blocked(cursor, found.name)), chain)


def everybody(cursor: Cursor) -> Everybody:
    """All users with their blocks, and who of them has a chain."""
    cursor.execute("SELECT DISTINCT name FROM successions")
    successors = frozenset(_name(name) for (name,) in cursor.fetchall())
    return Everybody(users(cursor), blocks(cursor), successors)


def disable(cursor: Cursor, name: Name) -> None:
    """Let this user log in no more. :raises errors.NoSuchUser: there is none."""
    _set_disabled(cursor, name, True)


def enable(cursor: Cursor, name: Name) -> None:
    """Undo `disable`. :raises errors.NoSuchUser: there is none."""
    _set_disabled(cursor, name, False)


def reset_key(cursor: Cursor, name: Name) -> None:
    """Take the user's keys and their chain away, so that the name can be invited again.

    :raises errors.NoSuchUser: there is none.
    """
    cursor.execute("UPDATE users SET key = NULL, second = NULL WHERE name = ?", (str(name),))
    _must_have_found(cursor, name)
    cursor.execute("DELETE FROM successions WHERE name = ?", (str(name),))  # perhaps a thief's
    cursor.execute("DELETE FROM retirement_keys WHERE name = ?", (str(name),))  # likewise


def _one_user(cursor: Cursor, where: str, value: str | bytes) -> User | None:
    cursor.execute(_USERS + where, (value,))
    row = cursor.fetchone()
    return None if row is None else _user_of(*row)


def _user_of(
    name: str, raw: bytes | None, second: bytes | None, disabled: int, created: float
) -> User:
    key = None if raw is None else _key(raw, second)
    return User(_name(name), key, bool(disabled), created)


def _set_disabled(cursor: Cursor, name: Name, disabled: bool) -> None:
    cursor.execute("UPDATE users SET disabled = ? WHERE name = ?", (int(disabled), str(name)))
    _must_have_found(cursor, name)


def _must_have_found(cursor: Cursor, name: Name) -> None:
    if cursor.rowcount != 1:
        raise NoSuchUser(f"there is no user {name}")


def _name(text: str) -> Name:
    try:
        return Name(text)
    except BadName as error:
        raise never_written(error) from None


def _key(raw: bytes, second: bytes | None) -> PublicKey:
    try:
        return PublicKey(raw, second)
    except BadKey as error:
        raise never_written(error) from None


# --- invitations ----------------------------------------------------------------------------

_INVITATIONS = "SELECT number, name, expires FROM invitations "


def invitations(cursor: Cursor) -> list[OpenInvitation]:
    """All open invitations, expired ones included, in the order in which they were made."""
    return _some_invitations(cursor, "ORDER BY number")


def invite(cursor: Cursor, name: Name, token_hash: bytes, expires: float) -> OpenInvitation:
    """Open an invitation. A name may have several; the first that is spent ends the others.

    :raises errors.NameTaken: the name has a key.
    :raises errors.NameInQuarantine: it was somebody's not long ago.
    """
    present = user(cursor, name)
    if present is not None and present.key is not None:
        raise NameTaken(f"{name} has a key already")
    for one in _some_quarantined(cursor, "WHERE name = ?", str(name)):
        raise NameInQuarantine(one.explanation)
    cursor.execute(
        "INSERT INTO invitations (name, token_hash, expires) VALUES (?, ?, ?)",
        (str(name), token_hash, expires),
    )
    return _some_invitations(cursor, "WHERE token_hash = ?", token_hash)[0]


def revoke(cursor: Cursor, which: Name | int) -> list[OpenInvitation]:
    """Close the invitation of this number, or all of this name. Returns those that were closed.

    :raises errors.NoSuchInvitation: there is none.
    """
    if isinstance(which, int):
        closed = _some_invitations(cursor, "WHERE number = ?", which)
    else:
        closed = _some_invitations(cursor, "WHERE name = ? ORDER BY number", str(which))
    if not closed:
        raise NoSuchInvitation(f"there is no open invitation {which}")
    for invitation in closed:
        cursor.execute("DELETE FROM invitations WHERE number = ?", (invitation.number,))
    return closed


def spend(cursor: Cursor, token_hash: bytes, key: PublicKey, now: float) -> Name:
    """Give the key to the name that this invitation (`invitation.token_hash`) is for.

    All other invitations of that name end with it.

    :raises refusals.BadInvitation: it is spent, expired, revoked, or never was.
    :raises refusals.KeyInUse: the key is somebody's, or was and signed over to another one. The
        invitation stays open.
    """
    open_now = _some_invitations(cursor, "WHERE token_hash = ? AND expires > ?", token_hash, now)
    if not open_now:
        raise BadInvitation
    check_free(cursor, key)
    name = open_now[0].name
    if _some_quarantined(cursor, "WHERE name = ?", str(name)):  # such a name has no invitations
        raise BadInvitation
    cursor.execute(
        "INSERT INTO users (name, key, second, created) VALUES (?, ?, ?, ?) "
        "ON CONFLICT (name) DO UPDATE SET key = excluded.key, second = excluded.second "
        "WHERE users.key IS NULL",
        (str(name), key.raw, key.second, now),
    )
    if cursor.rowcount != 1:  # the name has a key, and so should have no invitations
        raise BadInvitation
    cursor.execute("DELETE FROM invitations WHERE name = ? OR expires <= ?", (str(name), now))
    return name


def check_free(cursor: Cursor, key: PublicKey) -> None:
    """:raises refusals.KeyInUse: it is somebody's key, or was and signed over to another one, or
    was retired.
    """
    cursor.execute(
        "SELECT 1 FROM users WHERE key = ? UNION ALL SELECT 1 FROM successions WHERE old_key = ? "
        "UNION ALL SELECT 1 FROM retired_keys WHERE retired = ?",
        (key.raw, key.raw, key.raw),
    )
    if cursor.fetchone() is not None:
        raise KeyInUse


def _some_invitations(
    cursor: Cursor, which: str, *values: str | bytes | float
) -> list[OpenInvitation]:
    cursor.execute(_INVITATIONS + which, values)
    return [
        OpenInvitation(number, _name(name), expires) for number, name, expires in cursor.fetchall()
    ]


# --- second keys, and new keys --------------------------------------------------------------


def complete(cursor: Cursor, name: Name, key: PublicKey) -> None:
    """Put a second key beside the first one of a user who has none.

    :raises errors.NoSuchUser: this is not their first key, or they have a second one by now.
    """
    cursor.execute(
        "UPDATE users SET second = ? WHERE name = ? AND key = ? AND second IS NULL",
        (key.second, str(name), key.raw),
    )
    if cursor.rowcount != 1:
        raise NoSuchUser(f"there is no user {name} with this first key alone")


def _links(cursor: Cursor, name: Name) -> list[Link]:
    """The chain that led this user to their key, the oldest link first."""
    cursor.execute(
        "SELECT old_key, old_second_key, new_key, new_second, old_signature, new_signature, "
        "old_second_signature FROM successions WHERE name = ? ORDER BY number",
        (str(name),),
    )
    return [_link(*row) for row in cursor.fetchall()]


def _link(
    old: bytes,
    old_second: bytes | None,
    new: bytes,
    new_second: bytes | None,
    old_signature: bytes,
    new_signature: bytes,
    old_second_signature: bytes | None,
) -> Link:
    second = None if old_second is None else SecondKey(old_second)
    keys = _key(old, None if second is None else second.digest), _key(new, new_second)
    return Link(*keys, old_signature, new_signature, second, old_second_signature)


def succeed_key(cursor: Cursor, name: Name, link: Link) -> list[Link]:
    """Replace the user's key, the link's old one, by its new one. Returns the chain.

    Only the last `limits.MAX_SUCCESSIONS` links of a name are kept.

    :raises refusals.KeyInUse: the new key is somebody's, or was and signed over to another one.
    :raises errors.NoSuchUser: the old one is not, or no longer, the user's key.
    """
    check_free(cursor, link.new)
    someone = user(cursor, name)
    if someone is None or someone.key != link.old:
        raise NoSuchUser(f"there is no user {name} with this key")
    cursor.execute(
        "UPDATE users SET key = ?, second = ? WHERE name = ?",
        (link.new.raw, link.new.second, str(name)),
    )
    cursor.execute("SELECT coalesce(max(number), 0) FROM successions WHERE name = ?", (str(name),))
    number = cursor.fetchone()[0] + 1
    cursor.execute(
        "INSERT INTO successions VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
        (
            str(name),
            number,
            link.old.raw,
            link.new.raw,
            link.old_signature,
            link.new_signature,
            None if link.old_second_key is None else link.old_second_key.raw,
            link.old_second_signature,
            link.new.second,
        ),
    )
    cursor.execute(
        "DELETE FROM successions WHERE name = ? AND number <= ?",
        (str(name), number - limits.MAX_SUCCESSIONS),
    )
    return _links(cursor, name)


# --- retirement -----------------------------------------------------------------------------


def set_retirement(cursor: Cursor, name: Name, key: PublicKey, public: bytes) -> None:
    """Register what can retire this user's keys, for as long as they have any.

    :raises refusals.KeyInUse: another one is registered.
    :raises errors.NoSuchUser: this is not, or no longer, the user's key.
    """
    someone = user(cursor, name)
    if someone is None or someone.key != key:
        raise NoSuchUser(f"there is no user {name} with this key")
    cursor.execute("SELECT public FROM retirement_keys WHERE name = ?", (str(name),))
    row = cursor.fetchone()
    if row is None:
        cursor.execute("INSERT INTO retirement_keys VALUES (?, ?)", (str(name), public))
    elif row[0] != public:
        raise KeyInUse


def retire(cursor: Cursor, name: Name, public: bytes, signature: bytes) -> bool:
    """Take the user's key away, and its chain, at the word of who can retire it.

    No key of that chain is ever anybody's again: one of them was stolen. Returns False if that has
    been done before. Then nothing changes: a key that the name has got since is another one.

    :param signature: checked by the caller, kept.
    :raises refusals.BadProof: nobody has this name, or this is not what can retire their key.
    """
    cursor.execute(
        "SELECT users.key FROM users JOIN retirement_keys USING (name) "
        "WHERE name = ? AND public = ? AND users.key IS NOT NULL",
        (str(name), public),
    )
    row = cursor.fetchone()
    if row is None:
        cursor.execute(
            "SELECT 1 FROM retired_keys WHERE name = ? AND public = ?", (str(name), public)
        )
        if cursor.fetchone() is None:
            raise BadProof
        return False
    cursor.execute("SELECT old_key FROM successions WHERE name = ?", (str(name),))
    keys = [row[0], *(one for (one,) in cursor.fetchall())]
    reset_key(cursor, name)
    cursor.executemany(
        "INSERT INTO retired_keys VALUES (?, ?, ?, ?)",
        [(key, str(name), public, signature) for key in keys],
    )
    return True


# --- blocks ---------------------------------------------------------------------------------


def blocked(cursor: Cursor, blocker: Name) -> list[Name]:
    """Whom `blocker` has blocked, in order."""
    cursor.execute("SELECT blocked FROM blocks WHERE blocker = ? ORDER BY blocked", (str(blocker),))
    return [_name(row[0]) for row in cursor.fetchall()]


def blocks(cursor: Cursor) -> dict[Name, list[Name]]:
    """Everybody who has blocked anybody, and whom."""
    cursor.execute("SELECT blocker, blocked FROM blocks ORDER BY blocker, blocked")
    found: dict[Name, list[Name]] = {}
    for blocker, who in cursor.fetchall():
        found.setdefault(_name(blocker), []).append(_name(who))
    return found


def block(cursor: Cursor, blocker: Name, who: Name) -> None:
    """Keep `who`, a name that need not be anybody's (yet), from asking `blocker`.

    :raises refusals.ListFull: `limits.MAX_BLOCKED` names are blocked already.
    :raises errors.NoSuchUser: there is no `blocker`.
    """
    if user(cursor, blocker) is None:
        raise NoSuchUser(f"there is no user {blocker}")
    names = blocked(cursor, blocker)
    if who in names:
        return
    if len(names) >= limits.MAX_BLOCKED:
        raise ListFull
    cursor.execute("INSERT INTO blocks VALUES (?, ?)", (str(blocker), str(who)))


def unblock(cursor: Cursor, blocker: Name, who: Name) -> bool:
    """Undo `block`. Returns whether there was anything to undo."""
    cursor.execute("DELETE FROM blocks WHERE blocker = ? AND blocked = ?", (str(blocker), str(who)))
    return cursor.rowcount == 1


# --- people who leave, and their names ------------------------------------------------------

_QUARANTINED = "SELECT name, until FROM quarantine "


def remove(cursor: Cursor, name: Name, now: float) -> None:
    """Forget this user: their key and chain, the name's invitations, whom they have blocked.

    The name is then in quarantine. Other people's blocks of it stay until that ends.

    :raises errors.NoSuchUser: there is none.
    """
    if user(cursor, name) is None:
        raise NoSuchUser(f"there is no user {name}")
    _forget(cursor, name, now)


def forget(cursor: Cursor, name: Name, key: PublicKey, now: float) -> None:
    """Do the same when the user asks for it.

    :raises errors.NoSuchUser: the name is not this key's.
    """
    someone = user(cursor, name)
    if someone is None or someone.key != key:
        raise NoSuchUser("the person who asks is no longer a user")
    _forget(cursor, name, now)


def quarantine(cursor: Cursor) -> list[Quarantined]:
    """The names that nobody can have, in order."""
    return _some_quarantined(cursor, "ORDER BY name")


def end_quarantines(cursor: Cursor, now: float) -> list[Name]:
    """Free the names whose time is up, and delete other people's blocks of them."""
    over = [one.name for one in _over(cursor, now)]
    for name in over:
        _free(cursor, name)
    return over


def release(cursor: Cursor, name: Name) -> None:
    """Free a name before its time. :raises errors.NotInQuarantine: it is not in quarantine."""
    if not _some_quarantined(cursor, "WHERE name = ?", str(name)):
        raise NotInQuarantine(f"{name} is not in quarantine")
    _free(cursor, name)


def _forget(cursor: Cursor, name: Name, now: float) -> None:
    personal.erase(cursor, name)
    until = now + limits.NAME_QUARANTINE
    cursor.execute(
        "INSERT INTO quarantine VALUES (?, ?) "
        "ON CONFLICT (name) DO UPDATE SET until = excluded.until",
        (str(name), until),
    )


def _free(cursor: Cursor, name: Name) -> None:
    """Whoever gets the name next is somebody else, whom nobody has blocked."""
    cursor.execute("DELETE FROM quarantine WHERE name = ?", (str(name),))
    cursor.execute("DELETE FROM blocks WHERE blocked = ?", (str(name),))


def _over(cursor: Cursor, now: float) -> list[Quarantined]:
    return _some_quarantined(cursor, "WHERE until <= ? ORDER BY name", now)


def _some_quarantined(cursor: Cursor, which: str, *values: str | float) -> list[Quarantined]:
    cursor.execute(_QUARANTINED + which, values)
    return [Quarantined(_name(name), until) for name, until in cursor.fetchall()]


# --- the registry ---------------------------------------------------------------------------


def reading(
    function: Callable[Concatenate[C, P], T],
) -> Callable[Concatenate[SQLRegistry, P], Deferred[T]]:
    """A method that runs the function in a transaction that changes nothing."""

    @wraps(function)
    def method(registry: SQLRegistry, /, *args: P.args, **kwargs: P.kwargs) -> Deferred[T]:
        result: Deferred[T] = registry._pool.read(function, *args, **kwargs)
        return result.addErrback(registry._meaning)

    return method


def _writing(
    function: Callable[Concatenate[Cursor, P], T], is_wide: bool = False
) -> Callable[Concatenate[SQLRegistry, P], Deferred[T]]:
    """A method that runs the function in a transaction that holds the write lock.

    :param is_wide: whether it changes what is known about others than its first argument.
    """

    @wraps(function)
    def method(registry: SQLRegistry, /, *args: P.args, **kwargs: P.kwargs) -> Deferred[T]:
        whose = None if is_wide else args[0]
        result: Deferred[T] = registry._write(whose, function, *args, **kwargs)
        result.addBoth(registry._written, whose)
        return result.addErrback(registry._meaning)

    return method


class SQLRegistry:
    """A `registry.Registry` whose methods are the functions of this file, run by a pool.

    A database's own class adds `version` and what its errors mean.
    """

    def __init__(self, pool: Pool) -> None:
        self._pool = pool
        self.on_write: Callable[[Name | None], None] = lambda _: None

    user = reading(user)
    entrant = reading(entrant)
    everybody = reading(everybody)
    users = reading(users)
    disable = _writing(disable)
    enable = _writing(enable)
    reset_key = _writing(reset_key)
    invitations = reading(invitations)
    invite = _writing(invite)
    revoke = _writing(revoke)
    spend = _writing(spend)
    complete = _writing(complete)
    succeed = _writing(succeed_key)
    blocked = reading(blocked)
    block = _writing(block)
    unblock = _writing(unblock)
    set_retirement = _writing(set_retirement)
    retire = _writing(retire)
    held = reading(personal.held)
    remove = _writing(remove)
    forget = _writing(forget)
    quarantine = reading(quarantine)
    release = _writing(release, is_wide=True)
    _quarantines_over = reading(_over)
    _end_quarantines = _writing(end_quarantines, is_wide=True)

    def end_quarantines(self, now: float) -> Deferred[list[Name]]:
        """Free the names whose time is up; the write lock is taken only if there are any."""
        over = self._quarantines_over(now)
        return over.addCallback(lambda any_: self._end_quarantines(now) if any_ else succeed([]))

    def mark(self) -> bytes | None:
        return None

    def close(self) -> None:
        self._pool.close()

    def _write(self, whose: object, function: Interaction, *args: Any) -> Deferred[Any]:
        """Run a function that writes.

        :param whose: the name that it is about, None if it is about several; else it may have one.
        """
        return self._pool.write(function, *args)

    def _written(self, outcome: T, whose: object) -> T:
        if whose is None or isinstance(whose, Name):
            self.on_write(whose)
        return outcome

    def _meaning(self, failure: Failure) -> Failure:
        """Turn a database's error into one that people can read; leave others as they are."""
        return failure
