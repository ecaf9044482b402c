"""Values with named fields that never change: data classes, made without compiling anything.

`dataclass(frozen=True, slots=True)` writes the source of six methods for each class, and compiles
it, which takes 0.3 ms. A client's start would make some 140 such classes and spend a fifth of its
time on them. The classes here are declared and used in the same way, but share the methods of
`Value`.

`dataclass` is still right for what changes, and for what a client's start does not import.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final, NoReturn, Self, TypeVar, dataclass_transform

_REQUIRED: Final = object()
_V = TypeVar("_V", bound="Value")


class _Field:
    """How a field is filled in, and whether it counts when values are compared."""

    __slots__ = ("compare", "default", "factory")

    def __init__(self, default: Any, factory: Callable[[], Any] | None, compare: bool) -> None:
        self.default, self.factory, self.compare = default, factory, compare


def field(
    *,
    default: Any = _REQUIRED,
    default_factory: Callable[[], Any] | None = None,
    compare: bool = True,
) -> Any:
    """A field that needs more said than its default, as `dataclasses.field`."""
    return _Field(default, default_factory, compare)


class _ValueType(type):
    """Takes the fields of a class from its annotations."""

    _fields: dict[str, _Field]
    _puts: tuple[Callable[[Any, Any], None], ...]
    _compared: tuple[str, ...]
    __match_args__: tuple[str, ...]

    def __new__(
        cls,
        name: str,
        bases: tuple[type, ...],
        namespace: dict[str, Any],
        *,
        kw_only: bool = False,
    ) -> _ValueType:
        own: dict[str, _Field] = {}
        for word, annotation in namespace.get("__annotations__", {}).items():
            if not str(annotation).removeprefix("typing.").startswith("ClassVar"):
                default = namespace.pop(word, _REQUIRED)
                own[word] = default if isinstance(default, _Field) else field(default=default)
        above = [base for base in bases if isinstance(base, _ValueType)]
        positional = tuple(word for base in above for word in base.__match_args__)
        namespace["__match_args__"] = positional if kw_only else positional + tuple(own)
        made = super().__new__(cls, name, bases, {"__slots__": tuple(own), **namespace})
        made._fields = {word: one for base in above for word, one in base._fields.items()} | own
        # What a slot itself offers for writing: `Value` forbids the usual way.
        made._puts = tuple(getattr(made, word).__set__ for word in made._fields)
        made._compared = tuple(word for word, one in made._fields.items() if one.compare)
        return made

    def _completed(cls, values: tuple[Any, ...], named: dict[str, Any]) -> list[Any]:
        """The value of each field, in order.

        :raises TypeError: if a call with these arguments does not fit the fields.
        """
        words = cls.__match_args__
        given = dict(zip(words, values, strict=False))
        if len(values) > len(words) or given.keys() & named.keys():
            raise TypeError(f"{cls.__name__}() takes {', '.join(words) or 'nothing'} once each")
        given |= named
        if unknown := given.keys() - cls._fields.keys():
            raise TypeError(f"{cls.__name__}() has no {', '.join(sorted(unknown))}")
        return [
            given[word] if word in given else cls._default(word, one)
            for word, one in cls._fields.items()
        ]

    def _default(cls, word: str, one: _Field) -> Any:
        if one.factory is not None:
            return one.factory()
        if one.default is _REQUIRED:
            raise TypeError(f"{cls.__name__}() needs {word}")
        return one.default


@dataclass_transform(frozen_default=True, field_specifiers=(field,))
class Value(metaclass=_ValueType):
    """Base of classes whose annotations are their fields.

    Values of one class are equal if all their fields are; `class X(Value, kw_only=True)` makes the
    fields of X, and not those of its subclasses, keyword arguments.
    """

    def __init__(self, /, *values: Any, **named: Any) -> None:
        kind = type(self)
        if named or not len(values) == len(kind.__match_args__) == len(kind._puts):
            values = tuple(kind._completed(values, named))
        for put, value in zip(kind._puts, values, strict=True):
            put(self, value)

    def __setattr__(self, word: str, value: object) -> NoReturn:
        raise AttributeError(f"{type(self).__name__}.{word} cannot be changed")

    def __delattr__(self, word: str) -> NoReturn:
        raise AttributeError(f"{type(self).__name__}.{word} cannot be changed")

    def __eq__(self, other: object) -> bool:
        if type(other) is not type(self):
            return NotImplemented
        return all(getattr(self, word) == getattr(other, word) for word in type(self)._compared)

    def __hash__(self) -> int:
        return hash(tuple(getattr(self, word) for word in type(self)._compared))

    def __repr__(self) -> str:
        told = ", ".join(f"{word}={getattr(self, word)!r}" for word in type(self)._fields)
        return f"{type(self).__qualname__}({told})"

    def __copy__(self) -> Self:
        return self


def replace(value: _V, /, **changes: Any) -> _V:
    """The same value but for these fields."""
    return type(value)(**{word: getattr(value, word) for word in field_names(value)} | changes)


def field_names(value: Value | type[Value]) -> tuple[str, ...]:
    """In the order of their declaration, inherited ones first."""
    kind = value if isinstance(value, type) else type(value)
    return tuple(kind._fields)


def as_dict(value: Value) -> dict[str, Any]:
    """The fields by name; the values in them, also in lists and tuples, become dictionaries too."""
    return {word: _plain(getattr(value, word)) for word in field_names(value)}


def _plain(thing: Any) -> Any:
    if isinstance(thing, Value):
        return as_dict(thing)
    if isinstance(thing, list):
        return [_plain(one) for one in thing]
    if isinstance(thing, tuple):
        return tuple(_plain(one) for one in thing)
    return thing
