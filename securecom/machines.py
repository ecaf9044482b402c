"""Automat's state machines with a queue before their inputs, so that they survive our own bugs.

An input made inside an output has to wait until the output is done. Automat makes it wait, but
forgets it when the output raises, and passes the exception to the caller of the first input. Here
no input is forgotten, no exception escapes, and the machine moves to a final state.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from typing import Any, Generic, TypeVar, cast

from automat import TypeMachine
from twisted.python.failure import Failure

from securecom.control import our_fault
from securecom.errors import SecurecomError

Inputs = TypeVar("Inputs")
Core = TypeVar("Core")


def lasting(
    machine: TypeMachine[Inputs, Core],
    mend: Callable[[Inputs, Core, SecurecomError], None],
    entered: Callable[[Core, str], None] | None = None,
    settled: Callable[[Core], None] | None = None,
) -> Callable[[Core], Inputs]:
    """Return a factory whose machines survive exceptions in their outputs.

    :param mend: called when an output has raised, before any waiting input. It makes an input that
        leads to an end from every state, and releases what the output may have left behind.
    :param entered: called with the name of each state that an input leads to, before the outputs.
    :param settled: called after each input, when its outputs and `mend` are done.
    """

    kind = _queue_for(cast(Any, machine).__automat_automaton__)

    def begin(core: Core) -> Inputs:
        return cast(Inputs, kind(machine(core), core, mend, entered, settled))

    return begin


def _queue_for(automaton: Any) -> type[_Queue[Any, Any]]:
    """A queue with a method for each input of this automaton of Automat's.

    Automat looks through all transitions of a machine at each input, and a chat request has about a
    hundred. Here each is looked up once.
    """
    automaton.outputForInput = cache(automaton.outputForInput)
    return type("_QueueOf", (_Queue,), {word: _input(word) for word in automaton.inputAlphabet()})


def _input(word: str) -> Callable[..., Any]:
    def put(queue: _Queue[Any, Any], *arguments: Any) -> Any:
        return queue.take(word, arguments)

    return put


class _Queue(Generic[Inputs, Core]):
    """Passes inputs to a machine one at a time."""

    def __init__(
        self,
        machine: Inputs,
        core: Core,
        mend: Callable[[Inputs, Core, SecurecomError], None],
        entered: Callable[[Core, str], None] | None,
        settled: Callable[[Core], None] | None,
    ) -> None:
        self._machine, self._core, self._mend = machine, core, mend
        self._settled = settled
        self._waiting: list[tuple[str, tuple[Any, ...]]] = []  # few, and mostly none
        self._is_busy = False
        if entered is not None:
            tell = entered  # Automat has no public way to read a state; its tracer comes closest
            transitioner = cast(Any, machine).__automat_transitioner__
            transitioner.setTrace(lambda _old, _input, new: tell(core, new.name))

    def take(self, word: str, arguments: tuple[Any, ...]) -> Any:
        """Make the input and return its result; None if it has to wait, or its output raises."""
        if self._is_busy:
            self._waiting.append((word, arguments))
            return None
        self._is_busy = True
        result = self._carry_out(word, arguments)
        while self._waiting:
            self._carry_out(*self._waiting.pop(0))
        self._is_busy = False
        return result

    def _carry_out(self, word: str, arguments: tuple[Any, ...]) -> Any:
        result = self._put(word, arguments)
        if self._settled is not None:
            try:
                self._settled(self._core)
            except Exception:  # the inputs that wait have to be made all the same
                our_fault(Failure())
        return result

    def _put(self, word: str, arguments: tuple[Any, ...]) -> Any:
        try:
            return getattr(self._machine, word)(*arguments)
        except Exception as error:
            reason = error if isinstance(error, SecurecomError) else our_fault(Failure())
        try:
            self._mend(self._machine, self._core, reason)
        except Exception:
            our_fault(Failure())
        return None
