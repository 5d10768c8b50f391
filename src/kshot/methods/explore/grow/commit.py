"""What a round's replies change: new tasks, refused names, counts, and tasks that are closed."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from kshot.methods.explore.grow.names import NameFilter, Verdict
from kshot.methods.explore.grow.options import GrowOptions
from kshot.methods.explore.grow.plan import BREADTH, CAP, Ask
from kshot.methods.explore.grow.probing import as_probed
from kshot.methods.explore.records import Refusal, TaskNode
from kshot.methods.explore.seams import NOTHING, Exploration, ExtendRequest, Named, NamesReply
from kshot.methods.explore.spending import Spent

COMPLETE = "complete, and confirmed"
LITTLE = "few new names in two calls running"
NO_NEW = "no new name in two calls running"
NO_REPLY = "no usable reply"
SURPLUS = "surplus"
NOT_RELEVANT = "not relevant"
PATIENCE = 2  # calls in a row that yield too little


@dataclass(frozen=True, slots=True)
class Outcome:
    """What one request of a round came to.

    Attributes:
        ask: The request as it was planned.
        request: As it was made.
        reply: What it says; None where there was no usable reply.
        relevant: Verdicts on its names; empty where none were asked for.
        spent: By it, repairs and the check of relevance included.
    """

    ask: Ask
    request: ExtendRequest
    reply: NamesReply | None
    relevant: tuple[bool, ...] = ()
    spent: Spent = NOTHING


def committed(
    found: Exploration, outcomes: Sequence[Outcome], options: GrowOptions, names: NameFilter
) -> list[Refusal]:
    """Changes tree and counts by a round's outcomes, in their order; what was refused."""
    names.prepare([named.name for one in outcomes if one.reply for named in one.reply.named])
    refused = []
    for outcome in outcomes:
        refused += _taken(found, outcome, options, names)
        found.spent = found.spent.plus(outcome.spent)
    found.refused += refused
    return refused


def _taken(found: Exploration, outcome: Outcome, options: GrowOptions, names: NameFilter) -> list[Refusal]:
    ask, reply = outcome.ask, outcome.reply or NamesReply()
    refused: list[Refusal] = []
    room = ask.room
    for place, named in enumerate(reply.named):
        verdict = names.refusal(ask.node, named.name)
        if verdict is None and not all(outcome.relevant[place : place + 1]):
            verdict = Verdict(NOT_RELEVANT)
        if verdict is None and not room:
            verdict = Verdict(SURPLUS)
        if verdict is None:
            names.add(_child(found, outcome, named))
            room -= 1
            continue
        refused.append(
            Refusal(
                "name",
                ask.node,
                verdict.rule,
                named.name,
                reason=named.reason,
                score=verdict.score,
                near=verdict.near,
                request=outcome.request.id,
            )
        )
    _count(found, outcome, ask.room - room, refused, options)
    return refused


def _child(found: Exploration, outcome: Outcome, named: Named) -> TaskNode:
    return found.tree.add(
        outcome.ask.node,
        " ".join(named.name.split()),
        reason=named.reason,
        origin="look_ahead" if outcome.request.action in ("look_ahead", "from_shots") else "back_track",
        examples=named.examples,
        requests=(outcome.request.id,),
    )


def _count(
    found: Exploration, outcome: Outcome, accepted: int, refused: Sequence[Refusal], options: GrowOptions
) -> None:
    ask, node = outcome.ask, found.tree[outcome.ask.node]
    counts = node.names.plus(
        calls=outcome.spent.calls,
        asked=ask.wanted,
        delivered=len(outcome.reply.named) if outcome.reply else 0,
        kept=accepted,
        refused=[one.rule for one in refused],
    )
    if ask.kind == "probe":
        found.tree.put(as_probed(replace(node, names=counts)))
        return
    is_low = accepted < (options.least_yield * ask.wanted if options.is_adaptive else 1)
    is_confirmed = options.is_adaptive and is_low and node.is_complete and outcome.reply is not None
    node = replace(
        node,
        names=counts,
        low_yields=node.low_yields + 1 if is_low else 0,
        is_complete=node.is_complete if outcome.reply is None else outcome.reply.is_complete,
    )
    found.tree.put(replace(node, closed=_closed(node, options, outcome, is_confirmed)))


def _closed(node: TaskNode, options: GrowOptions, outcome: Outcome, is_confirmed: bool) -> str:
    if len(node.children) >= options.target(node.depth):
        return CAP if options.is_adaptive else BREADTH
    if is_confirmed:
        return COMPLETE
    if node.low_yields >= PATIENCE:
        if outcome.reply is None:
            return NO_REPLY
        return LITTLE if options.is_adaptive else NO_NEW
    return ""
