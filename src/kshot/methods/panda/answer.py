"""Rows answered by a language model, with the insights nearest to each in its prompt."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import TypeAlias

from kshot.data.example import Conversation, Example
from kshot.measure.predict import unanswered
from kshot.methods.panda.seams import Prompts, Retrieve, Retrieved, Setting
from kshot.models.asking import Decoding, Question, asked
from kshot.models.base import LanguageModel, Reply

OnAnswer: TypeAlias = Callable[[int, int], None]
PLAIN, NOTHING = Setting(), Retrieved()


@dataclass(frozen=True, slots=True)
class Reader:
    """How questions are put to a model.

    Attributes:
        prompts: The wording around the task.
        retrieve: Row to insights; None for none.
        shots: Labelled shots to show, in order; ``setting.shots`` of them stand in a prompt.
        setting: Zero-shot or few-shot, with reasoning or without, and how insights are shown.
        guide: Rules for the whole task, as a system message.
    """

    prompts: Prompts
    retrieve: Retrieve | None = None
    shots: tuple[Example, ...] = ()
    setting: Setting = PLAIN
    guide: str = ""


@dataclass(frozen=True, slots=True)
class Answered:
    """One row's outcome.

    Attributes:
        row_id: Of the row as it was given.
        answer: As ``Template.gold`` has it; None where the reply states none: wrong in every metric.
        reply: The whole reply and its cost.
        retrieved: The insights that stood in the prompt, and those that came into question.
        note: Why there is no answer; empty where there is one.
    """

    row_id: str
    answer: str | None
    reply: Reply
    retrieved: Retrieved = NOTHING
    note: str = ""


def conversation_of(row: Example, reader: Reader) -> tuple[Conversation, Retrieved]:
    """What is asked about a row, and the insights in it. The row's answer is taken off before anybody looks.

    A shot that asks the same as the row never stands in the row's own prompt; the next shot takes its place.

    Example::

        conversation, retrieved = conversation_of(row, Reader(open_prompts(task.template), retriever))
    """
    asked_row = unanswered(row)
    retrieved = reader.retrieve(asked_row) if reader.retrieve is not None else NOTHING
    return conversation_with(row, retrieved, reader), retrieved


def conversation_with(row: Example, retrieved: Retrieved, reader: Reader) -> Conversation:
    """What is asked about a row with these insights in the prompt, whatever retrieval would choose.

    Example::

        plain = conversation_with(row, Retrieved(), reader)  # the same prompt without insights
    """
    asked_row = unanswered(row)
    others = [shot for shot in reader.shots if shot.question != asked_row.question]
    return reader.prompts.query(
        asked_row,
        insights=[chosen.insight for chosen in retrieved.chosen],
        shots=others[: reader.setting.shots],
        setting=reader.setting,
        guide=reader.guide,
    )


def decoding_of(reader: Reader) -> Decoding:
    """Greedy, with the setting's limit, cut where the prompts say that a reply may end.

    Example::

        decoding = replace(decoding_of(reader), temperature=0.7)
    """
    limit = reader.setting.max_new_tokens
    return Decoding(max_new_tokens=limit, stop=reader.prompts.stop(reader.setting))


def answer(
    model: LanguageModel,
    rows: Sequence[Example],
    reader: Reader,
    *,
    step: str = "answer",
    decoding: Decoding | None = None,
    on_answer: OnAnswer | None = None,
) -> list[Answered]:
    """One outcome a row, in their order.

    Args:
        model: Who answers; an endpoint answers many at once.
        rows: Their answers, reasoning and sources are taken off before anybody looks.
        reader: How they are put.
        step: What the calls are counted under.
        decoding: Greedy with the setting's limit by default.
        on_answer: Called after each reply with how many are there, and of how many.

    Raises:
        BudgetError: The model's budget ends; what it has answered stands in its journal.

    Example::

        answers = [found.answer for found in answer(endpoint, task.test, reader)]
    """
    retrieved: list[Retrieved] = []
    how = decoding or decoding_of(reader)

    def questions() -> Iterator[Question]:
        for row in rows:
            conversation, found = conversation_of(row, reader)
            retrieved.append(found)
            yield Question(conversation, how, step=step)

    outcomes: dict[int, Answered] = {}
    for position, reply in asked(model, questions()):
        outcomes[position] = settled(rows[position], reply, reader, retrieved[position])
        if on_answer is not None:
            on_answer(len(outcomes), len(rows))
    missing = Reply("", finish_reason="error", error="no reply came")
    return [
        outcomes.get(position) or settled(row, missing, reader, NOTHING) for position, row in enumerate(rows)
    ]


def settled(row: Example, reply: Reply, reader: Reader, retrieved: Retrieved) -> Answered:
    """A reply read as the reader's setting demands; an invalid one says why.

    Example::

        settled(row, Reply("positive"), reader, Retrieved()).answer
    """
    stated = reader.prompts.read(reply, reader.setting)
    return Answered(row.id, stated, reply, retrieved, "" if stated is not None else _why_invalid(reply))


def _why_invalid(reply: Reply) -> str:
    if reply.finish_reason == "error":
        return f"no reply: {reply.error or 'no reason was given'}"
    if not reply.text.strip():
        return "the reply is empty"
    if reply.finish_reason == "length":
        return "the reply was cut by the token limit before it stated an answer"
    return "the reply states no answer, or several"
