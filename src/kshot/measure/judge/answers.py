"""Files of answers, and two of them joined into pairs: by id, else by the question's text."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from kshot.data.example import normalised
from kshot.data.formats.records import Fault, file_type, read_records
from kshot.errors import DataError, collected
from kshot.measure.judge.records import Pair

IDS = ("id", "question_id")
QUESTIONS = ("question", "prompt", "instruction")
ANSWERS = ("answer", "output", "reply", "response", "text", "std_answer")


@dataclass(frozen=True, slots=True)
class Answer:
    """One row of a file of answers.

    Attributes:
        id: As the file has it; empty where it has none.
        question: What was asked; may be empty where there is an id.
        text: The answer; may be empty.
        model: Who answered, where the row says so.
    """

    id: str
    question: str
    text: str
    model: str = ""


@dataclass(frozen=True, slots=True)
class Joined:
    """Two files of answers side by side.

    Attributes:
        pairs: In the order of A.
        by: What they were joined by: ``id`` or ``question``.
        only_a: Rows of A without a row in B.
        only_b: Likewise.
    """

    pairs: tuple[Pair, ...]
    by: str
    only_a: int
    only_b: int


def read_answers(path: Path) -> tuple[Answer, ...]:
    """The rows of a file (JSONL, JSON, CSV, Parquet), in order.

    The answer is the first of the fields answer, output, reply, response, text, std_answer that is there;
    the question is question, prompt, or instruction (with its input); the id is id or question_id.

    Raises:
        DataError: The file cannot be read, a row has no answer, or neither id nor question, or an id stands
            twice.

    Example::

        read_answers(Path("a.jsonl"))[0].text
    """
    wrong: list[str] = []
    found: list[Answer] = []
    seen: dict[str, int] = {}
    for record in read_records(path, file_type(path), notes=[]):
        where = f"{path}:{record.line}"
        if isinstance(record, Fault):
            wrong.append(f"{where}: {record.sentence}")
            continue
        try:
            answer = _answer(record.values)
        except DataError as error:
            wrong.append(f"{where}: {error}")
            continue
        if answer.id in seen and answer.id:
            wrong.append(f"{where}: id {answer.id!r} stands in line {seen[answer.id]} too; ids must differ")
        seen.setdefault(answer.id, record.line)
        found.append(answer)
    if wrong:
        raise DataError(collected(wrong))
    if not found:
        raise DataError(f"{path}: there are no rows; expected rows with an id or question, and an answer")
    return tuple(found)


def join_answers(a: Sequence[Answer], b: Sequence[Answer]) -> Joined:
    """Pairs of answers: by id where every row has one, else by the question's text, spelled alike.

    Raises:
        DataError: Nothing fits together, a question stands twice in one file, or the same id asks two things.

    >>> one, other = [Answer("7", "2 + 2?", "4")], [Answer("7", "2 + 2?", "5"), Answer("8", "", "")]
    >>> joined = join_answers(one, other)
    >>> joined.pairs[0].b, joined.by, joined.only_b
    ('5', 'id', 1)
    """
    by = "id" if all(row.id for row in (*a, *b)) else "question"
    first, second = _keyed(a, by, "A"), _keyed(b, by, "B")
    common = [key for key in first if key in second]
    if not common:
        raise DataError(
            f"no row of A ({len(a)}) has a row in B ({len(b)}) with the same {by}; give both the same ids"
        )
    clashing = [key for key in common if _differ(first[key].question, second[key].question)]
    if clashing:
        raise DataError(
            f"id {clashing[0]!r} asks different questions in A and B ({len(clashing)} such ids); "
            "are these answers to the same set?"
        )
    pairs = tuple(_pair(key, first[key], second[key]) for key in common)
    return Joined(pairs, by, len(first) - len(common), len(second) - len(common))


def _pair(key: str, a: Answer, b: Answer) -> Pair:
    identity = a.id or b.id or hashlib.sha256(key.encode("utf-8", "surrogatepass")).hexdigest()[:16]
    return Pair(identity, a.question or b.question, a.text, b.text)


def _keyed(rows: Sequence[Answer], by: str, side: str) -> dict[str, Answer]:
    found: dict[str, Answer] = {}
    for row in rows:
        key = row.id if by == "id" else normalised(row.question)
        if not key:
            raise DataError(f"{side}: a row has no question, and not all rows have ids; give ids to all rows")
        if key in found:
            raise DataError(f"{side}: two rows have the {by} {key[:80]!r}; give the rows different ids")
        found[key] = row
    return found


def _differ(a: str, b: str) -> bool:
    return bool(a and b) and normalised(a) != normalised(b)


def _answer(values: Mapping[str, Any]) -> Answer:
    identity = next((values[name] for name in IDS if values.get(name) not in (None, "")), "")
    text = next((values[name] for name in ANSWERS if values.get(name) is not None), None)
    if text is None:
        raise DataError(f"no answer; expected one of the fields {', '.join(ANSWERS)}")
    if not isinstance(text, str | int | float) or isinstance(identity, list | dict):
        raise DataError(
            f"the answer is {type(text).__name__}, the id {type(identity).__name__}; expected texts"
        )
    question = _question(values)
    if not str(identity) and not question.strip():
        raise DataError(f"neither an id nor a question; expected one of {', '.join((*IDS, *QUESTIONS))}")
    model = values.get("model")
    return Answer(str(identity), question, str(text), model if isinstance(model, str) else "")


def _question(values: Mapping[str, Any]) -> str:
    name = next((name for name in QUESTIONS if isinstance(values.get(name), str)), None)
    if name is None:
        return ""
    given = values.get("input")
    more = f"\n\n{given}" if name == "instruction" and isinstance(given, str) and given.strip() else ""
    return f"{values[name]}{more}"
