from argparse import Namespace

from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from securecom.client.api import Launch
from securecom.client.events import Asked
from securecom.client.program import choosing
from securecom.client.program.standard_screen import StandardScreen
from securecom.errors import NoFrontend
from securecom.tests.support.pilot_case import KEY


class NoTerminal(SynchronousTestCase):
    def test_it_is_refused_before_anything_is_opened(self) -> None:
        self.patch(choosing, "is_screen", lambda: False)
        with self.assertRaises(NoFrontend) as caught:
            StandardScreen(Launch(Namespace(), Clock(), lambda: None))
        self.assertIn("--plain", caught.exception.hint)

    def test_it_draws_on_standard_output_and_not_on_standard_error(self) -> None:
        self.patch(choosing, "is_screen", lambda: True)
        screen = StandardScreen(Launch(Namespace(), Clock(), lambda: None))
        driver = screen.app.driver_class
        self.assertTrue(issubclass(driver, object))
        self.assertEqual(driver.__name__, "OutputDriver")

    def test_a_request_rings_while_nobody_looks(self) -> None:
        self.patch(choosing, "is_screen", lambda: True)
        screen = StandardScreen(Launch(Namespace(), Clock(), lambda: None))
        written: list[str] = []
        self.patch(screen.attention, "_write", written.append)
        screen.app.looked(False)
        screen.show(Asked("carol", "new", KEY, 48))
        self.assertIn("\a", written)
