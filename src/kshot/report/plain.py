"""Frozen dataclasses to plain JSON types and back, without loss but for NaN and infinity."""

from __future__ import annotations

import dataclasses
import math
import types
import typing
from collections.abc import Callable, Mapping
from typing import Any, Literal

from kshot.errors import DataError

_NAMES: dict[type, str] = {str: "text", bool: "true or false", int: "a whole number", float: "a number"}


def to_plain(value: Any) -> Any:
    """Dicts, lists, text, numbers, booleans and None; NaN and infinity become None.

    Keys become text; numpy scalars become numbers; anything unknown (a path, a date) becomes its text.

    >>> to_plain({"a": (1, float("nan"))})
    {'a': [1, None]}
    """
    if value is None or isinstance(value, bool | str | int):
        return value
    if isinstance(value, float):
        return float(value) if math.isfinite(value) else None
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return {field.name: to_plain(getattr(value, field.name)) for field in dataclasses.fields(value)}
    if isinstance(value, Mapping):
        return {str(key): to_plain(item) for key, item in value.items()}
    if isinstance(value, set | frozenset):
        return sorted((to_plain(item) for item in value), key=str)
    if isinstance(value, list | tuple):
        return [to_plain(item) for item in value]
    if hasattr(value, "tolist"):  # numpy, without importing it
        return to_plain(value.tolist())
    return str(value)


def from_plain(hint: Any, value: Any, *, where: str) -> Any:
    """The value of type ``hint`` that ``to_plain`` wrote; ``where`` names it in errors.

    Raises:
        DataError: A field is missing or has the wrong type.
    """
    if hint is Any:
        return value
    if dataclasses.is_dataclass(hint):
        return _read_dataclass(hint, value, where)
    origin, arguments = typing.get_origin(hint), typing.get_args(hint)
    if origin in (typing.Union, types.UnionType):
        kind = next(argument for argument in arguments if argument is not type(None))
        return None if value is None else from_plain(kind, value, where=where)
    if origin is Literal:
        if value not in arguments:
            raise DataError(f"{where}: {value!r} is none of {', '.join(map(repr, arguments))}")
        return value
    readers: dict[Any, Callable[..., Any]] = {tuple: _read_tuple, dict: _read_dict}
    if origin in readers:
        return readers[origin](arguments, value, where)
    return _read_scalar(hint, value, where)


def _read_dataclass(hint: Any, value: Any, where: str) -> Any:
    if not isinstance(value, Mapping):
        raise DataError(f"{where}: found {type(value).__name__}, expected an object")
    hints, read = typing.get_type_hints(hint), {}
    for field in dataclasses.fields(hint):
        if field.name in value:
            read[field.name] = from_plain(hints[field.name], value[field.name], where=f"{where}.{field.name}")
        elif field.default is dataclasses.MISSING and field.default_factory is dataclasses.MISSING:
            raise DataError(f"{where}: field {field.name!r} is missing")
    return hint(**read)


def _read_tuple(arguments: tuple[Any, ...], value: Any, where: str) -> tuple[Any, ...]:
    if not isinstance(value, list | tuple):
        raise DataError(f"{where}: found {type(value).__name__}, expected a list")
    many = len(arguments) == 2 and arguments[1] is Ellipsis
    hints = arguments[:1] * len(value) if many else arguments
    if len(hints) != len(value):
        raise DataError(f"{where}: found {len(value)} entries, expected {len(hints)}")
    pairs = enumerate(zip(hints, value, strict=True))
    return tuple(from_plain(hint, item, where=f"{where}[{place}]") for place, (hint, item) in pairs)


def _read_dict(arguments: tuple[Any, ...], value: Any, where: str) -> dict[str, Any]:
    if not isinstance(value, Mapping):
        raise DataError(f"{where}: found {type(value).__name__}, expected an object")
    return {
        str(key): from_plain(arguments[1], item, where=f"{where}[{key!r}]") for key, item in value.items()
    }


def _read_scalar(hint: type, value: Any, where: str) -> Any:
    if hint is float and value is None:
        return math.nan
    if hint is float and isinstance(value, int) and not isinstance(value, bool):
        return float(value)
    if not isinstance(value, hint) or (hint is int and isinstance(value, bool)):
        raise DataError(f"{where}: found {value!r}, expected {_NAMES.get(hint, hint.__name__)}")
    return value
