"""State machines go on after an output that raises, and forget no input."""

from __future__ import annotations

from typing import Protocol

from automat import TypeMachineBuilder
from twisted.trial.unittest import SynchronousTestCase

from securecom.errors import NotNow, OurFault, SecurecomError
from securecom.machines import lasting


class Inputs(Protocol):
    def go(self) -> None: ...

    def note(self, word: str) -> None: ...

    def count(self) -> int: ...

    def give_up(self, error: SecurecomError) -> None: ...


class Core:
    """`then`: what happens inside the output of `go`."""

    def __init__(self) -> None:
        self.done: list[object] = []
        self.states: list[str] = []
        self.mends_well = True

    def then(self) -> None:
        """Nothing."""


builder = TypeMachineBuilder(Inputs, Core)
at_rest = builder.state("at_rest")
going = builder.state("going")


@at_rest.upon(Inputs.go).to(going)
def _go(_: Inputs, core: Core) -> None:
    core.done.append(("going in", core.states[-1]))
    core.then()


def _note(_: Inputs, core: Core, word: str) -> None:
    core.done.append(word)
    if word == "bad":
        raise ValueError("what a peer said")


def _count(_: Inputs, core: Core) -> int:
    return len(core.done)


def _give_up(_: Inputs, core: Core, error: SecurecomError) -> None:
    core.done.append(type(error))


for _state in (at_rest, going):
    _state.upon(Inputs.note).loop()(_note)
    _state.upon(Inputs.count).loop()(_count)
    _state.upon(Inputs.give_up).to(at_rest)(_give_up)
going.upon(Inputs.go).loop().returns(None)


def _mend(machine: Inputs, core: Core, error: SecurecomError) -> None:
    machine.give_up(error)
    if not core.mends_well:
        raise ValueError("again")


machine = builder.build()
begin = lasting(machine, _mend, lambda core, state: core.states.append(state))


class LastingTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.core = Core()
        self.life = begin(self.core)

    def test_an_input_inside_an_output_waits_until_that_is_done(self) -> None:
        def then() -> None:
            self.life.note("later")
            self.core.done.append("first")

        self.core.then = then  # type: ignore[method-assign]
        self.life.go()
        self.assertEqual(self.core.done, [("going in", "going"), "first", "later"])

    def test_an_output_that_raises_is_mended_and_no_input_is_lost(self) -> None:
        def then() -> None:
            self.life.note("later")
            raise KeyError("name")

        self.core.then = then  # type: ignore[method-assign]
        self.life.go()
        self.assertEqual(self.core.done, [("going in", "going"), OurFault, "later"])
        self.assertEqual(self.core.states, ["going", "at_rest", "at_rest"])
        [logged] = self.flushLoggedErrors(OurFault)
        self.assertNotIn("'name'", str(logged))

    def test_an_error_with_words_of_its_own_is_no_fault(self) -> None:
        def then() -> None:
            raise NotNow("a trial")

        self.core.then = then  # type: ignore[method-assign]
        self.life.go()
        self.assertEqual(self.core.done, [("going in", "going"), NotNow])

    def test_waiting_inputs_may_raise_as_well(self) -> None:
        def then() -> None:
            for word in ("bad", "good"):
                self.life.note(word)

        self.core.then = then  # type: ignore[method-assign]
        self.life.go()
        self.assertEqual(self.core.done, [("going in", "going"), "bad", OurFault, "good"])
        self.flushLoggedErrors(OurFault)

    def test_mending_that_fails_is_logged_and_the_machine_goes_on(self) -> None:
        self.core.mends_well = False
        self.life.note("bad")
        self.assertEqual(len(self.flushLoggedErrors(OurFault)), 2)
        self.life.note("good")
        self.assertEqual(self.core.done, ["bad", OurFault, "good"])

    def test_what_an_input_returns_comes_back(self) -> None:
        self.assertEqual(self.life.count(), 0)

    def test_a_transition_is_looked_up_once(self) -> None:
        """Automat goes through all of them each time, which was the dearest part of an input."""
        for _ in range(3):
            self.life.note("again")
        looked = machine.__automat_automaton__.outputForInput.cache_info()  # type: ignore[attr-defined]
        self.assertEqual(looked.misses, looked.currsize)
        self.life.note("again")
        after = machine.__automat_automaton__.outputForInput.cache_info()  # type: ignore[attr-defined]
        self.assertEqual((after.misses, after.hits), (looked.misses, looked.hits + 1))
