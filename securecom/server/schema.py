"""The registry's tables, step by step; `sql` and its neighbours read and write them."""

from __future__ import annotations

_PEOPLE = (
    """CREATE TABLE users (
        name TEXT PRIMARY KEY NOT NULL,
        key BLOB UNIQUE CHECK (length(key) = 32),
        disabled INTEGER NOT NULL DEFAULT 0 CHECK (disabled IN (0, 1)),
        created REAL NOT NULL
    ) STRICT""",
    # AUTOINCREMENT: a number the admin has seen never means another invitation.
    """CREATE TABLE invitations (
        number INTEGER PRIMARY KEY AUTOINCREMENT,
        name TEXT NOT NULL,
        token_hash BLOB NOT NULL UNIQUE CHECK (length(token_hash) = 32),
        expires REAL NOT NULL
    ) STRICT""",
    "CREATE INDEX invitations_by_name ON invitations (name)",
)
# No reference for `blocked`: it may be nobody's name, yet.
_BLOCKS = (
    """CREATE TABLE blocks (
        blocker TEXT NOT NULL REFERENCES users (name) ON DELETE CASCADE,
        blocked TEXT NOT NULL CHECK (blocked <> blocker),
        PRIMARY KEY (blocker, blocked)
    ) STRICT, WITHOUT ROWID""",
    "CREATE INDEX blocks_by_blocked ON blocks (blocked)",
)
# Names that nobody may have until then; whose they were is gone.
_QUARANTINE = (
    "CREATE TABLE quarantine (name TEXT PRIMARY KEY NOT NULL, until REAL NOT NULL) STRICT",
)
# A key that signed itself away is nobody's again: the old ones are unique, and so are the new ones.
_SUCCESSIONS = (
    """CREATE TABLE successions (
        name TEXT NOT NULL REFERENCES users (name) ON DELETE CASCADE,
        number INTEGER NOT NULL,
        old_key BLOB NOT NULL UNIQUE CHECK (length(old_key) = 32),
        new_key BLOB NOT NULL UNIQUE CHECK (length(new_key) = 32),
        old_signature BLOB NOT NULL CHECK (length(old_signature) = 64),
        new_signature BLOB NOT NULL CHECK (length(new_signature) = 64),
        PRIMARY KEY (name, number)
    ) STRICT, WITHOUT ROWID""",
)
#: The schema, step by step: each made a version of what was there before, from version 1 on. A new
#: table is a new step at the end; what has been on a disk somewhere never changes. What a table
#: or column holds about people is declared in `personal`.
STEPS: tuple[tuple[str, ...], ...] = (_PEOPLE, _BLOCKS, _QUARANTINE, _SUCCESSIONS)
