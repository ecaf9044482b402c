import random

from twisted.trial.unittest import SynchronousTestCase

from securecom import limits
from securecom.client.frontends.fullscreen.conversations import HOME, Conversation, Entry, Kind
from securecom.client.frontends.fullscreen.rows import Layout, pieces, rows_of
from securecom.client.frontends.plain import cells
from securecom.tests.support.pilot_case import KEY


def width(text: str) -> int:
    return sum(map(cells, text))


class Pieces(SynchronousTestCase):
    def test_rows_fit_and_give_the_text_back(self) -> None:
        chosen = random.Random(1)
        letters = "ab  \n\u6f22\u0301\u0431https://example.org/x"
        for _ in range(300):
            text = "".join(chosen.choice(letters) for _ in range(chosen.randrange(120)))
            room = chosen.randrange(8, 40)
            rows = list(pieces(text, room))
            self.assertLessEqual(max(width(piece) for piece, _, _ in rows), room)
            for piece, start, _ in rows:
                self.assertEqual(text[start : start + len(piece)], piece)
            told = "".join(joins + piece for piece, _, joins in rows)[1:]
            self.assertEqual(told.replace(" ", ""), text.replace(" ", ""))

    def test_a_fingerprint_stays_in_one_row_where_it_fits(self) -> None:
        rows = [piece for piece, _, _ in pieces(f"their key: the one you know, {KEY}", 51)]
        self.assertEqual(rows[-1], KEY)

    def test_a_longer_address_is_broken_and_whole(self) -> None:
        address = "https://example.org/" + "a" * 100
        rows = list(pieces(address, 30))
        self.assertEqual("".join(piece for piece, _, _ in rows), address)
        self.assertEqual({joins for _, _, joins in rows[1:]}, {""})


class Gutters(SynchronousTestCase):
    def test_a_peers_rows_all_bear_the_name_and_ours_never_do(self) -> None:
        layout = Layout(Conversation("bob"), 40)
        for row in rows_of(Entry(0.0, Kind.PEER, "a\nb " + "c" * 90, "bob"), layout):
            self.assertTrue(layout.mark(row).endswith("bob| "))
        for kind in (Kind.FACT, Kind.FRAME, Kind.PROBLEM):
            for row in rows_of(Entry(0.0, kind, "words " * 20), layout):
                self.assertNotIn("|", layout.mark(row))

    def test_a_gutter_is_as_wide_as_the_layout_says(self) -> None:
        for name in (HOME, "bob", "x" * 32):
            for columns in (20, 40, 80, 200):
                layout = Layout(Conversation(name), columns)
                for kind in Kind:
                    for row in rows_of(Entry(0.0, kind, "words " * 30, name), layout):
                        told = layout.time(row) + layout.mark(row)
                        self.assertEqual(len(told), layout.gutter(kind), (name, columns, kind))

    def test_what_the_server_says_bears_its_mark_in_every_row(self) -> None:
        layout = Layout(Conversation(HOME), 40)
        rows = list(rows_of(Entry(0.0, Kind.SERVER, "a fact " * 20), layout))
        self.assertGreater(len(rows), 2)
        for row in rows:
            self.assertIn("S", layout.mark(row))

    def test_line_feeds_beyond_the_limit_are_pictures(self) -> None:
        layout = Layout(Conversation("bob"), 80)
        text = "\n" * (limits.MAX_LINES_SHOWN + 100)
        rows = list(rows_of(Entry(0.0, Kind.PEER, text, "bob"), layout))
        self.assertLess(len(rows), limits.MAX_LINES_SHOWN + 10)
        self.assertIn("\u240a", rows[-1].piece)
