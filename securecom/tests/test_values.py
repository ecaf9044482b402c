"""Values: what data classes do, too, and what these do not."""

from __future__ import annotations

import copy
import types
from dataclasses import dataclass
from typing import ClassVar

from twisted.trial.unittest import SynchronousTestCase

from securecom import values
from securecom.values import Value, as_dict, field_names, replace


class Point(Value):
    kind: ClassVar[str] = "point"
    x: int
    y: int = 0


class Dated(Value, kw_only=True):
    at: int = values.field(default=0, compare=False)


class Named(Dated):
    """Inherits a field that has to be named, and adds some that need not be."""

    name: str
    points: list[Point] = values.field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Twin:
    """Point as a data class."""

    x: int
    y: int = 0


class ValueTests(SynchronousTestCase):
    def test_fields_by_place_by_name_and_by_default(self) -> None:
        for point in (Point(1, 2), Point(1, y=2), Point(y=2, x=1), replace(Point(1), y=2)):
            self.assertEqual((point.x, point.y), (1, 2))
        self.assertEqual(Point(1).y, 0)
        self.assertEqual(field_names(Point), ("x", "y"))
        self.assertEqual(Point.kind, "point")

    def test_annotations_may_be_types(self) -> None:
        """As they are in a module that does not import them from the future."""
        annotations = {"kind": ClassVar[str], "x": int}
        body = {"__annotations__": annotations, "kind": "made"}
        made = types.new_class("Made", (Value,), exec_body=lambda names: names.update(body))
        self.assertEqual(vars(made)["__match_args__"], ("x",))

    def test_a_call_that_does_not_fit(self) -> None:
        for wrong in (
            lambda: Named(at=1),  # type: ignore[call-arg]
            lambda: Point(y=1),  # type: ignore[call-arg]
            lambda: Point(1, 2, 3),  # type: ignore[call-arg]
            lambda: Point(1, x=1),  # type: ignore[misc]
            lambda: Point(1, z=1),  # type: ignore[call-arg]
            lambda: Point(1, kind="other"),  # type: ignore[call-arg]
            lambda: Dated(1),  # type: ignore[call-arg]
            lambda: Named("a", [], 1),  # type: ignore[call-arg]
            lambda: replace(Point(1), z=1),
        ):
            with self.assertRaises(TypeError):
                wrong()

    def test_it_never_changes(self) -> None:
        point = Point(1)
        for wrong in (
            lambda: setattr(point, "x", 2),
            lambda: setattr(point, "z", 2),
            lambda: delattr(point, "x"),
        ):
            with self.assertRaises(AttributeError):
                wrong()
        self.assertEqual(point, Point(1))
        self.assertFalse(hasattr(point, "__dict__"))

    def test_equal_if_the_class_and_all_that_counts_are(self) -> None:
        self.assertEqual(Point(1, 2), Point(1, 2))
        self.assertNotEqual(Point(1, 2), Point(1, 3))
        self.assertNotEqual(Point(1, 2), Twin(1, 2))
        self.assertNotEqual(Point(1, 2), (1, 2))
        self.assertEqual(len({Point(1, 2), Point(1, 2), Point(2, 1)}), 2)
        self.assertEqual(Named("a", at=1), Named("a", at=2))
        self.assertEqual(hash(Dated(at=1)), hash(Dated(at=2)))

    def test_as_a_data_class_does(self) -> None:
        self.assertEqual(repr(Point(1, 2)).replace("Point", "Twin"), repr(Twin(1, 2)))
        match Point(1, 2):
            case Point(x, y):
                self.assertEqual((x, y), (1, 2))
        self.assertEqual(Point.__match_args__, Twin.__match_args__)

    def test_inherited_fields_come_first_and_each_value_has_its_own_default(self) -> None:
        one, other = Named("a", at=3), Named("b")
        self.assertEqual(field_names(Named), ("at", "name", "points"))
        self.assertEqual(repr(one), "Named(at=3, name='a', points=[])")
        self.assertIsNot(one.points, other.points)

    def test_dictionaries_all_the_way_down(self) -> None:
        self.assertEqual(
            as_dict(Named("a", [Point(1)])),
            {"at": 0, "name": "a", "points": [{"x": 1, "y": 0}]},
        )

    def test_copies_are_the_value_itself(self) -> None:
        point = Point(1)
        self.assertIs(copy.copy(point), point)
