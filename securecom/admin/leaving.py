"""The commands of `securecom-admin` about people who leave, and about the names that they leave."""

from __future__ import annotations

from argparse import Namespace

from securecom import limits
from securecom.admin.desk import Answer, Surroundings, done
from securecom.admin.output import day_and_time, iso, json_lines, table
from securecom.errors import NameInQuarantine, NoSuchUser, NotInQuarantine
from securecom.identity import Name
from securecom.server.registry import Registry


class Leaving:
    """A method for each command."""

    def __init__(self, registry: Registry, around: Surroundings) -> None:
        self._registry, self._around = registry, around

    def check(self, name: Name) -> None:
        """:raises NameInQuarantine: nobody may have this name yet."""
        for one in done(self._registry.quarantine()):
            if one.name == name:
                raise NameInQuarantine(one.told)

    def remove(self, asked: Namespace) -> Answer:
        """Forget a user, once somebody has said yes."""
        if done(self._registry.user(asked.name)) is None:
            raise NoSuchUser(f"there is no user {asked.name}")
        question = f"Remove {asked.name} for good?"
        self._around.must_agree(asked.yes, question, f"{asked.name} was not removed")
        now = self._around.now()
        done(self._registry.remove(asked.name, now))
        until = day_and_time(now + limits.NAME_QUARANTINE)
        return Answer([f"{asked.name} is removed; nobody can have the name until {until}"])

    def quarantine(self, asked: Namespace) -> Answer:
        """The names that nobody may have, and until when."""
        names = done(self._registry.quarantine())
        if asked.json:
            return Answer(json_lines({"name": one.name, "until": iso(one.until)} for one in names))
        if not names:
            return Answer(["no names in quarantine"])
        rows = [(one.name, day_and_time(one.until)) for one in names]
        return Answer(table(("NAME", "NOBODY'S UNTIL"), rows))

    def release(self, asked: Namespace) -> Answer:
        """Let a name go before its time, once somebody has said yes."""
        name = asked.name
        if name not in [one.name for one in done(self._registry.quarantine())]:
            raise NotInQuarantine(f"{name} is not in quarantine")
        question = (
            f"Whoever gets the name {name} next may be taken for the last one by those who have "
            f"not met them, and nobody blocks {name} any more. Release {name}?"
        )
        self._around.must_agree(asked.yes, question, f"{name} was not released")
        done(self._registry.release(name))
        return Answer([f"{name} is released"], f"Next: securecom-admin invite {name}")
