"""The ways of exploring that are compared: each as ``kshot explore run --method`` does it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from kshot.methods.explore.fill import FillOptions, fill
from kshot.methods.explore.grow import GrowOptions, grow
from kshot.methods.explore.prompts import standard
from kshot.methods.explore.records import Item
from kshot.methods.explore.rivals import RIVALS, Plan
from kshot.methods.explore.seams import Exploration
from kshot.methods.explore.spending import Limits
from kshot.models.base import LanguageModel
from kshot.models.embed import HashingEncoder

EMBEDDER = HashingEncoder()  # the default of `kshot explore`
PASSES = 12  # as `kshot explore run --rows`: tasks that still give take over what others could not
A_CALL = 10  # rows


@dataclass(frozen=True, slots=True)
class Way:
    """A method: the name of its rival where it grows no tree, else how the tree is grown."""

    rival: str = ""
    grow: GrowOptions = field(default_factory=GrowOptions)


WAYS: Mapping[str, Way] = {
    "adaptive": Way(),
    "adaptive, depth 3": Way(grow=GrowOptions(depth=3)),
    "adaptive, relevance": Way(grow=GrowOptions(relevance=True)),
    "fixed 8/6": Way(grow=GrowOptions(breadth=(8, 6))),
    "fixed 16/10": Way(grow=GrowOptions(breadth=(16, 10))),
    "fixed 16/10, two a call": Way(grow=GrowOptions(breadth=(16, 10), batch=2)),
    "fixed 16/12": Way(grow=GrowOptions(breadth=(16, 12))),
    "fixed 4/3": Way(grow=GrowOptions(breadth=(4, 3))),
    "flat topics": Way(grow=GrowOptions(depth=1)),
    "self-instruct": Way(rival="self_instruct"),
    "depth zero": Way(rival="depth_zero"),
}


def explored(
    way: Way, found: Exploration, model: LanguageModel, *, seeds: tuple[Item, ...], limits: Limits, seed: int
) -> int:
    """Explores in place until the limits are used up; gives the calls that growing took."""
    prompts = standard("en")
    options = FillOptions(seed=seed)
    wanted = A_CALL * (limits.calls or 100_000)
    if way.rival:
        plan = Plan(grow=replace(way.grow, seed=seed), fill=replace(options, count=wanted), seeds=seeds)
        rival = RIVALS[way.rival]
        for _ in rival.run(found, model, prompts=prompts, embedder=EMBEDDER, plan=plan, limits=limits):
            pass
        return 0
    for _ in grow(
        found, model, prompts=prompts, embedder=EMBEDDER, options=replace(way.grow, seed=seed), limits=limits
    ):
        pass
    growing = found.spent
    mean = growing.tokens / max(1, growing.calls)
    left = limits.left(growing, tokens_a_call=mean) or 0
    for _ in range(PASSES):
        before = len(found.rows)
        count = _count(found, before + A_CALL * left)
        for _ in fill(found, model, prompts=prompts, options=replace(options, count=count), limits=limits):
            pass
        left = limits.left(found.spent, tokens_a_call=found.spent.tokens / max(1, found.spent.calls)) or 0
        if not left or len(found.rows) == before:
            break
    return growing.calls


def _count(found: Exploration, rows: int) -> int:
    """Rows a task, so that so many come: what is missing is shared by the tasks that still give."""
    giving = [node for node in found.tree if not node.full or "count" in node.full]
    if not giving:
        return 1
    others = sum(node.rows.kept for node in found.tree) - sum(node.rows.kept for node in giving)
    return max(1, -(-(rows - others) // len(giving)))
