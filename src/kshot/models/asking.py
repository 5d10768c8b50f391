"""Questions to any language model, answered as replies come: an endpoint, a local model, a script.

``asked`` is what loops over an LLM are written against. An endpoint answers many questions at once and out
of order; a local model answers them in batches. Either way one bad question never ends the others.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterable, Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, field, replace
from typing import Any, Protocol, TypeAlias, runtime_checkable

from kshot.data.example import Conversation, Message
from kshot.errors import InputError, ModelError
from kshot.models.base import LanguageModel, Reply

Check: TypeAlias = Callable[[str], str]
BATCH = 64


class _End:
    """What ``next`` gives where there are no more questions."""


END = _End()


@dataclass(frozen=True, slots=True)
class Decoding:
    """How a reply is drawn. The same question with another ``sample`` is another draw of it.

    Attributes:
        max_new_tokens: The reply's limit.
        temperature: 0 is greedy.
        stop: Strings before which the reply ends.
        seed: Of the draw, where the model honours one.
        sample: Index of the draw among several of the same question.
        logprobs: How many likeliest first tokens are asked for, with their log-probabilities; 0: none.
    """

    max_new_tokens: int = 64
    temperature: float = 0.0
    stop: tuple[str, ...] = ()
    seed: int = 0
    sample: int = 0
    logprobs: int = 0


@dataclass(frozen=True, slots=True)
class Question:
    """One conversation to reply to.

    Attributes:
        conversation: The last turn is the user's.
        decoding: How the reply is drawn.
        step: What it is for, in the counts of usage: ``learn``, ``answer``, ``judge`` ...
        response_format: The endpoint's, where replies are to be JSON; local models ignore it.
        check: Reply text to what is wrong with it, in words for the model; empty where it is usable. A reply
            that is wrong is asked for once more with these words, and then fails.
    """

    conversation: Conversation
    decoding: Decoding = Decoding()
    step: str = "ask"
    response_format: Mapping[str, Any] | None = None
    check: Check | None = field(default=None, compare=False)


@runtime_checkable
class Asker(Protocol):
    """A model that answers many questions at once, each reply as soon as it is there."""

    def ask(self, questions: Iterable[Question | None]) -> Iterator[tuple[int, Reply]]:
        """Each question's position and its reply, in the order of the replies, each exactly once.

        None among the questions says that the next one is not known before another reply has been given
        (see ``models/lanes``); it has no position.

        A question that cannot be answered gives a reply with ``finish_reason`` ``error`` and its reason.
        ``check`` is not this method's business (see ``asked``).
        """
        ...


def asked(model: LanguageModel, questions: Iterable[Question]) -> Iterator[tuple[int, Reply]]:
    """Replies as they come, checked: one that fails its check is asked for once more, then fails.

    The second request holds the first reply and the check's words. The result's counts are those of both.

    Yields:
        Position of the question and its reply, each exactly once, in the order in which they are settled.

    Example::

        for position, reply in asked(endpoint, questions):
            if reply.finish_reason != "error":
                keep(position, reply.text)
    """
    kept: dict[int, Question] = {}
    again: list[tuple[int, Reply, str]] = []
    with closing(
        replies_as_they_come(model, _remembered(questions, kept))
    ) as found:  # left early: nothing is sent on
        for position, reply in found:
            question = kept.pop(position)
            wrong = wrong_with(question, reply)
            if wrong:
                again.append((position, reply, wrong))
                kept[position] = question
            else:
                yield position, reply
    repairs = [repair(kept[position], reply, wrong) for position, reply, wrong in again]
    with closing(replies_as_they_come(model, repairs)) as found:
        for place, second in found:
            position, first, _ = again[place]
            yield position, joined(first, second, wrong_with(kept[position], second))


def replies(model: LanguageModel, questions: Sequence[Question]) -> list[Reply]:
    """Checked replies in the order of the questions; see ``asked``."""
    found: list[Reply | None] = [None] * len(questions)
    for position, reply in asked(model, questions):
        found[position] = reply
    return [Reply("", finish_reason="error", error="no reply came") if r is None else r for r in found]


def _remembered(questions: Iterable[Question], kept: dict[int, Question]) -> Iterator[Question]:
    for position, question in enumerate(questions):
        kept[position] = question
        yield question


def wrong_with(question: Question, reply: Reply) -> str:
    """What a question's check says of a reply; empty without a check, and for a reply that failed."""
    if question.check is None or reply.finish_reason == "error":
        return ""
    return question.check(reply.text)


def repair(question: Question, reply: Reply, wrong: str) -> Question:
    """The question once more, with the reply and what is wrong with it."""
    turns = (Message("assistant", reply.text or "(empty)"), Message("user", wrong))
    return replace(question, conversation=(*question.conversation, *turns))


def joined(first: Reply, second: Reply, wrong: str) -> Reply:
    """The second reply with the costs of both; failed where it is wrong too."""
    both = replace(
        second,
        prompt_tokens=first.prompt_tokens + second.prompt_tokens,
        completion_tokens=first.completion_tokens + second.completion_tokens,
        calls=first.calls + second.calls,
        usd=first.usd + second.usd,
        cached=first.cached and second.cached,
    )
    if wrong and second.finish_reason != "error":
        return replace(both, text="", finish_reason="error", error=f"unusable twice: {wrong}")
    return both


def replies_as_they_come(
    model: LanguageModel, questions: Iterable[Question | None]
) -> Generator[tuple[int, Reply], None, None]:
    """Replies unchecked, with their positions: from an ``Asker`` as they come; else batch by batch."""
    if isinstance(model, Asker):
        yield from model.ask(questions)
        return
    for batch in batches(questions):
        yield from batched(model, batch)


def batches(questions: Iterable[Question | None]) -> Iterator[list[tuple[int, Question]]]:
    """Positions and questions, up to ``BATCH`` at once, fewer where the next question is not known yet.

    Raises:
        ModelError: It is not known although all replies have been given.
    """
    stream = iter(questions)
    position, is_more = 0, True
    while is_more:
        batch: list[tuple[int, Question]] = []
        while len(batch) < BATCH:
            question = next(stream, END)
            if question is None or isinstance(question, _End):
                is_more = question is None
                break
            batch.append((position, question))
            position += 1
        if not batch and is_more:
            raise ModelError("the next question waits for a reply, but none is under way")
        if batch:
            yield batch


def batched(model: LanguageModel, batch: Sequence[tuple[int, Question]]) -> Iterator[tuple[int, Reply]]:
    """One batch put to a model that takes lists: equal decodings together.

    Where the model refuses a list (one prompt too long for it, say), each of its questions is put alone, and
    those that are refused alone give a reply with the reason.

    Raises:
        InputError: Several questions, and each refused: it is the model that cannot be used.
    """
    for decoding in dict.fromkeys(question.decoding for _, question in batch):
        members = [(position, q) for position, q in batch if q.decoding == decoding]
        try:
            found = _generated(model, [question for _, question in members])
        except InputError as error:
            found = _alone(model, [question for _, question in members], error)
        yield from zip((position for position, _ in members), found, strict=True)


def _generated(model: LanguageModel, questions: Sequence[Question]) -> list[Reply]:
    """Replies to questions of one decoding."""
    decoding = questions[0].decoding
    return model.generate(
        [question.conversation for question in questions],
        max_new_tokens=decoding.max_new_tokens,
        temperature=decoding.temperature,
        seed=decoding.seed + decoding.sample,
        stop=decoding.stop,
    )


def _alone(model: LanguageModel, questions: Sequence[Question], error: InputError) -> list[Reply]:
    if len(questions) == 1:
        return [Reply("", finish_reason="error", error=str(error))]
    found = []
    for question in questions:
        try:
            found += _generated(model, [question])
        except InputError as refusal:
            found.append(Reply("", finish_reason="error", error=str(refusal)))
    if all(reply.finish_reason == "error" for reply in found):
        raise error
    return found
