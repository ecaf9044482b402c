import asyncio
from argparse import Namespace
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

from textual import events
from textual.pilot import Pilot
from twisted.trial.unittest import SynchronousTestCase

from securecom.client.frontends.fullscreen.enrolment import Entered, FirstScreen
from securecom.client.profile.profiles import Profiles
from securecom.client.program import arrival, choosing
from securecom.invitation import Invitation
from securecom.tests.support.invitations import INVITATION

LINK = INVITATION.link()


class Asking(SynchronousTestCase):
    def asked(self, name: str = choosing.FULL_SCREEN, **given: Any) -> bool:
        nothing = dict.fromkeys(
            ("link", "profile", "pass_fd", "pass_file", "restore", "identity", "no_pass")
        )
        choice = choosing.Choice(name, lambda launch: None, True)  # type: ignore[arg-type, return-value]
        profiles = Profiles(Path(self.mktemp()), "securecom")
        return arrival.is_asked(Namespace(**{**nothing, **given}), profiles, choice)

    def test_only_somebody_new_at_a_full_screen_is_asked(self) -> None:
        self.patch(choosing, "is_screen", lambda: True)
        self.assertTrue(self.asked())
        self.assertTrue(self.asked(link=INVITATION))
        self.assertFalse(self.asked("lines"))
        self.assertFalse(self.asked(profile="alice"))
        for option in ("pass_fd", "pass_file", "restore", "identity", "no_pass"):
            given: dict[str, Any] = {"link": INVITATION, option: 7}
            self.assertFalse(self.asked(**given))
        self.patch(choosing, "is_screen", lambda: False)
        self.assertFalse(self.asked())

    def test_what_was_entered_is_the_pass_phrase(self) -> None:
        self.assertEqual(arrival.Phrase(b"x").new(), b"x")
        self.assertIsNone(arrival.Phrase(b"").new())


class Screens(SynchronousTestCase):
    def drive(
        self,
        scenario: Callable[[FirstScreen, Pilot[Entered]], Awaitable[None]],
        invitation: Invitation | None = None,
    ) -> Entered | None:
        app = FirstScreen(invitation)

        async def run() -> None:
            async with app.run_test(size=(80, 24)) as pilot:
                await pilot.pause()
                await scenario(app, pilot)

        asyncio.run(run())
        return app.return_value

    def text(self, app: FirstScreen) -> str:
        strips = app.screen._compositor.render_strips()
        return " ".join("\n".join(strip.text.replace("|", "") for strip in strips).split())

    def test_a_broken_link_and_two_pass_phrases(self) -> None:
        async def scenario(app: FirstScreen, pilot: Pilot[Entered]) -> None:
            app.post_message(events.Paste(f"{LINK[:30]}\n  {LINK[30:]}\n"))
            await pilot.pause()
            await pilot.press("enter", *"one", "enter", *"two", "enter")
            self.assertIn("These were two different ones.", self.text(app))
            await pilot.press(*"horse", "enter", *"horse")
            self.assertNotIn("horse", self.text(app))
            await pilot.press("enter")

        self.assertEqual(self.drive(scenario), Entered(INVITATION, b"horse"))

    def test_keys_of_a_pass_phrase_count_in_their_order(self) -> None:
        async def scenario(app: FirstScreen, pilot: Pilot[Entered]) -> None:
            for _ in range(2):
                for key in (*"abd", "backspace", "c", "enter"):
                    app.post_message(events.Key(key, key if len(key) == 1 else None))
                await pilot.pause()
                await pilot.pause()

        self.assertEqual(self.drive(scenario, INVITATION), Entered(INVITATION, b"abc"))

    def test_what_is_no_link_is_said_in_words(self) -> None:
        async def scenario(app: FirstScreen, pilot: Pilot[Entered]) -> None:
            await pilot.press(*"nonsense", "enter")
            self.assertIn("an invitation link begins with securecom://", self.text(app))
            await pilot.press("escape")

        self.assertIsNone(self.drive(scenario))

    def test_no_pass_phrase_only_if_that_is_meant(self) -> None:
        async def scenario(app: FirstScreen, pilot: Pilot[Entered]) -> None:
            self.assertIn(str(INVITATION.host), self.text(app))
            await pilot.press("enter")
            self.assertIn("whoever can read the file can be you", self.text(app))
            await pilot.press("enter")

        self.assertEqual(self.drive(scenario, INVITATION), Entered(INVITATION, b""))
