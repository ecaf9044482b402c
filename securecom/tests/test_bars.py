from securecom.client import events as e
from securecom.client import key_events
from securecom.client.api import ClientState
from securecom.tests.support.pilot_case import KEY, PilotCase, Seen


class Requests(PilotCase):
    def test_the_bar_counts_down_and_never_takes_a_key(self) -> None:
        async def scenario(seen: Seen) -> None:
            await seen.online()
            await seen.press("h", "a")
            seen.core.offer = object()
            await seen.happens(e.Asked("carol", "new", KEY, 48))
            self.assertIn("48 s to answer", seen.text)
            self.assertIn(KEY, seen.text)
            seen.clock.advance(8)
            await seen.settle()
            self.assertIn("39 s to answer", seen.text)
            await seen.press("y", "n", "space", "a")
            self.assertEqual((seen.calls, seen.app.composer.text), ([], "hayn a"))

        self.drive(scenario)

    def test_alt_y_and_alt_n_answer_and_leave_the_line_alone(self) -> None:
        for key, call in (("alt+y", "accept"), ("f8", "accept"), ("alt+n", "refuse")):

            async def scenario(seen: Seen, key: str = key, call: str = call) -> None:
                await seen.online()
                seen.app.composer.insert("half")
                seen.core.offer = object()
                await seen.happens(e.Asked("carol", "new", KEY, 48))
                await seen.press(key)
                self.assertEqual(seen.calls, [(call, "carol")])
                self.assertEqual(seen.app.composer.text, "half")

            self.drive(scenario)

    def test_without_a_request_the_keys_say_so(self) -> None:
        async def scenario(seen: Seen) -> None:
            await seen.online()
            await seen.press("alt+y")
            self.assertEqual(seen.calls, [])
            self.assertIn("nobody is asking you", seen.text)

        self.drive(scenario)

    def test_the_bar_goes_when_the_request_is_over(self) -> None:
        async def scenario(seen: Seen) -> None:
            await seen.online()
            await seen.happens(e.Asked("carol", "new", KEY, 48))
            self.assertIn("Alt+Y accept", seen.text)
            await seen.happens(e.AskedOver("carol", "expired"))
            self.assertNotIn("Alt+Y accept", seen.text)

        self.drive(scenario)

    def test_a_fingerprint_is_whole_on_a_narrow_screen(self) -> None:
        async def scenario(seen: Seen) -> None:
            await seen.online()
            await seen.happens(e.Asked("carol", "changed", KEY, 48))
            squeezed = "".join(row.strip() for row in seen.rows)
            self.assertIn(KEY, squeezed)
            self.assertIn("KEY CHANGED", seen.text)

        self.drive(scenario, (40, 16))

    def test_a_changed_key_that_was_accepted_is_no_warning_any_more(self) -> None:
        async def scenario(seen: Seen) -> None:
            await seen.online()
            await seen.happens(e.Asked("carol", "changed", KEY, 48))
            self.assertIn("/dismiss  /block  /trust", seen.text)
            await seen.happens(key_events.KeyAccepted("carol", KEY))
            bar = "\n".join(seen.rows[-8:])
            self.assertIn("key: another than before, which you have accepted", bar)
            self.assertNotIn("KEY CHANGED", bar)
            self.assertNotIn("/trust", bar)

        self.drive(scenario, (100, 30))


class States(PilotCase):
    def test_the_bars_say_what_is_going_on(self) -> None:
        async def scenario(seen: Seen) -> None:
            await seen.online()
            self.assertIn("alice @ chat.example.org", seen.rows[0])
            self.assertIn("AVAILABLE", seen.rows[0])
            await seen.happens(e.Availability(False, 120))
            self.assertIn("AWAY 2:00", seen.rows[0])
            seen.core.is_online = False
            await seen.happens(e.Offline("refused", 9))
            self.assertIn("OFFLINE, trying in 9 s", seen.rows[0])
            self.assertEqual(seen.app.situation.state, ClientState.OFFLINE)

        self.drive(scenario)
