"""Rows of a dataset with columns of its own, as examples: what is asked and answered, by templates."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal, TypeAlias, final, get_args

from kshot.data.example import LETTERS, Example
from kshot.data.formats.field_template import FieldTemplate, Lookups, raw_value
from kshot.data.formats.turns import from_turns
from kshot.data.nearest import proposal
from kshot.errors import DataError

AnswerIs: TypeAlias = Literal["letter", "label", "position", "text"]
TEXTS = ("instruction", "input", "output", "reasoning", "system", "tests")
PARTS = (*TEXTS, "choices", "labels", "answer", "turns")


@final
@dataclass(frozen=True, slots=True)
class RowMapping:
    r"""How the columns of a dataset become examples: one of three kinds, by the parts that are given.

    - ``instruction`` and/or ``input``, and ``output``: an instruction row. The prompt is both, a line apart;
    - ``instruction`` and/or ``input``, ``choices`` and ``answer``: a multiple-choice row;
    - ``turns``: a conversation, ``{role, content}`` or ``{from, value}`` or texts that take turns, whose last
      reply is the answer.

    ``reasoning``, ``system`` and ``tests`` may stand beside any of them.

    Attributes:
        parts: A template for each part; ``choices`` one that gives a list, or one for each choice.
        answer_is: What ``answer`` gives: the ``letter`` of a choice, one of the dataset's own ``labels``, its
            ``position``, or its ``text``.
        counted_from: Of positions.
        lookups: By path, other texts for a column's values: {"label": {"0": "no", "1": "yes"}}.

    >>> mapping = RowMapping.of({"input": "{goal}", "choices": ["{sol1}", "{sol2}"], "answer": "{label}"},
    ...                         answer_is="position")
    >>> row = mapping.example({"goal": "Keep bread soft.", "sol1": "Wrap it", "sol2": "Eat it", "label": 0})
    >>> row.answer, row.letter
    ('Wrap it', 'A')
    """

    parts: Mapping[str, tuple[FieldTemplate, ...]]
    answer_is: AnswerIs = "letter"
    counted_from: int = 0
    lookups: Lookups = field(default_factory=dict)

    @classmethod
    def of(
        cls,
        columns: Mapping[str, str | Sequence[str]],
        *,
        answer_is: AnswerIs = "letter",
        counted_from: int = 0,
        lookups: Lookups | None = None,
    ) -> RowMapping:
        """A mapping from texts of templates.

        Raises:
            DataError: A part does not exist, parts of two kinds are given, or a template is wrong.
        """
        for part in columns:
            if part not in PARTS:
                known = ", ".join(PARTS)
                raise DataError(
                    f"columns: {part!r} is no part of a row{proposal(part, PARTS)}; parts: {known}"
                )
        if answer_is not in get_args(AnswerIs):
            raise DataError(f"answer_is is {answer_is!r}, expected one of {', '.join(get_args(AnswerIs))}")
        parts = {
            part: tuple(FieldTemplate.parse(text) for text in ([given] if isinstance(given, str) else given))
            for part, given in columns.items()
        }
        _check_parts(parts, answer_is)
        _check_lookups(parts, lookups or {})
        return cls(parts, answer_is, counted_from, lookups or {})

    def example(self, values: Mapping[str, Any], *, source: str | None = None) -> Example:
        """One row.

        Raises:
            DataError: A column is missing or of the wrong kind, the answer is empty or names no choice.
        """
        found = {part: self._text(part, values) for part in ("reasoning", "system", "tests")}
        extra: dict[str, Any] = {part: text for part, text in found.items() if text}
        if "turns" in self.parts:
            return Example(**_conversation(self.parts["turns"][0], values) | extra, source=source)
        asked = [self._text("instruction", values), self._text("input", values)]
        prompt = "\n".join(text for text in asked if text)
        if "choices" not in self.parts:
            answer = self._text("output", values)
            if not answer.strip():
                raise DataError("the output is empty; every row needs an answer")
            return Example(prompt, answer, source=source, **extra)
        choices = self._choices(values)
        return Example(prompt, self._right(values, choices), choices, source=source, **extra)

    def _text(self, part: str, values: Mapping[str, Any]) -> str:
        return self.parts[part][0].render(values, self.lookups) if part in self.parts else ""

    def _choices(self, values: Mapping[str, Any]) -> tuple[str, ...]:
        templates = self.parts["choices"]
        if len(templates) == 1:
            return templates[0].items(values, self.lookups)
        return tuple(template.render(values, self.lookups) for template in templates)

    def _right(self, values: Mapping[str, Any], choices: tuple[str, ...]) -> str:
        answer = self._text("answer", values).strip()
        names = list(choices)
        if self.answer_is == "letter":
            names, answer = list(LETTERS[: len(choices)]), answer.upper()
        elif self.answer_is == "position":
            names = [str(number + self.counted_from) for number in range(len(choices))]
        elif self.answer_is == "label":
            names = list(self.parts["labels"][0].items(values, self.lookups))
        if answer not in names or len(names) != len(choices):
            raise DataError(
                f"the answer {answer[:60]!r} names none of the {len(choices)} choices by {self.answer_is}; "
                f"expected one of {', '.join(names)[:100]}"
            )
        return choices[names.index(answer)]


def _check_parts(parts: Mapping[str, Sequence[FieldTemplate]], answer_is: AnswerIs) -> None:
    several = [part for part, templates in parts.items() if len(templates) != 1 and part != "choices"]
    if several:
        raise DataError(f"columns: {several[0]!r} is a list; only choices can be one")
    kinds = [part for part in ("output", "choices", "turns") if part in parts]
    if len(kinds) != 1:
        found = " and ".join(kinds) or "none of them"
        raise DataError(f"columns: expected one of output, choices, turns; found {found}")
    if kinds != ["turns"] and not parts.keys() & {"instruction", "input"}:
        raise DataError("columns: neither instruction nor input is given; one of them is what is asked")
    if kinds == ["turns"] and parts.keys() & {"instruction", "input"}:
        raise DataError("columns: turns hold what is asked; leave instruction and input out")
    if ("answer" in parts) != (kinds == ["choices"]):
        raise DataError("columns: answer and choices go together; without choices the answer is the output")
    if ("labels" in parts) != (answer_is == "label"):
        raise DataError("columns: labels and answer_is: label go together")


def _check_lookups(parts: Mapping[str, Sequence[FieldTemplate]], lookups: Lookups) -> None:
    """A path that no template reads would be a slip that nobody sees."""
    known = [path for templates in parts.values() for template in templates for path in template.paths]
    for path in lookups:
        if path not in known:
            raise DataError(
                f"values: {path!r} is read by none of the columns' templates{proposal(path, known)}; "
                f"they read {', '.join(dict.fromkeys(known))}"
            )


def _conversation(template: FieldTemplate, values: Mapping[str, Any]) -> dict[str, Any]:
    turns = raw_value(template, values)
    if isinstance(turns, list) and turns and all(isinstance(turn, str) for turn in turns):
        roles = ("user", "assistant")
        turns = [{"role": roles[at % 2], "content": turn} for at, turn in enumerate(turns)]
    return from_turns(turns, template.text.strip("{}"), labelled=True)
