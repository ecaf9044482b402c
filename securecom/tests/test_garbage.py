import gc

from twisted.trial.unittest import SynchronousTestCase

from securecom import limits
from securecom.client.frontends.fullscreen.garbage import GarbageCollection


class QuietMoments(SynchronousTestCase):
    def setUp(self) -> None:
        self.collections = 0
        self.patch(gc, "collect", self.collect)
        self.patch(gc, "freeze", lambda: None)
        self.before = gc.get_threshold()
        self.garbage = GarbageCollection()
        self.addCleanup(gc.set_threshold, *self.before)

    def collect(self) -> int:
        self.collections += 1
        return 0

    def tick(self, times: int) -> None:
        for _ in range(times):
            self.garbage.tick()

    def test_one_search_after_each_time_of_work_once_it_is_quiet(self) -> None:
        self.garbage.begin()
        self.garbage.busy()
        self.tick(limits.QUIET_TICKS - 1)
        self.assertEqual(self.collections, 0)
        self.tick(10)
        self.assertEqual(self.collections, 1)
        self.garbage.busy()
        self.tick(10)
        self.assertEqual(self.collections, 2)

    def test_none_while_somebody_types(self) -> None:
        self.garbage.begin()
        for _ in range(20):
            self.garbage.busy()
            self.garbage.tick()
        self.assertEqual(self.collections, 0)

    def test_python_gets_it_back(self) -> None:
        self.garbage.begin()
        self.assertNotEqual(gc.get_threshold(), self.before)
        self.garbage.end()
        self.assertEqual(gc.get_threshold(), self.before)

    def test_nothing_is_done_before_it_begins(self) -> None:
        self.garbage.busy()
        self.tick(10)
        self.assertEqual(self.collections, 0)
