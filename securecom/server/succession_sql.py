"""The registry's SQL for keys that sign over to others: a person's chain, and its next link.

As in `sql`: plain functions over a cursor, one transaction each.
"""

from __future__ import annotations

from securecom import limits
from securecom.errors import BadKey, NoSuchUser, StateDamaged
from securecom.identity import Name, PublicKey
from securecom.server import sql
from securecom.succession import Link


def successions(cursor: sql.Cursor, name: Name, key: PublicKey) -> list[Link]:
    """See `Registry.successions`."""
    cursor.execute(
        "SELECT old_key, new_key, old_signature, new_signature "
        "FROM users LEFT JOIN successions USING (name) "
        "WHERE users.name = ? AND users.key = ? ORDER BY number",
        (str(name), key.raw),
    )
    rows = cursor.fetchall()
    if not rows:
        raise NoSuchUser(f"there is no user {name} with this key")
    return [_link(*row) for row in rows if row[0] is not None]


def succeed(cursor: sql.Cursor, name: Name, link: Link) -> list[Link]:
    """See `Registry.succeed`."""
    sql.check_free(cursor, link.new)
    cursor.execute(
        "UPDATE users SET key = ? WHERE name = ? AND key = ?",
        (link.new.raw, str(name), link.old.raw),
    )
    if cursor.rowcount != 1:
        raise NoSuchUser(f"there is no user {name} with this key")
    cursor.execute("SELECT coalesce(max(number), 0) FROM successions WHERE name = ?", (str(name),))
    number = cursor.fetchone()[0] + 1
    row = (link.old.raw, link.new.raw, link.old_signature, link.new_signature)
    cursor.execute("INSERT INTO successions VALUES (?, ?, ?, ?, ?, ?)", (str(name), number, *row))
    cursor.execute(
        "DELETE FROM successions WHERE name = ? AND number <= ?",
        (str(name), number - limits.MAX_SUCCESSIONS),
    )
    return successions(cursor, name, link.new)


def _link(old: bytes, new: bytes, old_signature: bytes, new_signature: bytes) -> Link:
    try:
        return Link(PublicKey(old), PublicKey(new), old_signature, new_signature)
    except BadKey as error:
        what = f"the registry holds what was never written to it ({error.what})"
        raise StateDamaged(what) from None
