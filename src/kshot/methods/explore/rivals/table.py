"""The methods that are compared, as rows of a table: same model, same rules, same filters, same budget."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from types import MappingProxyType
from typing import Final, Protocol, TypeAlias

from kshot.methods.explore.fill import FillOptions, fill
from kshot.methods.explore.grow import GrowOptions, grow
from kshot.methods.explore.records import Item
from kshot.methods.explore.rivals.at_root import depth_zero, self_instruct
from kshot.methods.explore.seams import Exploration, ExplorePrompts, Progress
from kshot.methods.explore.spending import Limits
from kshot.models.base import Embedder, LanguageModel

PAPER_BREADTH: Final = (8, 6)


@dataclass(frozen=True, slots=True)
class Plan:
    """What all rivals are given.

    Attributes:
        grow: Of those that grow a tree; each changes what makes it what it is.
        fill: Of all; a rival without a tree wants ``count`` rows at the root.
        seeds: Rows that Self-Instruct begins with.
    """

    grow: GrowOptions = field(default_factory=GrowOptions)
    fill: FillOptions = field(default_factory=FillOptions)
    seeds: tuple[Item, ...] = ()


class Run(Protocol):
    """Changes ``found`` in place, and tells of each committed round; goes on where it was."""

    def __call__(
        self,
        found: Exploration,
        model: LanguageModel,
        *,
        prompts: ExplorePrompts,
        embedder: Embedder | None,
        plan: Plan,
        limits: Limits,
    ) -> Iterator[Progress]:
        """Runs it whole."""
        ...


Grown: TypeAlias = Callable[[GrowOptions], GrowOptions]


@dataclass(frozen=True, slots=True)
class Rival:
    """One method.

    Attributes:
        name: In tables of figures and on the command line.
        title: In words.
        source: Where it comes from.
        grown: The options with which it grows its tree, from those of the plan.
        run: All of it.
    """

    name: str
    title: str
    source: str
    grown: Grown
    run: Run


def _fixed(options: GrowOptions) -> GrowOptions:
    depth = min(options.depth, len(PAPER_BREADTH))
    return replace(options, depth=depth, breadth=PAPER_BREADTH[:depth]) if options.is_adaptive else options


def _flat(options: GrowOptions) -> GrowOptions:
    breadth = options.breadth if isinstance(options.breadth, str) else options.breadth[:1]
    return replace(options, depth=1, breadth=breadth)


def _rootless(options: GrowOptions) -> GrowOptions:
    return replace(options, depth=0)


def _tree(grown: Grown) -> Run:
    """Growing, then filling."""

    def run(
        found: Exploration,
        model: LanguageModel,
        *,
        prompts: ExplorePrompts,
        embedder: Embedder | None,
        plan: Plan,
        limits: Limits,
    ) -> Iterator[Progress]:
        options = grown(plan.grow)
        yield from grow(found, model, prompts=prompts, embedder=embedder, options=options, limits=limits)
        yield from fill(found, model, prompts=prompts, options=plan.fill, limits=limits)

    return run


def _depth_zero(
    found: Exploration,
    model: LanguageModel,
    *,
    prompts: ExplorePrompts,
    embedder: Embedder | None,
    plan: Plan,
    limits: Limits,
) -> Iterator[Progress]:
    yield from depth_zero(found, model, prompts=prompts, options=plan.fill, limits=limits)


def _self_instruct(
    found: Exploration,
    model: LanguageModel,
    *,
    prompts: ExplorePrompts,
    embedder: Embedder | None,
    plan: Plan,
    limits: Limits,
) -> Iterator[Progress]:
    yield from self_instruct(
        found, model, prompts=prompts, options=plan.fill, limits=limits, seeds=plan.seeds
    )


def _as_given(options: GrowOptions) -> GrowOptions:
    return options


_PAPER: Final = "arXiv 2310.09168"
RIVALS: Final[Mapping[str, Rival]] = MappingProxyType(
    {
        rival.name: rival
        for rival in (
            Rival("adaptive", "a tree as wide as the domain", "kshot", _as_given, _tree(_as_given)),
            Rival("fixed", "a tree of 8 tasks with 6 subtasks each", _PAPER, _fixed, _tree(_fixed)),
            Rival("flat", "a flat list of topics", "kshot", _flat, _tree(_flat)),
            Rival("depth_zero", "the domain alone, no tree (K = 0)", _PAPER, _rootless, _depth_zero),
            Rival("self_instruct", "Self-Instruct", "arXiv 2212.10560", _rootless, _self_instruct),
        )
    }
)
