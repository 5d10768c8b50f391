"""A pool of insights compiled into one short guide.

Source: ours; compared with retrieval at equal tokens (a relative: spec learning, arXiv 2606.24004).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Any, final

from kshot.data.example import Conversation, normalised
from kshot.errors import BudgetError, InputError
from kshot.methods.panda.guide.condense import AGAIN, checker, condense_prompt, rules_in
from kshot.methods.panda.guide.groups import Group, group_insights
from kshot.methods.panda.guide.merge import applied, merge_prompt, operations_in
from kshot.methods.panda.guide.rules import Count, Dropped, Guide, Rule, fitting, ranked
from kshot.methods.panda.pool import approximate_tokens
from kshot.methods.panda.records import Counters, Insight, content_id
from kshot.models.asking import Decoding, Question, asked
from kshot.models.base import Embedder, LanguageModel, Reply

STEP = "distil"


@final
@dataclass(frozen=True, slots=True)
class Effort:
    """How much a distillation may ask, and how tokens are counted.

    Attributes:
        most_groups: Bound on groups: one call each, one more for the second pass, each repaired once at most.
        group_size: Insights that stand in one question.
        most_words: Words of a case's text in a question; longer ones are cut.
        rules_per_group: Rules of one reply, at most.
        max_new_tokens: Of one reply.
        count: Text to tokens, for the budget of the guide.
    """

    most_groups: int = 24
    group_size: int = 12
    most_words: int = 200
    rules_per_group: int = 3
    max_new_tokens: int = 1024
    count: Count = approximate_tokens


DEFAULT = Effort()


def distil(
    model: LanguageModel,
    insights: Sequence[Insight],
    *,
    embedder: Embedder,
    task: str = "",
    token_budget: int = 400,
    effort: Effort = DEFAULT,
) -> Guide:
    """Groups, a few rules of each, one list of all, and of that the best supported within the budget.

    Groups are asked about one by one; a reply that is no valid JSON, or names a case that is not there, is
    asked for once more and then counted as failed. The second pass merges, edits, adds, removes and marks
    conflicts; if it fails, the rules stay as they are. Never raises for what a model says: an empty guide
    says why it is empty. A budget that ends leaves the guide of what was answered until then.

    Args:
        model: Who condenses, greedily.
        insights: In the order of the pool; with or without preferences and explanations.
        embedder: For the groups.
        task: The task's instruction.
        token_budget: Of the whole text.
        effort: Bounds on the calls.

    Raises:
        InputError: A bound is below 1.

    Example::

        guide = distil(endpoint, pool.insights, embedder=embedder, task=template.instruction)
        print(guide.text)
    """
    if token_budget < 1 or effort.rules_per_group < 1:
        raise InputError(
            f"token_budget is {token_budget}, rules_per_group {effort.rules_per_group}; expected 1 or more"
        )
    work = _Work(model, insights, task, effort)
    groups, left = group_insights(
        insights, embedder, most_groups=effort.most_groups, group_size=effort.group_size
    )
    rules = _without_repeats(_condensed(work, groups))
    rules, removed = _tidied(work, rules)
    final_rules = ranked([_counted(rule, insights) for rule in rules])
    text, kept, cut = fitting(final_rules, token_budget=token_budget, count=effort.count)
    dropped = (*_unseen(insights, groups, left), *removed, *cut)
    if not text:
        why = "no rule fits into the budget" if final_rules else "there are no rules"
        work.notes.append(f"the guide is empty: {why if insights else 'the pool is empty'}")
    facts = work.facts() | {"embedder": embedder.id, "groups": len(groups), "token_budget": token_budget}
    return Guide(text, kept, dropped, tuple(work.notes), facts | {"tokens_of_text": effort.count(text)})


@dataclass(slots=True)
class _Work:
    """What a distillation is at, what it has spent, and what it has to say."""

    model: LanguageModel
    insights: Sequence[Insight]
    task: str
    effort: Effort
    notes: list[str] = field(default_factory=list)
    spent: list[Reply] = field(default_factory=list)

    def ask(self, questions: Sequence[Question]) -> Iterator[tuple[int, Reply]]:
        """Replies as they come, until the budget ends."""
        try:
            for position, reply in asked(self.model, questions):
                self.spent.append(reply)
                yield position, reply
        except BudgetError as error:
            self.notes.append(f"stopped by the budget: {error}")

    def facts(self) -> dict[str, Any]:
        """Provenance and costs."""
        return {
            "model": self.model.id,
            "insights": len(self.insights),
            "pool": content_id([insight.id for insight in self.insights]),
            "calls": sum(reply.calls for reply in self.spent),
            "prompt_tokens": sum(reply.prompt_tokens for reply in self.spent),
            "completion_tokens": sum(reply.completion_tokens for reply in self.spent),
            "usd": sum(reply.usd for reply in self.spent),
        }

    def question(self, conversation: Conversation, read: Callable[[str], object]) -> Question:
        """A greedy question whose reply is checked by reading it."""
        decoding = Decoding(max_new_tokens=self.effort.max_new_tokens)
        return Question(conversation, decoding, step=STEP, check=checker(read))


def _condensed(work: _Work, groups: Sequence[Group]) -> list[Rule]:
    """The rules of every group, in the order of the groups."""
    most = work.effort.rules_per_group
    questions = [
        work.question(
            condense_prompt(
                work.insights, group, task=work.task, most_rules=most, most_words=work.effort.most_words
            ),
            partial(rules_in, case_count=len(group.shown), most_rules=most),
        )
        for group in groups
    ]
    found: dict[int, list[Rule]] = {}
    failures: list[str] = []
    for position, reply in work.ask(questions):
        group = groups[position]
        if reply.finish_reason == "error":
            failures.append(reply.error.removesuffix(AGAIN))
            continue
        said = rules_in(reply.text, len(group.shown), most_rules=most)
        pairs = (group.pair,) if group.pair[0] else ()
        ids = [work.insights[place].id for place in group.shown]
        found[position] = [
            Rule(text, tuple(ids[number - 1] for number in numbers), pairs=pairs) for text, numbers in said
        ]
    if failures:
        shown = sorted(failures)[0]
        work.notes.append(
            f"{len(failures)} of {len(groups)} groups gave no usable rules, for example: {shown}"
        )
    if missing := len(groups) - len(found) - len(failures):
        work.notes.append(f"{missing} of {len(groups)} groups were not asked about")
    return [rule for position in sorted(found) for rule in found[position]]


def _without_repeats(rules: Sequence[Rule]) -> list[Rule]:
    """Rules of the same words become one; of a pair and of its reverse, it conflicts with itself."""
    by_text: dict[str, list[Rule]] = {}
    for rule in rules:
        by_text.setdefault(normalised(rule.text), []).append(rule)
    joined = []
    for same in by_text.values():
        support = tuple(dict.fromkeys(each for rule in same for each in rule.support))
        pairs = tuple(dict.fromkeys(pair for rule in same for pair in rule.pairs))
        opposed = any((rival, preferred) in pairs for preferred, rival in pairs if rival)
        conflicts = (same[0].text,) if opposed else ()
        joined.append(replace(same[0], support=support, pairs=pairs, conflicts=conflicts))
    return joined


def _tidied(work: _Work, rules: list[Rule]) -> tuple[list[Rule], list[Dropped]]:
    if len(rules) < 2:
        return rules, []
    question = work.question(
        merge_prompt(rules, task=work.task), partial(operations_in, rule_count=len(rules))
    )
    replies = [reply for _, reply in work.ask([question])]
    if not replies or replies[0].finish_reason == "error":
        why = replies[0].error.removesuffix(AGAIN) if replies else "no reply came"
        work.notes.append(f"the second pass failed and the rules stay as they were written: {why}")
        return rules, []
    order = {insight.id: place for place, insight in enumerate(work.insights)}
    return applied(rules, operations_in(replies[0].text, len(rules)), order=order)


def _counted(rule: Rule, insights: Sequence[Insight]) -> Rule:
    """With the counters of the insights that support it."""
    by_id: Mapping[str, Counters] = {insight.id: insight.counters for insight in insights}
    each = [by_id[support] for support in rule.support]
    sums = Counters(sum(c.shown for c in each), sum(c.helped for c in each), sum(c.hurt for c in each))
    return replace(rule, counters=sums)


def _unseen(insights: Sequence[Insight], groups: Sequence[Group], left: Sequence[int]) -> list[Dropped]:
    """Insights that stood in no question."""
    crowded = [place for group in groups for place in group.members if place not in group.shown]
    reasons = {
        "their group is larger than a question": sorted(crowded),
        "their pair of answers is too rare for the number of groups": list(left),
    }
    return [
        Dropped(f"{len(places)} insights", reason, tuple(insights[place].id for place in places))
        for reason, places in reasons.items()
        if places
    ]
