from twisted.trial.unittest import SynchronousTestCase

from securecom.tests.support.screen_scenes import PICTURES, SCENES, drawn

_RENEW = (
    "docs/pictures/{0}.svg is not what the screen shows now. If that is how it should look: "
    "python -m checks.screens --write, then look at the picture."
)


class Pictures(SynchronousTestCase):
    def test_every_picture_shows_the_screen_of_today(self) -> None:
        for name in SCENES:
            with self.subTest(name):
                kept = (PICTURES / f"{name}.svg").read_text("utf-8")
                self.assertEqual(kept, drawn(name), _RENEW.format(name))

    def test_no_picture_is_left_over(self) -> None:
        self.assertEqual({path.stem for path in PICTURES.glob("*.svg")}, set(SCENES))
