"""The search: rounds of requests that see the state at the round's start; replies commit in preorder."""

from __future__ import annotations

from collections.abc import Generator, Iterator, Sequence
from dataclasses import replace

from kshot.errors import BudgetError
from kshot.methods.explore.grow.commit import Outcome, committed
from kshot.methods.explore.grow.names import NameFilter, NameVectors
from kshot.methods.explore.grow.options import GrowOptions
from kshot.methods.explore.grow.plan import BUDGET, Ask, Plan, planned
from kshot.methods.explore.grow.requests import decoding_of, requests_of
from kshot.methods.explore.seams import (
    Exploration,
    ExplorePrompts,
    ExtendRequest,
    NamesReply,
    Place,
    Progress,
)
from kshot.methods.explore.spending import Limits, Spent
from kshot.models.asking import Question
from kshot.models.base import Embedder, LanguageModel, Reply
from kshot.models.lanes import Lane, checked, run_lanes


def grow(
    found: Exploration,
    model: LanguageModel,
    *,
    prompts: ExplorePrompts,
    embedder: Embedder | None = None,
    options: GrowOptions = GrowOptions(),  # noqa: B008 - frozen
    limits: Limits = Limits(),  # noqa: B008 - frozen
) -> Iterator[Progress]:
    """Grows a tree of tasks in place; one ``Progress`` after each committed round.

    Whoever iterates writes the state down after each of them. Started again on that state, growing goes on
    where it was; on a grown tree it yields nothing. Replies commit in preorder of their tasks and in the
    order of the reply, whatever order they arrive in. Where limits end it, upper levels come first.

    Raises:
        KshotError: The model cannot be asked on; the state is that of the last round then. A
            ``BudgetError`` is none of these: what arrived is kept, and a last ``Progress`` says why it ends.

    Source: Explore-Instruct (arXiv 2310.09168). Order ``depth_first`` is its search; ``rounds`` and adaptive
        breadth are ours.

    Example::

        found = Exploration(DomainTree.planted("rewriting", "Texts are changed, their meaning stays."))
        for progress in grow(found, model, prompts=standard("en"), limits=Limits(calls=300)):
            print(progress.round, len(found.tree), progress.spent.calls)
    """
    vectors = NameVectors(embedder)
    plan, number = planned(found, options, limits), 0
    while plan.asks:
        number += 1
        names = NameFilter(found.tree, overlap=options.overlap, cosine=options.cosine, vectors=vectors)
        requests = requests_of(found, plan.asks, options, vectors=vectors)
        asking = _Asking(found, prompts, options, names)
        stopped = ""
        outcomes: dict[int, Outcome] = {}
        try:
            run_lanes(model, asking.lanes(plan, requests, outcomes))
        except BudgetError as error:
            stopped = str(error)
        arrived = [outcomes[place] for place in sorted(outcomes)]
        refused = committed(found, arrived, options, names)
        plan = Plan(stopped=stopped) if stopped else planned(found, options, limits)
        yield Progress(
            "grow",
            number,
            refused=tuple(refused),
            spent=found.spent,
            failed=sum(one.reply is None for one in arrived),
            stopped=stopped or (BUDGET if plan.stopped == BUDGET else ""),
        )


class _Asking:
    """The lanes of one round."""

    def __init__(
        self, found: Exploration, prompts: ExplorePrompts, options: GrowOptions, names: NameFilter
    ) -> None:
        self._found = found
        self._prompts = prompts
        self._options = options
        self._names = names

    def lanes(
        self, plan: Plan, requests: Sequence[ExtendRequest], outcomes: dict[int, Outcome]
    ) -> Iterator[Lane[None]]:
        """One a request; each writes its outcome down by its place, so that a stop loses no reply."""
        for place, (ask, request) in enumerate(zip(plan.asks, requests, strict=True)):
            yield self._lane(place, ask, request, outcomes)

    def _lane(self, place: int, ask: Ask, request: ExtendRequest, outcomes: dict[int, Outcome]) -> Lane[None]:
        kept = 1 if ask.is_checked else 0  # a call for the check of relevance
        reply, spent = yield from _within(self._prompts.extend(request), ask.calls - kept)
        if reply.finish_reason == "error":
            outcomes[place] = Outcome(ask, request, None, spent=spent)
            return
        names = self._prompts.read_names(reply.text)
        relevant: tuple[bool, ...] = ()
        if ask.is_checked:
            relevant, more = yield from self._relevant(request, names, ask, ask.calls - spent.calls)
            spent = spent.plus(more)
        outcomes[place] = Outcome(ask, request, names, relevant, spent)

    def _relevant(
        self, request: ExtendRequest, names: NamesReply, ask: Ask, calls: int
    ) -> Generator[Question, Reply, tuple[tuple[bool, ...], Spent]]:
        """Verdicts on all names of a reply; asked about are those that were new at the round's start."""
        self._names.prepare([named.name for named in names.named])
        fresh = [
            place
            for place, named in enumerate(names.named)
            if self._names.refusal(ask.node, named.name) is None
        ]
        if not fresh:
            return (), Spent()
        place = Place.of(self._found.tree, ask.node)
        question = self._prompts.relevance(place, tuple(names.named[at] for at in fresh))
        seed = decoding_of(f"relevance:{request.id}", seed=self._options.seed, sample=0).seed
        question = replace(question, decoding=replace(question.decoding, seed=seed))
        reply, spent = yield from _within(question, calls)
        verdicts = [True] * len(names.named)
        if reply.finish_reason != "error":
            for at, verdict in zip(fresh, self._prompts.read_relevance(reply.text, len(fresh)), strict=True):
                verdicts[at] = verdict
        return tuple(verdicts), spent


def _within(question: Question, calls: int) -> Generator[Question, Reply, tuple[Reply, Spent]]:
    """A checked reply where a second call is allowed; else the first as it is."""
    asked = question if calls > 1 else replace(question, check=None)
    reply, used = yield from checked(asked)
    return reply, Spent(used, reply.prompt_tokens, reply.completion_tokens)
