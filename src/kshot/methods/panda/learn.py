"""Learning: an LLM is asked once for each row why the expert prefers what it prefers."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import TypeAlias

from kshot.data.example import Example, normalised
from kshot.errors import DataError
from kshot.methods.panda.explanation import unusable, whole_sentences, without_opening
from kshot.methods.panda.pairs import Pair, pair_of
from kshot.methods.panda.pool.header import now
from kshot.methods.panda.records import OBSERVATION, Heuristic, Insight, Preference, Spent
from kshot.methods.panda.seams import Ask, Prompts, Render
from kshot.models.asking import Check, Decoding, Question, asked
from kshot.models.base import LanguageModel, Reply

STEP = "learn"
MOST_TOKENS = 150
CUT, FELL_BACK, OPENING_REPEATED = "cut", "fell_back", "opening_repeated"


@dataclass(frozen=True, slots=True)
class Lesson:
    """One row to learn from.

    Attributes:
        row: As inference would show it.
        preference: The expert's.
        position: Learning order: the record's ``row``.
        key: What a query's key is compared with; the row's prompt where it is empty.
    """

    row: Example
    preference: Preference
    position: int
    key: str = ""


@dataclass(frozen=True, slots=True)
class NotLearned:
    """A row without an insight, and why."""

    position: int
    reason: str


Outcome: TypeAlias = Insight | NotLearned


def planned_insight(
    lesson: Lesson,
    *,
    prompts: Prompts,
    heuristic: Heuristic = "top2",
    ask: Ask = "reason",
    model_id: str = "",
    render: Render = "both",
) -> Insight:
    """The record that a lesson will become, without its text; its id tells whether a pool holds it already.

    The heuristic is the one that is used: with too few answers it falls back (flag ``fell_back``). For
    ``preference`` nobody explains: the record names no model and no learning prompt.

    Raises:
        InputError, DataError: As ``pair_of``.

    Example::

        left = [one for one in lessons if planned_insight(one, prompts=prompts).id not in writer.held]
    """
    pair = pair_of(lesson.preference, heuristic)
    explained = render != "preference"
    flags = lesson.preference.flags
    return Insight(
        row=lesson.position,
        key=lesson.key or lesson.row.prompt,
        insight="",
        preference=lesson.preference,
        heuristic=pair.heuristic,
        template=learning_template(prompts, ask) if explained else "",
        model=model_id if explained else "",
        flags=(*flags, FELL_BACK) if pair.fell_back and FELL_BACK not in flags else flags,
        source=lesson.preference.source or lesson.row.source or "",
    )


def learning_template(prompts: Prompts, ask: Ask = "reason") -> str:
    """The id of a learning prompt: that of the prompts, and what is asked for.

    Example::

        header = PoolHeader(template=learning_template(prompts, "strategy"), ...)
    """
    return f"{prompts.id}/{ask}"


def question_of(
    lesson: Lesson, *, prompts: Prompts, heuristic: Heuristic = "top2", ask: Ask = "reason"
) -> Question:
    """What ``learn`` asks about one lesson: for an estimate before the first request.

    Raises:
        InputError, DataError: As ``pair_of``.

    Example::

        estimate(endpoint, [question_of(lesson, prompts=prompts) for lesson in lessons])
    """
    pair = pair_of(lesson.preference, heuristic)
    conversation, opening = prompts.explain(lesson.row, pair.preferred, pair.rivals, ask=ask)
    return Question(conversation, learning_decoding(lesson), STEP, check=_check(pair, opening))


def learning_decoding(lesson: Lesson) -> Decoding:
    r"""Greedy, 150 tokens; an agent's explanation ends at the first line end.

    Source: the release of arXiv 2402.12835.

    >>> from kshot.methods.panda.records import Candidate, ExpertFacts
    >>> ranked = Preference("t", (Candidate("go out"),), ExpertFacts("agent"))
    >>> learning_decoding(Lesson(Example("t", ""), ranked, 0)).stop
    ('\n',)
    """
    is_agent = lesson.preference.expert.kind == "agent" or lesson.key.startswith(OBSERVATION)
    return Decoding(max_new_tokens=MOST_TOKENS, stop=("\n",) if is_agent else ())


def learn(
    model: LanguageModel | None,
    lessons: Sequence[Lesson],
    *,
    prompts: Prompts,
    heuristic: Heuristic = "top2",
    ask: Ask = "reason",
    render: Render = "both",
) -> Iterator[Outcome]:
    """An insight for each lesson, or why there is none, as replies come; each lesson exactly once.

    A reply that is empty or ends by naming only a rival (``unusable``) is asked for once more, then the
    lesson is not learned; nothing is ever filled in. A reply cut by the limit goes back to its last full
    sentence and is flagged ``cut``; without one the lesson is not learned. An opening clause that the reply
    says again is taken off (``opening_repeated``). A lesson whose record another one makes already is not
    asked about.

    Args:
        model: Who explains; None only for ``preference``.
        lessons: What to learn. Never of test rows, nor of rows that repeat one: see ``drop_equal_texts``.
        prompts: The wording.
        heuristic: Which pair is explained.
        ask: What is asked for.
        render: ``preference`` learns without a call: the records hold no explanation.

    Raises:
        DataError: There is no model and somebody has to explain.
        InputError: The heuristic does not exist.

    Source: arXiv 2402.12835, as its release does it, but for the second request and the cut.

    Example::

        for outcome in learn(endpoint, lessons, prompts=prompts):
            if isinstance(outcome, Insight):
                writer.append(outcome)
    """
    model_id = model.id if model is not None else ""
    if model is None and render != "preference":
        raise DataError("no model to explain preferences; give one, or learn with render='preference'")
    plans: list[tuple[Lesson, Insight]] = []
    makers: dict[str, int] = {}
    for lesson in lessons:
        plan = planned_insight(
            lesson, prompts=prompts, heuristic=heuristic, ask=ask, model_id=model_id, render=render
        )
        if plan.id in makers:
            reason = f"repeats lesson {makers[plan.id]}: the same key and preference"
            yield NotLearned(lesson.position, reason)
        elif model is None or render == "preference":
            makers[plan.id] = lesson.position
            yield replace(plan, created=now())
        else:
            makers[plan.id] = lesson.position
            plans.append((lesson, plan))
    if model is not None and plans:
        yield from _explained(model, plans, prompts, ask)


def drop_equal_texts(
    lessons: Sequence[Lesson], texts: Iterable[str]
) -> tuple[list[Lesson], list[NotLearned]]:
    """Lessons whose text is none of these, and the others with the reason: a test row is never learned from.

    Texts are compared normalised: Unicode form, case and blanks do not count.

    >>> from kshot.methods.panda.records import Candidate, ExpertFacts
    >>> ranked = Preference("So good", (Candidate("joy"),), ExpertFacts("gold"))
    >>> drop_equal_texts([Lesson(Example("So good", ""), ranked, 4)], ["so  good"])[1]
    [NotLearned(position=4, reason='its text is that of a row that is held out')]
    """
    held_out = {normalised(text) for text in texts}
    kept: list[Lesson] = []
    left: list[NotLearned] = []
    for lesson in lessons:
        own = {normalised(text) for text in (lesson.row.prompt, lesson.preference.text, lesson.key) if text}
        if own & held_out:
            left.append(NotLearned(lesson.position, "its text is that of a row that is held out"))
        else:
            kept.append(lesson)
    return kept, left


def _explained(
    model: LanguageModel, plans: Sequence[tuple[Lesson, Insight]], prompts: Prompts, ask: Ask
) -> Iterator[Outcome]:
    waiting: dict[int, tuple[Insight, Pair]] = {}

    def questions() -> Iterator[Question]:
        for number, (lesson, plan) in enumerate(plans):
            pair = pair_of(lesson.preference, plan.heuristic)
            conversation, opening = prompts.explain(lesson.row, pair.preferred, pair.rivals, ask=ask)
            waiting[number] = replace(plan, opening=opening), pair
            yield Question(conversation, learning_decoding(lesson), STEP, check=_check(pair, opening))

    for number, reply in asked(model, questions()):
        plan, pair = waiting.pop(number)
        yield _outcome(reply, plan, pair)


def _check(pair: Pair, opening: str) -> Check:
    def check(text: str) -> str:
        return unusable(without_opening(text, opening)[0], pair, limit=MOST_TOKENS)

    return check


def _outcome(reply: Reply, plan: Insight, pair: Pair) -> Outcome:
    if reply.finish_reason == "error":
        return NotLearned(plan.row, reply.error or "no reply came")
    text, repeated = without_opening(reply.text, plan.opening)
    flags = [*plan.flags, *([OPENING_REPEATED] if repeated else [])]
    if reply.finish_reason == "length":
        text = whole_sentences(text)
        flags.append(CUT)
        if not text:
            return NotLearned(plan.row, "cut by the limit before its first sentence ended")
    if wrong := unusable(text, pair):
        return NotLearned(plan.row, f"unusable: {wrong}")
    spent = Spent(reply.prompt_tokens, reply.completion_tokens, reply.calls, reply.usd)
    return replace(
        plan,
        insight=text,
        finish_reason=reply.finish_reason,
        flags=tuple(flags),
        spent=spent,
        created=now(),
    )
