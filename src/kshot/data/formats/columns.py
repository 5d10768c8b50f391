"""Row formats: which of them a file has, seen from its keys, and how a row of it becomes an example."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal, TypeAlias

from kshot.data.example import Example
from kshot.data.formats.choices import LISTS, choice_columns, flattened, read_choices, right_choice
from kshot.data.formats.fields import answer_text, text
from kshot.data.formats.turns import from_turns, read_history
from kshot.data.nearest import proposal
from kshot.errors import DataError

RowFormat: TypeAlias = Literal[
    "messages", "sharegpt", "multiple_choice", "alpaca", "text_label", "prompt_completion"
]
FIELDS = ("prompt", "answer", "choices", "reasoning", "system", "tests", "history")
_OPTIONAL: dict[str, tuple[str, ...]] = {
    "reasoning": ("reasoning", "rationale", "cot"),
    "system": ("system", "system_prompt"),
    "tests": ("tests",),
}
_PROMPTS = ("prompt", "question", "input")
_ANSWERS = ("answer", "completion", "response", "output")
_CHOICE_ANSWERS = ("answer", "answerKey", "answer_key", "label", "answer_index", "answer_idx")


@dataclass(frozen=True, slots=True)
class Shape:
    """The keys of one row format: for each role the names it may have, the first one preferred."""

    format: RowFormat
    roles: Mapping[str, tuple[str, ...]]
    is_listed: bool = False


# The order decides between formats that fit equally many rows: the more special one comes first.
SHAPES = (
    Shape("messages", {"turns": ("messages",)}),
    Shape("messages", {"prompt": ("prompt",), "answer": ("completion",)}, is_listed=True),
    Shape("sharegpt", {"turns": ("conversations",)}),
    Shape(
        "multiple_choice",
        {"prompt": ("question", "question_stem", *_PROMPTS), "choices": LISTS, "answer": _CHOICE_ANSWERS},
    ),
    Shape("alpaca", {"prompt": ("instruction",), "answer": ("output", "response")}),
    Shape("text_label", {"prompt": ("text", "sentence"), "answer": ("label_text", "label")}),
    Shape("prompt_completion", {"prompt": _PROMPTS, "answer": _ANSWERS}),
)


@dataclass(frozen=True, slots=True)
class Layout:
    """How the rows of one file are read: their format, and the column that stands for each role."""

    shape: Shape
    keys: Mapping[str, str]
    labelled: bool = True
    choice_columns: tuple[str, ...] = ()
    columns: Mapping[str, str] = field(default_factory=dict)

    @property
    def format(self) -> RowFormat:
        """The name of the row format."""
        return self.shape.format

    def example(self, values: Mapping[str, Any], *, source: str) -> Example:
        """One row as an example.

        Raises:
            DataError: A field is missing, of the wrong type, or the answer is empty though it is needed.
        """
        row = flattened(renamed(values, self.columns))
        for role, key in self.keys.items():
            if key not in row and (self.labelled or role != "answer"):
                raise DataError(f"field {key!r} is missing; every row needs {self.needed()}")
        fields: dict[str, Any] = {name: _optional(row, keys) for name, keys in _OPTIONAL.items()}
        if "history" in row and "turns" not in self.keys:
            fields["history"] = read_history(row["history"])
        core = _READERS[self.format](row, self)
        fields |= {name: value for name, value in core.items() if value is not None}
        if self.labelled and not fields["answer"]:
            raise DataError(
                f"field {self.keys.get('answer', 'answer')!r} is empty; every row needs an answer"
            )
        return Example(**fields, source=source)

    def needed(self) -> str:
        """The columns that every row needs, in words."""
        roles = {role: key for role, key in self.keys.items() if self.labelled or role != "answer"}
        return " and ".join([*roles.values(), *self.choice_columns[:2]])

    def unused(self, keys: Sequence[str]) -> list[str]:
        """Those of a file's columns that no example is made from, sorted."""
        used = {*self.keys.values(), *self.choice_columns, "source", "history"}
        used |= {name for names in _OPTIONAL.values() for name in names}
        used |= {"alpaca": {"input", "context"}, "prompt_completion": {"choices"}}.get(self.format, set())
        ours = {theirs: name for name, theirs in self.columns.items()}
        return sorted(key for key in keys if ours.get(key, key) not in used)


def detect(
    sample: Sequence[Mapping[str, Any]],
    *,
    format: str = "auto",  # noqa: A002 - the name in the task file
    columns: Mapping[str, str] | None = None,
    labelled: bool = True,
) -> Layout:
    """The layout that fits most rows of a sample. Ties: the more special format, the earlier name.

    ``columns`` gives our fields other names in the file. Without ``labelled`` a format without its answer
    will do where none fits as a whole.

    >>> detect([{"question": "2 + 2?", "response": "4"}]).keys
    {'prompt': 'question', 'answer': 'response'}

    Raises:
        DataError: No format fits any row; the message has the keys found and those expected.
    """
    columns = dict(columns or {})
    _check_columns(sample, columns)
    rows = [flattened(renamed(values, columns)) for values in sample]
    shapes = [shape for shape in SHAPES if format in ("auto", shape.format)]
    for with_answer in (True,) if labelled else (True, False):
        fits = [_fit(shape, rows, with_answer=with_answer) for shape in shapes]
        count, best = max(fits, key=lambda fit: fit[0], default=(0, None))
        if count and best is not None:
            return Layout(best.shape, best.keys, labelled, best.choice_columns, columns)
    keys = sorted({key for values in sample for key in values})
    found = (", ".join(keys[:20]) + ", ..." * (len(keys) > 20)) or "none"
    expected = "; or ".join(" + ".join(names[0] for names in shape.roles.values()) for shape in shapes)
    hint = "map other names with columns, for example columns: {prompt: YOUR_COLUMN, answer: YOUR_COLUMN}"
    raise DataError(f"no row format fits; columns found: {found}; expected {expected}; {hint}")


def renamed(values: Mapping[str, Any], columns: Mapping[str, str]) -> Mapping[str, Any]:
    """A row under our field names. With a column for the prompt, only our own names are left beside it."""
    if not columns:
        return values
    taken = set(columns.values())
    if "prompt" in columns:
        rest = {key: value for key, value in values.items() if key in FIELDS and key not in columns}
    else:
        rest = {key: value for key, value in values.items() if key not in taken and key not in columns}
    return rest | {ours: values[theirs] for ours, theirs in columns.items() if theirs in values}


def _check_columns(sample: Sequence[Mapping[str, Any]], columns: Mapping[str, str]) -> None:
    for ours, theirs in columns.items():
        if ours not in FIELDS:
            names = ", ".join(FIELDS)
            raise DataError(
                f"columns: {ours!r} is no field of an example; fields: {names}{proposal(ours, FIELDS)}"
            )
        known = sorted({key for values in sample for key in values})
        if theirs not in known:
            raise DataError(
                f"columns: {ours} is to be read from {theirs!r}, but no row has that column; "
                f"columns found: {', '.join(known) or 'none'}{proposal(theirs, known)}"
            )


def _fit(shape: Shape, rows: Sequence[Mapping[str, Any]], *, with_answer: bool) -> tuple[int, Layout]:
    keys: dict[str, str] = {}
    letters: tuple[str, ...] = ()
    for role, names in shape.roles.items():
        if role == "answer" and not with_answer:
            continue
        keys[role] = max(names, key=lambda name: sum(name in row for row in rows))
    if "choices" in keys and not any(keys["choices"] in row for row in rows):
        letters = choice_columns(sorted({key for row in rows for key in row}))
        if letters:
            del keys["choices"]
    needed = [*keys.values(), *letters[:2]]
    count = sum(
        all(key in row for key in needed)
        and (not shape.is_listed or all(isinstance(row[key], list) for key in needed))
        for row in rows
    )
    return count, Layout(shape, keys, choice_columns=letters)


def _optional(row: Mapping[str, Any], keys: Sequence[str]) -> str | None:
    key = next((key for key in keys if row.get(key) is not None), None)
    return text(row[key], key) or None if key is not None else None


def _read_chat(row: Mapping[str, Any], layout: Layout) -> dict[str, Any]:
    if not layout.shape.is_listed:
        key = layout.keys["turns"]
        return from_turns(row[key], key, labelled=layout.labelled)
    prompt, completion = row["prompt"], row.get("completion")
    if not isinstance(prompt, list) or not isinstance(completion, list | None):
        raise DataError("fields 'prompt' and 'completion' must both be lists of turns here, as in other rows")
    return from_turns([*prompt, *(completion or [])], "prompt + completion", labelled=layout.labelled)


def _read_flat(row: Mapping[str, Any], layout: Layout) -> dict[str, Any]:
    key, answer = layout.keys["prompt"], layout.keys.get("answer", "answer")
    if row.get("choices") is not None:
        return _read_choice(row, layout)
    return {"prompt": text(row[key], key), "answer": answer_text(row.get(answer), answer)}


def _read_alpaca(row: Mapping[str, Any], layout: Layout) -> dict[str, Any]:
    fields = _read_flat(row, layout)
    key = "input" if row.get("input") is not None else "context"
    extra = text(row[key], key) if row.get(key) is not None else ""
    return fields | {"prompt": f"{fields['prompt']}\n{extra}" if extra else fields["prompt"]}


def _read_choice(row: Mapping[str, Any], layout: Layout) -> dict[str, Any]:
    key, answer = layout.keys["prompt"], layout.keys.get("answer", "answer")
    choices, labels = read_choices(row, layout.keys.get("choices", "choices"), columns=layout.choice_columns)
    own = key == "prompt" and answer == "answer" and labels is None
    right = right_choice(row.get(answer), answer, choices=choices, labels=labels, own=own)
    return {"prompt": text(row[key], key), "answer": right, "choices": choices}


_READERS: dict[str, Callable[[Mapping[str, Any], Layout], dict[str, Any]]] = {
    "messages": _read_chat,
    "sharegpt": _read_chat,
    "multiple_choice": _read_choice,
    "alpaca": _read_alpaca,
    "text_label": _read_flat,
    "prompt_completion": _read_flat,
}
