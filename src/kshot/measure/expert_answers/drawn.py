"""The answers that a language model gives when its task has no closed list: greedy first, then drawn ones."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from kshot.data.example import Example
from kshot.data.template import Template
from kshot.errors import InputError
from kshot.measure.predict import unanswered
from kshot.models.asking import Decoding, Question, replies
from kshot.models.base import LanguageModel


def drawn_answers(
    model: LanguageModel,
    rows: Sequence[Example],
    *,
    template: Template,
    draws: int = 4,
    temperature: float = 1.0,
    max_new_tokens: int = 64,
) -> list[tuple[str, ...]]:
    """For each row its distinct answers: the greedy one, then drawn ones, most frequent first.

    Ties: the earlier draw. Answers are read as the task reads a reply (``Template.answer_in``); a reply that
    states none is left out, so a row may have one answer or none. Draws use seeds 0 to ``draws`` - 1.

    Args:
        model: The expert.
        rows: N rows; nobody sees their answers.
        template: The task's words.
        draws: Sampled replies a row, beside the greedy one.
        temperature: Of the sampled replies.
        max_new_tokens: Of every reply.

    Raises:
        InputError: ``draws`` is below 0.

    Example::

        choices = drawn_answers(expert, rows, template=template)
        shares = choice_probabilities(expert, rows, choices, template=template)
    """
    if draws < 0:
        raise InputError(f"draws is {draws}, expected 0 or more")
    stop = template.stop([])
    decodings = [Decoding(max_new_tokens, stop=stop)]
    decodings += [Decoding(max_new_tokens, temperature, stop, sample=number) for number in range(draws)]
    conversations = [template.conversation(unanswered(row)) for row in rows]
    # all draws of one row stand together, so that a journal and a pool of rows fill in the order of rows
    questions = [Question(turns, one, "expert") for turns in conversations for one in decodings]
    found = replies(model, questions)
    stated = [
        None if reply.finish_reason == "error" else template.answer_in(reply.text, multiline=not stop)
        for reply in found
    ]
    size = len(decodings)
    return [_ranked(stated[at : at + size]) for at in range(0, len(stated), size)]


def _ranked(stated: Sequence[str | None]) -> tuple[str, ...]:
    counts = Counter(answer for answer in stated[1:] if answer)
    drawn = sorted(counts, key=lambda answer: -counts[answer])  # a Counter keeps the order of arrival
    greedy = [stated[0]] if stated[0] else []
    return tuple(dict.fromkeys([*greedy, *drawn]))
