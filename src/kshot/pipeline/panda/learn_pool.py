"""From rows and an expert to a pool of insights on the disk, resumable at any point."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from kshot.data.example import Example
from kshot.data.taskfile.settings import EndpointSection
from kshot.errors import InputError, ModelError
from kshot.methods.panda.filters import GoldRule, filter_preferences
from kshot.methods.panda.learn import (
    MOST_TOKENS,
    Lesson,
    NotLearned,
    learn,
    learning_template,
    planned_insight,
)
from kshot.methods.panda.pairs import reversed_preference
from kshot.methods.panda.pool import InsightPool, PoolHeader, PoolWriter, encoder_facts
from kshot.methods.panda.prompts import Style, open_prompts
from kshot.methods.panda.records import Heuristic, Insight, Preference
from kshot.methods.panda.seams import Ask, Prompts, Render
from kshot.models.base import LanguageModel
from kshot.models.endpoint import StepUsage
from kshot.pipeline.panda.expert import Expert
from kshot.pipeline.panda.llm import llm_usage
from kshot.pipeline.workbench import Workbench
from kshot.runs import Listener

LEARNED_EVERY = 20


@dataclass(frozen=True, slots=True, kw_only=True)
class Learning:
    """How preferences are filtered and explained.

    Attributes:
        render: ``preference`` learns without a call of the LLM.
        corrupted: Explain the reversed pair: a control.
    """

    heuristic: Heuristic = "top2"
    ask: Ask = "reason"
    render: Render = "both"
    gold: GoldRule = "flag"
    min_probability: float = 0.0
    min_margin: float = 0.0
    corrupted: bool = False


@dataclass(frozen=True, slots=True)
class LearnedPool:
    """A pool, and what did not get into it.

    Attributes:
        usage: Requests, tokens and money by step, where an endpoint was asked.
        dropped: Rows that the filters took out, and rows that could not be learned from, with reasons.
        new: Insights learned by this call; the others were there.
    """

    pool: InsightPool
    dropped: tuple[tuple[str, str], ...]
    new: int
    usage: tuple[StepUsage, ...] = ()

    @property
    def reasons(self) -> dict[str, int]:
        """How many rows were left out, by reason."""
        return dict(Counter(reason for _, reason in self.dropped).most_common())


def prompts_of(bench: Workbench) -> Prompts:
    """The wording of a task: as its file says, by default bare on the miniature and standard elsewhere."""
    return open_prompts(bench.template, style=style_of(bench))


def style_of(bench: Workbench) -> Style:
    """``standard`` or ``bare``."""
    asked = bench.settings.panda.prompts
    if asked == "auto":
        return "bare" if bench.settings.miniature else "standard"
    return asked


def learn_pool(
    bench: Workbench,
    rows: Sequence[Example],
    expert: Expert,
    *,
    out: Path,
    learning: Learning,
    listener: Listener,
) -> LearnedPool:
    """Asks the expert, then the LLM, and appends each insight as its reply comes.

    What the folder holds already is not asked for again, whatever stopped the earlier call.

    Raises:
        DataError: The folder holds a pool of something else.
        BudgetError: A limit was reached; what was learned is kept.
        InputError: No row is left to learn from.
        ModelError: Rows were left, and none gave an insight: an empty pool answers like none.
    """
    model, prompts = bench.llm, prompts_of(bench)
    preferences = expert.prefer(rows)
    lessons, dropped = lessons_of(rows, preferences, learning)
    if not lessons:
        raise InputError(f"no row is left to learn from: {_told(dropped)}")
    header = header_of(bench, expert, learning)
    new = 0
    with PoolWriter.open(out, header) as writer:
        for note in writer.notes:
            listener("note", text=note)
        open_lessons = [
            lesson for lesson in lessons
            if planned(lesson, learning, prompts, model).id not in writer.held
        ]  # fmt: skip
        settled = len(lessons) - len(open_lessons)
        for found in learn(
            model, open_lessons,
            prompts=prompts, heuristic=learning.heuristic, ask=learning.ask, render=learning.render,
        ):  # fmt: skip
            settled += 1
            if isinstance(found, NotLearned):
                dropped.append((rows[found.position].prompt, found.reason))
            else:
                writer.append(found)
                new += 1
            if settled % LEARNED_EVERY == 0 or settled == len(lessons):
                listener("learning", done=settled, of=len(lessons), failed=len(dropped))
        writer.close({"left_out": len(dropped)})
    return LearnedPool(_not_empty(out, dropped), tuple(dropped), new, llm_usage(bench))


def _not_empty(out: Path, dropped: Sequence[tuple[str, str]]) -> InsightPool:
    pool = InsightPool.load(out)
    if not len(pool):
        raise ModelError(f"{out}: no row gave an insight: {_told(dropped)}")
    return pool


def lessons_of(
    rows: Sequence[Example], preferences: Sequence[Preference], learning: Learning
) -> tuple[list[Lesson], list[tuple[str, str]]]:
    """What is left to explain after the filters, in the rows' order; and what fell, with reasons."""
    verdict = filter_preferences(
        preferences,
        min_probability=learning.min_probability,
        min_margin=learning.min_margin,
        gold=learning.gold,
    )
    dropped = [(rows[place].prompt, reason) for place, reason in verdict.dropped]
    kept = []
    for place in verdict.kept:
        preference = verdict.preferences[place]
        if learning.corrupted and len(preference.candidates) < 2:
            dropped.append((rows[place].prompt, "has no rival, so there is nothing to reverse"))
            continue
        if learning.corrupted:
            preference = reversed_preference(preference, learning.heuristic)
        kept.append(Lesson(rows[place], preference, place))
    return kept, dropped


def planned(lesson: Lesson, learning: Learning, prompts: Prompts, model: LanguageModel) -> Insight:
    """The insight that a lesson will become, without its text: its id tells whether a pool holds it."""
    return planned_insight(
        lesson,
        prompts=prompts,
        heuristic=learning.heuristic,
        ask=learning.ask,
        model_id=model.id,
        render=learning.render,
    )


def header_of(bench: Workbench, expert: Expert, learning: Learning) -> PoolHeader:
    """Everything that a pool says of itself, and that ``kshot panda ask`` needs again."""
    named = bench.settings.knowledge.llm
    template = bench.template
    return PoolHeader(
        task=bench.settings.name,
        kind=template.kind,
        instruction=template.instruction,
        labels=tuple(template.labels),
        encoder=encoder_facts(bench.embedder),
        embedder=bench.embedder_path,
        template=learning_template(prompts_of(bench), learning.ask),
        prompts=style_of(bench),
        expert=expert.facts,
        model=bench.llm.id,
        endpoint=endpoint_facts(named) if named is not None else {"model": bench.base_path},
        decoding={"temperature": 0, "max_tokens": MOST_TOKENS},
    )


def endpoint_facts(named: EndpointSection) -> dict[str, Any]:
    """Where an endpoint is, and the name of its key's variable; never the key."""
    return {"base_url": named.base_url, "model": named.model, "api_key_env": named.api_key_env}


def _told(dropped: Sequence[tuple[str, str]]) -> str:
    counts = Counter(reason for _, reason in dropped)
    return "; ".join(f"{reason} ({count})" for reason, count in counts.most_common(3)) or "there were no rows"
