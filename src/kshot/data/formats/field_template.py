r"""Texts made of a row's columns: ``{question}``, ``{choices.text|letters}``; no code, so safe in a file.

A field is a path of column names and list positions; over a list of objects a name takes that key of each.
``{context?}`` may be missing or null and is then empty. After ``|`` stand filters, applied in order::

    lines words comma   a list of texts, joined
    letters             a list of texts as lettered lines: A. ...
    first               the first of a list
    options             choices with their marks taken off: "a ) 3 , b ) 4", or a list of "A)3"
    strip               white space at both ends taken off

``{{`` and ``}}`` are braces.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias, final

from kshot.data.formats.field_filters import FILTERS
from kshot.data.formats.fields import kind
from kshot.data.nearest import proposal
from kshot.errors import DataError

Lookups: TypeAlias = Mapping[str, Mapping[str, str]]
_PIECE = re.compile(r"\{\{|\}\}|\{([^{}]*)\}|[{}]")


@final
@dataclass(frozen=True, slots=True)
class Field:
    """One pair of braces: where the value stands, and what is done with it."""

    path: str
    filters: tuple[str, ...] = ()
    optional: bool = False

    def value(self, values: Mapping[str, Any], lookups: Lookups) -> Any:
        """A text, or a list of texts.

        Raises:
            DataError: A column is missing, or of a kind that the filters cannot take.
        """
        found = values[self.path] if self.path in values else _at(values, self.path.split("."), self)
        if found is None and self.optional:
            found = ""
        names = lookups.get(self.path)
        found = _named(_plain(found, self.path), names, self.path) if names else _plain(found, self.path)
        for name in self.filters:
            found = FILTERS[name](found, self.path)
        return found


@final
@dataclass(frozen=True, slots=True)
class FieldTemplate:
    r"""A text with fields in it.

    >>> template = FieldTemplate.parse("{q}\n{choices.text|letters}")
    >>> print(template.render({"q": "Which is warm?", "choices": {"text": ["ice", "fire"]}}))
    Which is warm?
    A. ice
    B. fire
    """

    text: str
    pieces: tuple[str | Field, ...]

    @classmethod
    def parse(cls, text: str) -> FieldTemplate:
        """A template from its text.

        Raises:
            DataError: A brace stands alone, a field is empty, or a filter does not exist.
        """
        pieces: list[str | Field] = []
        end = 0
        for match in _PIECE.finditer(text):
            pieces.append(text[end : match.start()])
            end = match.end()
            if match[0] in ("{{", "}}"):
                pieces.append(match[0][0])
            elif match[1] is None:
                raise DataError(
                    f"template {text[:60]!r} has a lone {match[0]!r}; write {match[0] * 2} for it"
                )
            else:
                pieces.append(_field(match[1], text))
        return cls(text, tuple(piece for piece in [*pieces, text[end:]] if piece != ""))

    @property
    def paths(self) -> tuple[str, ...]:
        """What its fields read, in order."""
        return tuple(piece.path for piece in self.pieces if isinstance(piece, Field))

    def render(self, values: Mapping[str, Any], lookups: Lookups | None = None) -> str:
        """The text for one row. ``lookups`` gives, by path, other texts for a column's values.

        Raises:
            DataError: A column is missing, null, or a list without a filter that joins it.
        """
        return "".join(
            piece if isinstance(piece, str) else _text(piece.value(values, lookups or {}), piece.path)
            for piece in self.pieces
        )

    def items(self, values: Mapping[str, Any], lookups: Lookups | None = None) -> tuple[str, ...]:
        """The list that a template of one field alone gives.

        Raises:
            DataError: The column is missing, or no list of texts.
        """
        field = self.pieces[0] if len(self.pieces) == 1 else None
        if not isinstance(field, Field):
            raise DataError(
                f"template {self.text[:60]!r} gives a text where a list is needed; write one field"
            )
        found = field.value(values, lookups or {})
        if isinstance(found, str):
            raise DataError(f"column {field.path!r} is text, expected a list of texts")
        return tuple(found)


def raw_value(template: FieldTemplate, values: Mapping[str, Any]) -> Any:
    """What stands in the column of a template of one field alone, as it is.

    Raises:
        DataError: The template is no single field without filters, or the column is missing.
    """
    field = template.pieces[0] if len(template.pieces) == 1 else None
    if not isinstance(field, Field) or field.filters:
        raise DataError(f"template {template.text[:60]!r} is no single field, such as {{conversations}}")
    return values[field.path] if field.path in values else _at(values, field.path.split("."), field)


def _field(inner: str, text: str) -> Field:
    path, *filters = (part.strip() for part in inner.split("|"))
    optional = path.endswith("?")
    path = path.removesuffix("?")
    if not all(path.split(".")):
        raise DataError(f"template {text[:60]!r} has a field without a column; write {{column}}")
    for name in filters:
        if name not in FILTERS:
            known = f"{proposal(name, FILTERS)}; filters: {', '.join(FILTERS)}"
            raise DataError(f"template {text[:60]!r}: there is no filter {name!r}{known}")
    return Field(path, tuple(filters), optional)


def _at(found: Any, parts: Sequence[str], field: Field) -> Any:
    for at, part in enumerate(parts):
        if isinstance(found, list) and not part.isdigit():
            return [_at(entry, parts[at:], field) for entry in found]
        if isinstance(found, list) and int(part) < len(found):
            found = found[int(part)]
        elif isinstance(found, Mapping) and part in found:
            found = found[part]
        elif field.optional:
            return None
        else:
            raise DataError(_missing(found, part, field.path))
    return found


def _missing(found: Any, part: str, path: str) -> str:
    if isinstance(found, Mapping):
        known = [str(key) for key in found]
        there = f"found {', '.join(known[:12])}{', ...' * (len(known) > 12)}" if known else "found none"
        inside = f" of {path!r}" if path != part else ""
        return f"column {part!r}{inside} is missing; {there}{proposal(part, known)}"
    if isinstance(found, list):
        return f"column {path!r}: the list has {len(found)} entries, none at position {part}"
    return f"column {path!r}: nothing stands below {kind(found)}"


def _plain(value: Any, path: str) -> str | list[str]:
    if isinstance(value, list):
        return [_leaf(entry, path) for entry in value]
    return _leaf(value, path)


def _leaf(value: Any, path: str) -> str:
    if isinstance(value, str):
        return value
    if isinstance(value, bool):
        return str(value).lower()
    if type(value) is int:
        return str(value)
    raise DataError(f"column {path!r} is {kind(value)}, expected text")


def _named(value: str | list[str], names: Mapping[str, str], path: str) -> str | list[str]:
    if isinstance(value, list):
        return [str(_named(entry, names, path)) for entry in value]
    if value not in names:
        raise DataError(f"column {path!r} is {value[:60]!r}, which values does not name ({', '.join(names)})")
    return names[value]


def _text(value: str | list[str], path: str) -> str:
    if isinstance(value, str):
        return value
    raise DataError(f"column {path!r} is a list; join it with |lines, |words, |comma or |letters")
