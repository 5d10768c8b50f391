"""Reasoning for rows that lack it, written by a language model that is told the answer.

A text counts only where the task's own reading of it gives the right answer, in the order that the template
asks for; otherwise the writer is asked again, and at last the row stays as it was and is listed.

Source: arXiv 2408.15915v2, the rationales of its labelled examples; the words of the prompt are ours.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any, TypeAlias, final

from kshot.data.example import Conversation, Example, Message
from kshot.data.template import ANSWER_CUE, Template
from kshot.errors import DataError
from kshot.measure.metrics import extract_label, row_scores
from kshot.models.base import LanguageModel, Reply

OnRound: TypeAlias = Callable[[int, int], None]

TASK = """You write worked solutions that learners study. You are given a question and its right answer.
Explain why that answer is right: go from what the question says to the answer, step by step, in at most three
sentences. Do not say that you were given the answer."""
ORDERS = {
    "answer_first": "Write the answer alone on the first line, exactly as given; below it the explanation.",
    "answer_last": f"Write the explanation; then a last line of its own that reads: {ANSWER_CUE} <answer>",
}
_METRICS = {"classification": "accuracy", "choice": "choice"}


@final
@dataclass(frozen=True, slots=True)
class Rationales:
    """Rows with reasoning, and those that were left without.

    Attributes:
        rows: All rows that were given, in their order; ``source`` of a written one ends with who wrote it.
        written: Places of the rows that have reasoning now and had none.
        flagged: (place, reason) of the rows that have none still.
        tokens: Tokens of prompts and replies, the refused ones included.
        usd: What they cost.
    """

    rows: tuple[Example, ...]
    written: tuple[int, ...]
    flagged: tuple[tuple[int, str], ...]
    tokens: int = 0
    usd: float = 0.0

    def to_json(self) -> dict[str, Any]:
        """Counts, and the reasons of the flagged rows."""
        flagged = [{"row": place, "reason": reason} for place, reason in self.flagged]
        return {"written": len(self.written), "flagged": flagged, "tokens": self.tokens, "usd": self.usd}


def write_reasoning(
    rows: Sequence[Example],
    writer: LanguageModel,
    *,
    template: Template,
    attempts: int = 3,
    seed: int = 0,
    on_round: OnRound | None = None,
) -> Rationales:
    """Reasoning for every row that has an answer of one line and no reasoning yet.

    The first attempt is greedy, later ones are sampled under ``seed``; a row that has its reasoning is not
    asked about again.

    Args:
        rows: Labelled rows, such as the shots of a task. Never test rows.
        writer: Who writes; its ``id`` marks the rows.
        template: The task's words; its order of answer and reasoning is what is asked for.
        attempts: Questions a row, at most.
        seed: Of the sampled attempts.
        on_round: Called before each attempt with its number, from 1, and the number of rows it asks about.

    Raises:
        DataError: The template leaves reasoning out, or ``attempts`` is below 1.

    Example::

        shots = write_reasoning(shots, model, template=Template(kind="choice", reasoning="answer_first")).rows
    """
    if template.reasoning == "none":
        raise DataError("the template leaves reasoning out; use answer_first or answer_last")
    if attempts < 1:
        raise DataError(f"attempts is {attempts}, expected 1 or more")
    found = list(rows)
    flagged = {p: reason for p, row in enumerate(rows) if (reason := _unfit(row))}
    open_places = [p for p, row in enumerate(rows) if not row.reasoning and p not in flagged]
    asked = set(open_places)
    tokens, usd = 0, 0.0
    for attempt in range(attempts):
        if not open_places:
            break
        if on_round is not None:
            on_round(attempt + 1, len(open_places))
        replies = _asked(writer, [rows[place] for place in open_places], template, attempt, seed + attempt)
        for place, reply in zip(open_places, replies, strict=True):
            tokens, usd = tokens + reply.prompt_tokens + reply.completion_tokens, usd + reply.usd
            text, reason = accepted(rows[place], reply, template)
            if text:
                source = f"{rows[place].source or ''}; reasoning by {writer.id}".removeprefix("; ")
                found[place] = replace(rows[place], reasoning=text, source=source)
            else:
                flagged[place] = f"after {attempt + 1} attempts: {reason}"
        open_places = [place for place in open_places if not found[place].reasoning]
    left = {place: reason for place, reason in flagged.items() if not found[place].reasoning}
    written = tuple(sorted(place for place in asked if found[place].reasoning))
    return Rationales(tuple(found), written, tuple(sorted(left.items())), tokens, usd)


def rationale_prompt(row: Example, template: Template) -> Conversation:
    """What the writer is asked about one row: the task, the question as the task puts it, its answer."""
    system = template.system(row)
    question = "\n\n".join(part for part in (system, template.query(row)) if part)
    answer = template.gold(row)
    if row.choices:
        answer += f" ({row.answer})"
    ask = f"Question:\n{question}\n\nRight answer: {answer}\n\n{ORDERS[template.reasoning]}"
    if row.choices:
        ask += " The answer is the letter alone."
    return (Message("system", TASK), Message("user", ask))


def accepted(row: Example, reply: Reply, template: Template) -> tuple[str, str]:
    r"""The reasoning in a reply, or nothing and the reason why it cannot be used.

    >>> row = Example("Which is warm?", "fire", choices=("ice", "fire"))
    >>> template = Template(kind="choice", reasoning="answer_first")
    >>> accepted(row, Reply("B\nFire gives off heat."), template)
    ('Fire gives off heat.', '')
    >>> accepted(row, Reply("A\nIce is warm."), template)
    ('', "the reply states 'A', the answer is 'B'")
    """
    if reply.finish_reason != "stop":
        return "", "the reply was cut off" if reply.finish_reason == "length" else "no reply came back"
    stated, gold = _stated(reply.text, template), template.gold(row)
    if not _agrees(stated, gold, template):
        return "", f"the reply states {stated!r}, the answer is {gold!r}"
    text = _reasoning(reply.text, template)
    if not text:
        return "", "the reply has an answer and no reasoning"
    # an answer line inside the reasoning must not change how the target as a whole is read
    read, plain = (template.answer_in(template.target(replace(row, reasoning=r)).text) for r in (text, "so"))
    return (text, "") if read == plain else ("", "the reasoning holds an answer line of its own")


def _asked(
    writer: LanguageModel, rows: Sequence[Example], template: Template, attempt: int, seed: int
) -> list[Reply]:
    prompts = [rationale_prompt(row, template) for row in rows]
    temperature = 0.0 if attempt == 0 else 0.7
    return writer.generate(prompts, max_new_tokens=256, temperature=temperature, seed=seed)


def _stated(text: str, template: Template) -> str | None:
    line = template.answer_in(text)
    if template.kind == "classification" and template.labels and line is not None:
        return extract_label(line, template.labels)
    return line


def _agrees(stated: str | None, gold: str, template: Template) -> bool:
    if stated is None:
        return False
    scores = row_scores(_METRICS.get(template.kind, "exact_match"), [stated], [gold])
    return scores is not None and bool(scores[0] == 1)


def _reasoning(text: str, template: Template) -> str:
    """The reply without the answer: all after its first line, or all before its last answer line."""
    lines = text.strip().splitlines()
    if template.reasoning == "answer_first":
        return "\n".join(lines[1:]).strip()
    stated = [at for at, line in enumerate(lines) if template.answer_in(line) is not None]
    return "\n".join(lines[: stated[-1]]).strip() if stated else ""


def _unfit(row: Example) -> str:
    """Why nobody is asked about a row that lacks reasoning; nothing where somebody is."""
    if row.reasoning:
        return ""
    if not row.answer.strip():
        return "the row has no answer"
    # such an answer tells its reasons itself, or is a text for which the template has no place beside them
    return "the answer has several lines" if "\n" in row.answer.strip() and not row.choices else ""
