"""Example, the one thing that travels: a prompt with its answer, and what stands around them."""

from __future__ import annotations

import hashlib
import json
import unicodedata
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal, TypeAlias, get_args

from kshot.errors import DataError

Role: TypeAlias = Literal["system", "user", "assistant"]
LETTERS = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"


@dataclass(frozen=True, slots=True)
class Message:
    """One turn of a conversation."""

    role: Role
    content: str

    def __post_init__(self) -> None:
        if self.role not in get_args(Role):
            raise DataError(f"role {self.role!r} is none of {', '.join(get_args(Role))}")
        if not isinstance(self.content, str):
            raise DataError(
                f"the content of a {self.role} turn is {type(self.content).__name__}, expected text"
            )


Conversation: TypeAlias = tuple[Message, ...]


@dataclass(frozen=True, slots=True)
class Example:
    """One labelled row: what is asked, what is right, and optionally why.

    ``answer`` is empty on unlabelled rows. With ``choices`` the answer is the text of the right choice
    and ``letter`` its position. ``tests`` is a program whose success judges a code reply (metric
    ``pass_at_1``). ``source`` is provenance and no part of the identity.

    >>> Example("2 + 2?", "4").id == Example("2 + 2?", "4", source="a.jsonl:1").id
    True
    >>> Example("Capital of France?", "Paris", choices=("Rome", "Paris")).letter
    'B'
    """

    prompt: str
    answer: str
    choices: tuple[str, ...] | None = None
    reasoning: str | None = None
    source: str | None = None
    system: str | None = field(default=None, kw_only=True)
    history: Conversation = field(default=(), kw_only=True)
    tests: str | None = field(default=None, kw_only=True)

    def __post_init__(self) -> None:
        for name in ("prompt", "answer"):
            if not isinstance(getattr(self, name), str):
                found = type(getattr(self, name)).__name__
                raise DataError(f"field {name!r} is {found}, expected text")
        for name in ("reasoning", "source", "system", "tests"):
            if not isinstance(getattr(self, name), str | None):
                found = type(getattr(self, name)).__name__
                raise DataError(f"field {name!r} is {found}, expected text or nothing")
        if not self.prompt.strip():
            raise DataError("field 'prompt' is empty; every row needs something to ask")
        object.__setattr__(self, "history", tuple(self.history))
        if self.choices is not None:
            object.__setattr__(self, "choices", _checked_choices(self.choices, self.answer))

    @property
    def id(self) -> str:
        """16 hexadecimal digits: a hash of all content but the source."""
        content = [
            self.prompt, self.answer, self.choices, self.reasoning, self.system,
            [(turn.role, turn.content) for turn in self.history], self.tests,
        ]  # fmt: skip
        text = json.dumps(content, ensure_ascii=False, separators=(",", ":"))
        return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()[:16]

    @property
    def question(self) -> str:
        """Everything that is asked, as one normalised text: two rows with equal questions ask the same."""
        parts = [
            self.system or "",
            *(turn.content for turn in self.history),
            self.prompt,
            *(self.choices or ()),
        ]
        return "\n".join(normalised(part) for part in parts if part)

    @property
    def letter(self) -> str:
        """The letter of the right choice.

        Raises:
            DataError: The row has no choices, or no answer.
        """
        if self.choices is None or not self.answer:
            raise DataError("a letter was asked for, but the row has no choices or no answer")
        return LETTERS[self.choices.index(self.answer)]

    def to_row(self) -> dict[str, Any]:
        """A JSON object without the empty fields; ``from_row`` reads it back."""
        row: dict[str, Any] = {"prompt": self.prompt, "answer": self.answer}
        if self.choices is not None:
            row["choices"] = list(self.choices)
        if self.history:
            row["history"] = [{"role": turn.role, "content": turn.content} for turn in self.history]
        optional = {name: getattr(self, name) for name in ("reasoning", "source", "system", "tests")}
        return row | {name: value for name, value in optional.items() if value is not None}

    @classmethod
    def from_row(cls, row: Mapping[str, Any]) -> Example:
        """The example that ``to_row`` wrote.

        Raises:
            DataError: A field is missing or has the wrong type.
        """
        if "prompt" not in row:
            raise DataError("field 'prompt' is missing; every row needs something to ask")
        history = tuple(Message(turn["role"], turn["content"]) for turn in row.get("history", ()))
        optional = {name: row.get(name) for name in ("choices", "reasoning", "source", "system", "tests")}
        return cls(row["prompt"], row.get("answer", ""), history=history, **optional)


def normalised(text: str) -> str:
    r"""Text for comparison: Unicode NFKC, casefolded, white space folded to single blanks.

    >>> normalised("  Ｈello\n WORLD ")
    'hello world'
    """
    return " ".join(unicodedata.normalize("NFKC", text).casefold().split())


def _checked_choices(choices: Sequence[Any], answer: str) -> tuple[str, ...]:
    if isinstance(choices, str) or not all(isinstance(choice, str) for choice in choices):
        raise DataError("field 'choices' is no list of texts")
    if not 2 <= len(choices) <= len(LETTERS):
        raise DataError(f"field 'choices' has {len(choices)} entries, expected 2 to {len(LETTERS)}")
    if len(set(choices)) < len(choices):
        raise DataError("field 'choices' names the same choice twice")
    if answer and answer not in choices:
        raise DataError(f"answer {answer!r} is none of the choices {', '.join(map(repr, choices[:6]))}")
    return tuple(choices)
