"""Filling in rounds: requests are planned from what is committed, asked side by side, committed together."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Final, TypeAlias, final

from kshot.errors import BudgetError
from kshot.methods.explore.fill.allot import LanePlan, Open, allotted, lane_plans
from kshot.methods.explore.fill.answers import SecondPass
from kshot.methods.explore.fill.commit import REACHED, Arrived, Judged, Sifted, commit, sifted
from kshot.methods.explore.fill.draws import decoding_of
from kshot.methods.explore.fill.lane import Asking, Purse, lane
from kshot.methods.explore.fill.options import FillOptions
from kshot.methods.explore.fill.sieve import Sieve
from kshot.methods.explore.fill.views import View, views_of
from kshot.methods.explore.records import Item, TaskNode, request_id
from kshot.methods.explore.rules import broken, row_rules
from kshot.methods.explore.seams import SAMPLED, Exploration, ExplorePrompts, FillRequest, Place, Progress
from kshot.methods.explore.spending import Limits
from kshot.methods.explore.tree import DomainTree
from kshot.models.asking import Decoding, Question
from kshot.models.base import LanguageModel
from kshot.models.lanes import run_lanes

KIND: Final = "fill"
LIMIT: Final = "the limit on calls, tokens or money is reached"
MUTE: Final = "two rounds without a usable reply"
_MUTE_ROUNDS: Final = 2
_FIRST_PROMPT: Final = 800  # tokens that a prompt is taken to have before any was seen

Examples: TypeAlias = Callable[[TaskNode, Sequence[Item], Sequence[Item], str], tuple[Item, ...]]


@dataclass(frozen=True, slots=True)
class Job:
    """How rows are asked for, whoever asks: filling, or a baseline.

    Attributes:
        prompts: How replies are read, and the second pass asked for.
        options: Of filling.
        limits: The most that may be planned.
        question: Of a request.
        examples: Task, its kept rows, the lane's own rows and the request's id to the examples it shows.
        seeds: Instructions that rows may not repeat although they are nobody's row.
        decoding: What each request's decoding is like.
    """

    prompts: ExplorePrompts
    options: FillOptions
    limits: Limits
    question: Callable[[FillRequest], Question]
    examples: Examples
    seeds: tuple[str, ...] = ()
    decoding: Decoding = SAMPLED


def filled(found: Exploration, model: LanguageModel, job: Job) -> Iterator[Progress]:
    """Rounds until no task wants rows any more, or nothing more may be planned; see ``fill``.

    Raises:
        KshotError: The model cannot be asked on, for another reason than its budget; the exploration is as
            after the last round that was told of.
    """
    _mark_reached(found.tree, job.options)
    work = _Work(found, model, job)
    number = mute = 0
    while tasks := work.open_tasks():
        number += 1
        requests = work.room()
        progress = work.round(tasks, requests) if requests else Progress(KIND, number, stopped=LIMIT)
        is_mute = progress.failed and not progress.rows and not progress.refused
        mute = mute + 1 if is_mute else 0
        stopped = progress.stopped
        if not stopped and work.open_tasks():
            stopped = MUTE if mute >= _MUTE_ROUNDS else "" if work.room() else LIMIT
        yield replace(progress, round=number, spent=found.spent, stopped=stopped)
        if stopped:
            return


@final
class _Work:
    """One call of ``filled``: what is derived from the exploration, kept up to date round by round."""

    def __init__(self, found: Exploration, model: LanguageModel, job: Job) -> None:
        self.found, self.model, self.job = found, model, job
        options = job.options
        self._sieve = Sieve(found.rows, overlap=options.overlap, scope=options.scope, seeds=job.seeds)
        self._views = views_of(found.rows, job.prompts.language)
        self._rules = row_rules(options.rules, job.prompts.language)
        self._named = _ordinals(found)
        self._empty = View(job.prompts.language)

    def open_tasks(self) -> list[Open]:
        """Tasks that want rows, in preorder."""
        options, found = self.job.options, []
        for node in self.found.tree:
            missing = options.wanted(node.id) - node.rows.kept
            is_asked = not (options.leaves_only and node.children) and node.full in ("", REACHED)
            if missing > 0 and is_asked:
                found.append(Open(node, missing, max(node.rows.calls, self._named.get(node.id, 0))))
        return found

    def room(self) -> int:
        """How many requests the next round may make; 0 where the limits leave none."""
        options, spent = self.job.options, self.found.spent
        prompt = spent.prompt_tokens / spent.calls if spent.calls else _FIRST_PROMPT
        most = options.lanes * options.lane_calls
        left = self.job.limits.left(spent, tokens_a_call=prompt + self.job.decoding.max_new_tokens)
        if left is None or not left:
            return most if left is None else 0
        return min(most, max(1, left // (1 + options.batch)) if options.second_pass else left)

    def round(self, tasks: Sequence[Open], requests: int) -> Progress:
        """Plans, asks and commits."""
        options = self.job.options
        arrived, places, stopped = self._asked(tasks, requests)
        while not arrived and not stopped and requests > 1:  # the tokens left were too little for so many
            requests //= 2
            arrived, places, stopped = self._asked(tasks, requests)
        result = sifted(arrived, sieve=self._sieve, missing={task.node.id: task.missing for task in tasks})
        if options.second_pass and result.kept and not stopped:
            result, stopped = self._answered(result, places)
        counts = {task.node.id: options.wanted(task.node.id) for task in tasks}
        commit(
            self.found,
            result,
            sieve=self._sieve,
            counts=counts,
            least_kept=options.least_kept,
            is_whole=not stopped,
        )
        self._remember(result)
        failed = sum(reply.is_failed for reply in arrived)
        stopped = stopped or ("" if arrived else LIMIT)
        return Progress(KIND, 0, rows=result.kept, refused=result.refused, failed=failed, stopped=stopped)

    def _asked(self, tasks: Sequence[Open], requests: int) -> tuple[list[Arrived], Mapping[str, Place], str]:
        """What the lanes got, in canonical order; where their tasks stand; why they ended early, if so."""
        options = self.job.options
        shares = allotted(tasks, requests, batch=options.batch)
        plans = lane_plans(tasks, shares, lane_calls=options.lane_calls)
        places = {plan.task.node.id: Place.of(self.found.tree, plan.task.node.id) for plan in plans}
        arrived: list[list[Arrived]] = [[] for _ in plans]
        asking = Asking(
            lambda plan, ordinal, wanted, own: self._request(plan, ordinal, wanted, own, places=places),
            self.job.question,
            self.job.prompts.read_rows,
            self._judged,
            options.batch,
        )
        purses = self._purses([plan.requests for plan in plans])
        lanes = (lane(*each) for each in zip(plans, [asking] * len(plans), purses, arrived, strict=True))
        stopped = ""
        try:
            run_lanes(self.model, lanes)
        except BudgetError as error:
            stopped = str(error)
        return [reply for replies in arrived for reply in replies], places, stopped

    def _purses(self, requests: Sequence[int]) -> list[Purse]:
        """What each lane may spend: as many repairs as requests where there is enough for all, else none."""
        limits, spent = self.job.limits, self.found.spent
        total = sum(requests)
        calls = 2 if limits.calls is None or limits.calls - spent.calls >= 2 * total else 1
        tokens = None if limits.tokens is None else max(0, limits.tokens - spent.tokens)
        return [Purse(calls * n, None if tokens is None else tokens * n // total) for n in requests]

    def _request(
        self, plan: LanePlan, ordinal: int, wanted: int, own: list[Item], *, places: Mapping[str, Place]
    ) -> FillRequest:
        node, options = plan.task.node, self.job.options
        name = request_id(KIND, node.id, ordinal)
        view = self._views.get(node.id, self._empty)
        texts = [item.instruction for item in own]
        return FillRequest(
            name,
            places[node.id],
            wanted,
            examples=self.job.examples(node, view.examples, own, name),
            verbs=view.verbs(texts),
            nearby=view.nearby(options.nearby, texts),
            decoding=decoding_of(options.seed, name, ordinal, base=self.job.decoding),
        )

    def _judged(self, node: str, item: Item) -> Judged:
        wrong = broken(item, self._rules)
        return Judged(item, wrong, None if wrong else self._sieve.known(node, item))

    def _answered(self, result: Sifted, places: Mapping[str, Place]) -> tuple[Sifted, str]:
        limits, spent = self.job.limits, self.found.spent
        for reply in result.arrived:
            spent = spent.plus(reply.spent)
        second = SecondPass(
            result.kept,
            prompts=self.job.prompts,
            places=places,
            broken=lambda item: broken(item, self._rules),
        )
        second.run(
            self.model,
            calls=2 * len(result.kept) if limits.calls is None else max(0, limits.calls - spent.calls),
            tokens=None if limits.tokens is None else max(0, limits.tokens - spent.tokens),
        )
        return replace(result, kept=tuple(second.rows), answers=second.spent), second.stopped

    def _remember(self, result: Sifted) -> None:
        """Keeps views and ordinals as a new start on this exploration would find them."""
        fresh: dict[str, list[Item]] = {}
        for row in result.kept:
            fresh.setdefault(row.node, []).append(row.item)
        for node, items in fresh.items():
            self._views.setdefault(node, View(self.job.prompts.language)).add(items)
        for reply in result.arrived:
            if reply.rows:
                self._named[reply.node] = max(self._named.get(reply.node, 0), reply.ordinal + 1)


def _mark_reached(tree: DomainTree, options: FillOptions) -> None:
    """Says of tasks that have their count, by rows that the user had, that they do."""
    for node in list(tree):
        if not node.full and 0 < options.wanted(node.id) <= node.rows.kept:
            tree.put(replace(node, full=REACHED))


def _ordinals(found: Exploration) -> dict[str, int]:
    """By task: one more than the highest ordinal of a request that left a row or a refusal."""
    highest: dict[str, int] = {}
    for name in (*(row.request for row in found.rows), *(refusal.request for refusal in found.refused)):
        kind, _, rest = name.partition(":")
        node, _, ordinal = rest.rpartition(":")
        if kind == KIND and ordinal.isdecimal():
            highest[node] = max(highest.get(node, 0), int(ordinal) + 1)
    return highest
