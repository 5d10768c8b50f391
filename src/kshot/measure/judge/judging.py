"""Pairs put to a judge, each in both orders."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import closing
from typing import Any, cast

from kshot.errors import BudgetError, DataError
from kshot.measure.judge.records import Judged, JudgedPair, Pair, Verdict, outcome_of
from kshot.measure.judge.wording import Language, judge_question, read_verdict
from kshot.models.asking import Question, asked
from kshot.models.base import LanguageModel, Reply

CUT = "the reply was cut by its limit"


def judge_pairs(
    model: LanguageModel,
    pairs: Sequence[Pair],
    *,
    criteria: Sequence[str] = (),
    language: Language = "en",
    seed: int = 0,
    listen: Callable[[int, int], None] | None = None,
) -> Judged:
    r"""Has every pair judged twice, with the places of the answers swapped, at temperature 0.

    A pair is won or lost where both orders agree, a tie where both say so, split where they differ, and
    unreadable where a verdict cannot be read; such a reply is asked for once more first. Equal answers are a
    tie, and nobody is asked. Where the budget ends, pairs that are whole stay, and the rest is counted.

    Args:
        model: The judge: an endpoint (whose journal pays nothing twice), or any model.
        pairs: With different ids.
        criteria: One line each; default: helpful, relevant, accurate, detailed enough.
        language: Of the wording.
        seed: Handed to the judge with each request.
        listen: Told how many verdicts are there, and how many are wanted.

    Raises:
        DataError: Two pairs have one id.
        ModelError: The endpoint cannot be used; what came before is in its journal.

    >>> from kshot.models.fake import ScriptedModel
    >>> always_first = ScriptedModel(lambda conversation: "Fine. Verdict?\nVerdict: first")
    >>> judge_pairs(always_first, [Pair("1", "2 + 2?", "4", "5")]).pairs[0].outcome
    'split'
    """
    _check_ids(pairs)
    open_pairs = [pair for pair in pairs if not pair.is_equal]
    found: list[Reply | None] = [None] * (2 * len(open_pairs))
    stopped = ""
    questions = _questions(open_pairs, criteria=criteria, language=language, seed=seed)
    try:
        with closing(cast(Any, asked(model, questions))) as coming:
            for done, (position, reply) in enumerate(coming, start=1):
                found[position] = reply
                if listen is not None:
                    listen(done, len(found))
    except BudgetError as error:
        stopped = str(error)
    both = {pair.id: (found[2 * place], found[2 * place + 1]) for place, pair in enumerate(open_pairs)}
    judged = [_judged(pair, both.get(pair.id)) for pair in pairs]
    whole = tuple(one for one in judged if one is not None)
    came = [reply for reply in found if reply is not None]
    return Judged(
        whole,
        judge=model.id,
        calls=sum(reply.calls for reply in came),
        tokens=sum(reply.prompt_tokens + reply.completion_tokens for reply in came),
        usd=sum(reply.usd for reply in came),
        failed=sum(_is_failed(reply) for reply in came),
        unjudged=len(pairs) - len(whole),
        stopped=stopped,
    )


def _check_ids(pairs: Sequence[Pair]) -> None:
    seen: set[str] = set()
    for pair in pairs:
        if pair.id in seen:
            raise DataError(
                f"two pairs have the id {pair.id!r}; verdicts are joined by id, so each needs its own"
            )
        seen.add(pair.id)


def _questions(
    pairs: Sequence[Pair], *, criteria: Sequence[str], language: Language, seed: int
) -> Iterator[Question]:
    for pair in pairs:
        for first, second in ((pair.a, pair.b), (pair.b, pair.a)):
            yield judge_question(
                pair.question, first, second, criteria=criteria, language=language, seed=seed
            )


def _judged(pair: Pair, replies: tuple[Reply | None, Reply | None] | None) -> JudgedPair | None:
    """None where the budget ended before both verdicts came."""
    if replies is None:
        return JudgedPair(pair.id, "tie")
    if replies[0] is None or replies[1] is None:
        return None
    read = [_read(reply) for reply in (replies[0], replies[1])]
    verdicts = (read[0][0], read[1][0])
    return JudgedPair(
        pair.id,
        outcome_of(*verdicts),
        verdicts=verdicts,
        reviews=(replies[0].text, replies[1].text),
        errors=(read[0][1], read[1][1]),
    )


def _read(reply: Reply) -> tuple[Verdict | None, str]:
    if reply.finish_reason == "error":
        return None, reply.error or "no reply came"
    if reply.finish_reason == "length":
        return None, CUT  # what would have followed might have been another verdict
    verdict = read_verdict(reply.text)
    return verdict, "" if verdict else "no verdict line"


def _is_failed(reply: Reply) -> bool:
    return reply.finish_reason == "error" and not reply.error.startswith("unusable twice")
