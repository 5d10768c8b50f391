"""How sure a model is of its answers: draws that agree, or the probability of the first token."""

from __future__ import annotations

import math
from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import final

from kshot.data.example import Example, normalised
from kshot.errors import InputError, ModelError
from kshot.methods.panda.answer import Reader, conversation_of, decoding_of
from kshot.methods.panda.seams import Retrieved
from kshot.models.asking import Question, replies
from kshot.models.base import LanguageModel, Reply

TOP_TOKENS = 20  # log-probabilities asked for: as many as the usual interface gives


@final
@dataclass(frozen=True, slots=True)
class Drawn:
    """What a model says of rows, and how sure it is. The tuples are (N,), in the order of the rows.

    Attributes:
        answers: The most frequent valid answer of a row's draws; None where none was valid.
        agreement: Share of the draws that gave it, invalid ones counted; or, with log-probabilities, its
            probability among the answers. 0 without a valid answer.
        retrieved: The insights in each row's prompt.
        replies: The draws of each row, (draws,) each.
    """

    answers: tuple[str | None, ...]
    agreement: tuple[float, ...]
    retrieved: tuple[Retrieved, ...]
    replies: tuple[tuple[Reply, ...], ...]


def draw_answers(
    model: LanguageModel,
    rows: Sequence[Example],
    reader: Reader,
    *,
    draws: int = 3,
    temperature: float = 0.7,
    use_logprobs: bool = False,
) -> Drawn:
    """Several draws a row, or one greedy reply with the log-probabilities of its first token.

    Insights are looked up once a row. On shots, give a retriever that leaves the row itself out.

    Raises:
        InputError: A number makes no sense, or log-probabilities are to be read before reasoning.
        ModelError: Log-probabilities were asked for and the model gives none.

    Example::

        drawn = draw_answers(endpoint, shots, reader, draws=3)
        [answer for answer, share in zip(drawn.answers, drawn.agreement) if share == 1]
    """
    count = _checked_count(draws, temperature, reader, use_logprobs=use_logprobs)
    how = replace(decoding_of(reader), temperature=0.0 if use_logprobs else temperature)
    how = replace(how, logprobs=TOP_TOKENS if use_logprobs else 0)
    questions: list[Question] = []
    retrieved: list[Retrieved] = []
    for row in rows:
        conversation, found = conversation_of(row, reader)
        retrieved.append(found)
        questions += [Question(conversation, replace(how, sample=s), step="cascade") for s in range(count)]
    flat = replies(model, questions)
    answered = [reply for reply in flat if reply.finish_reason != "error"]
    if use_logprobs and answered and not any(reply.logprobs for reply in answered):
        raise ModelError(f"{model.id} gave no log-probabilities; use draws in place of use_logprobs")
    groups = [tuple(flat[i * count : (i + 1) * count]) for i in range(len(rows))]
    judged = [_judged(group, reader, use_logprobs=use_logprobs) for group in groups]
    answers, agreement = tuple(found for found, _ in judged), tuple(share for _, share in judged)
    return Drawn(answers, agreement, tuple(retrieved), tuple(groups))


def majority(answers: Sequence[str | None]) -> tuple[str | None, float]:
    """The most frequent valid answer, and its share of all draws. Ties: the one drawn first.

    Answers that differ in case and blanks alone are one, in the spelling that was drawn first.

    >>> majority(["a", None, "a"]), majority(["b", "a"]), majority([None])
    (('a', 0.6666666666666666), ('b', 0.5), (None, 0.0))
    """
    valid = [found for found in answers if found is not None]
    if not valid:
        return None, 0.0
    folded, count = Counter(map(normalised, valid)).most_common(1)[0]
    return next(found for found in valid if normalised(found) == folded), count / len(answers)


def probability_of(stated: str | None, reply: Reply, reader: Reader) -> float:
    """Probability of the stated answer among all answers that the reply's likeliest first tokens begin.

    Each token is read as a reply of its own; tokens that belong to no answer, or to several, do not count.
    0 where nothing is stated, or the reply has no log-probabilities.

    Example::

        probability_of("positive", reply, reader)
    """
    shares: defaultdict[str, float] = defaultdict(float)
    for token, logprob in reply.logprobs:
        alone = Reply("", logprobs=((token, logprob),))
        if (meant := reader.prompts.read(alone, reader.setting)) is not None:
            shares[meant] += math.exp(logprob)
    total = sum(shares.values())
    return shares[stated] / total if stated is not None and total > 0 else 0.0


def _checked_count(draws: int, temperature: float, reader: Reader, *, use_logprobs: bool) -> int:
    if use_logprobs:
        if reader.setting.reasoning:
            raise InputError(
                "use_logprobs reads the first token of a reply, and with reasoning that is no answer; "
                "use draws, or a setting without reasoning"
            )
        return 1
    if draws < 1:
        raise InputError(f"draws is {draws}, expected 1 or more")
    if draws > 1 and not temperature > 0:
        raise InputError(f"temperature is {temperature}: {draws} greedy draws are the same; give one above 0")
    return draws


def _judged(group: Sequence[Reply], reader: Reader, *, use_logprobs: bool) -> tuple[str | None, float]:
    read = [reader.prompts.read(reply, reader.setting) for reply in group]
    return (read[0], probability_of(read[0], group[0], reader)) if use_logprobs else majority(read)
