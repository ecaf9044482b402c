"""What the server holds about us: all of it, or its end."""

from __future__ import annotations

from collections.abc import Callable, Generator
from typing import Any

from twisted.internet.defer import Deferred, DeferredLock, inlineCallbacks
from twisted.protocols import amp

from securecom import limits, vocabulary
from securecom.client.coordination.station import Station
from securecom.client.denials import denied
from securecom.client.events import DataFact, DataHeld, ForgetMeMeans, Forgotten
from securecom.errors import BadArgument, WireError
from securecom.identity import Name
from securecom.vocabulary import Fact, fact_bytes

#: So long nobody can have a name that was ours.
_DAYS = round(limits.NAME_QUARANTINE / (24 * 3600))


class MyAccount:
    """Whatever cannot be done fails with a `SecurecomError`, and then nothing was changed.

    :param forgotten: called when the server knows us no more.
    """

    def __init__(self, station: Station, forgotten: Callable[[], None]) -> None:
        self._station, self._forgotten = station, forgotten
        #: The server keeps the pages of one look, and those only while it knows us.
        self._turn = DeferredLock()

    def my_data(self) -> Deferred[DataHeld]:
        """All that the server holds about us, as it says."""
        return self._turn.run(self._look)

    @inlineCallbacks
    def _look(self) -> Generator[Deferred[Any], Any, DataHeld]:
        facts: list[Fact] = []
        size, further, more = 0, False, True
        while more:
            page = yield self._ask(vocabulary.MyData, further=further)
            facts += page["facts"]
            size += sum(len(fact_bytes(fact)) for fact in page["facts"])
            if size > limits.MAX_MY_DATA or (page["more"] and not page["facts"]):
                hint = "Nothing was shown. Tell the server's admin."
                raise WireError("the server tells of you without end", hint)
            further, more = True, page["more"]
        return DataHeld(self._station.name, [DataFact(*fact) for fact in facts])

    def means(self) -> ForgetMeMeans:
        """What being forgotten would be."""
        return ForgetMeMeans(self._station.name, _DAYS)

    @inlineCallbacks
    def forget_me(self, name: Name) -> Generator[Deferred[Any], Any, Forgotten]:
        """Have the server erase us, and leave. Our own files stay. `my_data` ends first.

        :param name: our own, typed by the person.
        """
        if name != self._station.name:
            hint = f"Nothing was sent. Yours is {self._station.name}."
            raise BadArgument("that is not your name", hint, ("forget-me", ""))
        yield self._turn.run(self._ask, vocabulary.ForgetMe, name=name)
        folder = self._station.contacts.folder
        self._forgotten()
        return Forgotten(name, _DAYS, None if folder is None else str(folder))

    def _ask(self, command: type[amp.Command], **arguments: Any) -> Deferred[dict[str, Any]]:
        """The server's answer, or an error that people can read."""
        return self._station.line.ask(command, **arguments).addErrback(denied, command)
