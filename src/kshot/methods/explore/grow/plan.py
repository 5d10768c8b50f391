"""Which tasks are asked for children in the next round, and why no more are asked."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import accumulate
from math import floor
from typing import Literal

from kshot.methods.explore.grow.options import GrowOptions
from kshot.methods.explore.grow.probing import PROBED, is_probed
from kshot.methods.explore.records import TaskNode
from kshot.methods.explore.seams import Exploration
from kshot.methods.explore.spending import Limits, Spent
from kshot.methods.explore.tree import DomainTree

BREADTH = "breadth reached"
CAP = "cap reached"
SHARE = "exploration share spent"
ROOM = "as many tasks as can be filled"
BUDGET = "budget spent"
UNTIL_MORE = (BREADTH, CAP, SHARE, ROOM, BUDGET)  # such a task is open again when a target or limit is raised
FIRST_GUESS = 1000.0  # tokens of a call, before any was made


@dataclass(frozen=True, slots=True)
class Ask:
    """One request of a round.

    Attributes:
        node: Id of the task.
        kind: ``probe`` where the existing children are not shown.
        wanted: Names it asks for.
        room: Most names of its reply that may stay.
        calls: Most calls it may use, repairs and the check of relevance included.
        is_checked: Whether its names are checked for relevance.
    """

    node: str
    kind: Literal["extend", "probe"]
    wanted: int
    room: int
    calls: int
    is_checked: bool = False


@dataclass(frozen=True, slots=True)
class Plan:
    """Requests of a round in canonical order, preorder; none with the reason where limits forbid any."""

    asks: tuple[Ask, ...] = ()
    stopped: str = ""


def planned(found: Exploration, options: GrowOptions, limits: Limits) -> Plan:
    """The next round. Tasks that are closed by limits alone are marked so in the tree.

    Where not all open tasks can be afforded, upper levels come first (a child missing high up costs all that
    is below it), then tasks that were asked less, then preorder. Where the tree may only get few more tasks,
    those of a level that have the fewest children get them. A round plans for each reply being asked for
    once more, so that the limits hold whatever comes; what was not needed is there for the next round.
    """
    places = {node.id: place for place, node in enumerate(found.tree)}
    waiting = list(wanting(found.tree, options))
    if options.order == "depth_first":
        waiting = waiting[:1]
    if not waiting:
        return Plan()
    left, why = calls_left(found, options, limits)
    room = room_left(found, options, limits)
    waiting.sort(key=lambda node: (node.depth, node.names.calls, places[node.id]))
    if room is not None and room < 1:
        why = ROOM
    elif left is None or left >= _calls(waiting[0], options):
        rooms = _rooms(waiting, options, room)
        asks = [_ask(node, options, share) for node, share in zip(waiting, rooms, strict=True)]
        asks = _affordable([ask for ask in asks if ask.room or ask.kind == "probe"], left)
        return Plan(tuple(sorted(asks, key=lambda ask: places[ask.node])))
    _close_all(found.tree, options, why)
    return Plan(stopped=why)


def _ask(node: TaskNode, options: GrowOptions, room: int) -> Ask:
    kind: Literal["extend", "probe"] = "extend" if is_open(node, options) else "probe"
    wanted = room if kind == "extend" else options.batch
    is_checked = options.checks(node.depth)
    return Ask(node.id, kind, wanted, room, 2 * _calls(node, options), is_checked)


def _calls(node: TaskNode, options: GrowOptions) -> int:
    """Calls of a request where nothing has to be asked for once more."""
    return 2 if options.checks(node.depth) else 1


def _affordable(asks: Sequence[Ask], left: int | None) -> list[Ask]:
    """The first ones that the calls left suffice for whatever comes; at least one, with what is left."""
    if left is None:
        return list(asks)
    most = list(accumulate(ask.calls for ask in asks))
    count = bisect_right(most, left)
    return list(asks[:count]) if count else [replace(asks[0], calls=left)]


def _rooms(waiting: Sequence[TaskNode], options: GrowOptions, room: int | None) -> list[int]:
    """How many names each task may add in a round.

    Where there is not room for all, the upper level is finished first, and those that have the fewest
    children come first there.
    """
    wanted = [min(options.batch, max(0, options.target(node.depth) - len(node.children))) for node in waiting]
    if room is None or sum(wanted) <= room:
        return wanted
    given = [0] * len(waiting)
    top = min(node.depth for node in waiting)
    level = [at for at, node in enumerate(waiting) if node.depth == top]
    height = min(len(waiting[at].children) for at in level)
    while room and (low := [at for at in level if given[at] < wanted[at]]):
        for at in low:
            if room and len(waiting[at].children) + given[at] <= height:
                given[at] += 1
                room -= 1
        height += 1
    return given


def wanting(tree: DomainTree, options: GrowOptions) -> Iterator[TaskNode]:
    """Tasks that want a request, children before their parent (so that the first one is whose turn it is in
    a depth-first search: a task is widened when all below it is done).
    """
    order: list[TaskNode] = []
    waiting = [tree.root.id]
    while waiting:
        node = tree[waiting.pop()]
        order.append(node)
        waiting.extend(node.children)
    for node in reversed(order):
        if is_open(node, options) or wants_probe(node, options):
            yield node


def is_open(node: TaskNode, options: GrowOptions) -> bool:
    """Whether a task wants more children, budget aside."""
    if len(node.children) >= options.target(node.depth):
        return False
    return not node.closed or node.closed.removesuffix(PROBED) in UNTIL_MORE


def wants_probe(node: TaskNode, options: GrowOptions) -> bool:
    """Whether a closed task is still to be probed."""
    if not options.probe or node.depth >= options.depth or is_open(node, options):
        return False
    return bool(node.closed and node.names.calls) and not is_probed(node)


def calls_left(found: Exploration, options: GrowOptions, limits: Limits) -> tuple[int | None, str]:
    """Calls that growing may still use, None without a limit; and which limit is the narrower one.

    Tokens and money are planned by the mean of the calls so far, so they may be exceeded by what the last
    replies are longer; the endpoint's own limit is a hard one.
    """
    mean = _tokens_a_call(found.spent)
    whole = limits.left(found.spent, tokens_a_call=mean, like=found.spent)
    if not options.is_adaptive or whole is None:
        return whole, BUDGET
    part = _share(limits, options.share).left(growing_spent(found), tokens_a_call=mean, like=found.spent)
    return (whole, BUDGET) if part is None or whole < part else (part, SHARE)


def room_left(found: Exploration, options: GrowOptions, limits: Limits) -> int | None:
    """Tasks that may still be added, None for any number: the calls beside the share are to fill them all."""
    if not options.is_adaptive or not options.calls_a_task or options.share == 1:
        return None
    mean = _tokens_a_call(found.spent)
    whole = limits.left(Spent(), tokens_a_call=mean, like=found.spent)
    if whole is None:
        return None
    share = _share(Limits(calls=whole), options.share).calls or 0
    return max(0, (whole - share) // options.calls_a_task - len(found.tree))


def growing_spent(found: Exploration) -> Spent:
    """What growing used so far: all, before rows are asked for; then its calls, their part of the tokens."""
    if not any(node.rows.calls for node in found.tree):
        return found.spent
    calls = sum(node.names.calls for node in found.tree)
    part = min(1.0, calls / max(1, found.spent.calls))
    return Spent(calls, int(found.spent.prompt_tokens * part), int(found.spent.completion_tokens * part))


def _share(limits: Limits, share: float) -> Limits:
    """At least one call, where calls are limited and there is any."""
    calls = None if limits.calls is None else min(limits.calls, max(1, floor(limits.calls * share + 1e-9)))
    tokens = None if limits.tokens is None else floor(limits.tokens * share + 1e-9)
    return Limits(calls, tokens, None if limits.usd is None else limits.usd * share, limits.prices)


def _tokens_a_call(spent: Spent) -> float:
    return spent.tokens / spent.calls if spent.calls else FIRST_GUESS


def _close_all(tree: DomainTree, options: GrowOptions, why: str) -> None:
    for node in tree:
        if is_open(node, options):
            tree.put(replace(node, closed=why))
