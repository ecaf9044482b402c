"""Whether both people want a log of their chat: what each said, and what the other knows of it.

Words cross on the wire, so each side keeps to three rules:

1. An "off", whoever says it, takes back every "on" of both.
2. An "on" that comes while an "off" of ours has no answer was said by somebody who had not heard
   it: it counts for nothing. Their "on" is wiped on their side too, as soon as they hear.
3. What they say is kept from the answer to our "on" on: what came before the answer they said
   without knowing that both wanted it.

Both directions keep their order, and so do answers among what is said; nothing else is needed.
"""

from __future__ import annotations

from securecom import limits
from securecom.client.events import LogState
from securecom.errors import WireError


class LogConsent:
    """One side's view. Nothing is kept until both said so, anew after each "off"."""

    def __init__(self) -> None:
        self._mine = self._theirs = self._is_known = False
        self._unheard_offs = 0  # offs of ours without an answer
        self._round = 0  # grows with every off
        self._my_ons = self._their_ons = self._their_offs = 0

    # --- how it stands ----------------------------------------------------------------------

    @property
    def state(self) -> LogState:
        """For people."""
        if self._mine:
            return "on" if self._theirs else "asked-by-me"
        return "asked-by-peer" if self._theirs else "off"

    @property
    def keeps_mine(self) -> bool:
        """What we say now is said by somebody who knows that both want it kept."""
        return self._mine and self._theirs

    @property
    def keeps_theirs(self) -> bool:
        """So is what they say."""
        return self._mine and self._theirs and self._is_known

    @property
    def may_ask(self) -> bool:
        """The peer takes another "on" of ours."""
        return self._my_ons < limits.MAX_LOG_ASKS

    # --- our words --------------------------------------------------------------------------

    def say_on(self) -> int:
        """Our person wants it; the number is for `on_answered`."""
        self._mine = True
        self._my_ons += 1
        return self._round

    def on_answered(self, number: int) -> None:
        """They have heard our "on"; if an "off" came meanwhile, it is no longer ours."""
        if number == self._round:
            self._is_known = True

    def say_off(self) -> None:
        """Our person does not, or no longer, want it."""
        self._unheard_offs += 1
        self._wipe()

    def off_answered(self) -> None:
        """They have heard our "off": from here on their "on" is meant anew."""
        self._unheard_offs -= 1

    # --- their words ------------------------------------------------------------------------

    def heard_on(self) -> None:
        """:raises WireError: if they said it too often."""
        self._their_ons += 1
        if self._their_ons > limits.MAX_LOG_ASKS:
            raise WireError("a peer that asks for a log again and again")
        if not self._unheard_offs:
            self._theirs = True

    def heard_off(self) -> None:
        """:raises WireError: if there was nothing that it could have ended."""
        self._their_offs += 1
        if self._their_offs > self._my_ons + self._their_ons:
            raise WireError("a peer that ends what nobody began")
        self._wipe()

    def _wipe(self) -> None:
        self._mine = self._theirs = self._is_known = False
        self._round += 1
