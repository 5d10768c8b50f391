"""Baselines without a tree: every row is asked for at the root, with the same rules and the same filter."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from functools import partial
from typing import Final

from kshot.errors import InputError
from kshot.methods.explore.fill import FillOptions, Job, drawn_examples, drawn_number, filled, picked
from kshot.methods.explore.records import Item, TaskNode
from kshot.methods.explore.rivals.wording import self_instruct_question
from kshot.methods.explore.seams import SAMPLED, Exploration, ExplorePrompts, Progress
from kshot.methods.explore.spending import Limits
from kshot.models.base import LanguageModel

DEMONSTRATIONS: Final = 8
GENERATED: Final = 2  # of the demonstrations, once there are some
TEMPERATURE: Final = 0.7


def self_instruct(
    found: Exploration,
    model: LanguageModel,
    *,
    prompts: ExplorePrompts,
    options: FillOptions,
    limits: Limits,
    seeds: Sequence[Item],
) -> Iterator[Progress]:
    """Self-Instruct: 8 demonstrations, 2 of them generated ones, temperature 0.7, all rows at the root.

    The root wants ``options.count`` rows. A new row is compared with the seeds too. Where there are too few
    generated rows or seeds, the others stand in. Rounds, lanes, rules and filters are those of filling;
    the root is asked on however little is new, until the limits are reached.

    Raises:
        InputError: There are no seeds.
        KshotError: As ``fill``.

    Source: arXiv 2212.10560, section 2.2 and its release; sampled instructions, inputs and outputs come in
        one reply here.

    Example::

        told = self_instruct(found, endpoint, prompts=prompts, options=options, limits=limits, seeds=seeds)
        for progress in told:
            print(len(found.rows))
    """
    if not seeds:
        raise InputError(
            "Self-Instruct begins with rows that somebody wrote, and there are none; give seeds, or "
            "examples of the domain"
        )

    def demonstrations(
        node: TaskNode, kept: Sequence[Item], own: Sequence[Item], request: str
    ) -> tuple[Item, ...]:
        pool = (*kept, *own)
        few = min(GENERATED, len(pool))
        draw = partial(picked, seed=options.seed)
        first = draw(tuple(seeds), DEMONSTRATIONS - few, request=f"{request}:seeds")
        shown = (*first, *draw(pool, DEMONSTRATIONS - len(first), request=request)) if pool else first
        order = sorted(range(len(shown)), key=lambda at: drawn_number(options.seed, request, "order", at))
        return tuple(shown[at] for at in order)

    yield from filled(
        found,
        model,
        Job(
            prompts,
            at_root(found, options),
            limits,
            partial(self_instruct_question, prompts=prompts),
            demonstrations,
            seeds=tuple(item.instruction for item in seeds),
            decoding=replace(SAMPLED, temperature=TEMPERATURE),
        ),
    )


def depth_zero(
    found: Exploration,
    model: LanguageModel,
    *,
    prompts: ExplorePrompts,
    options: FillOptions,
    limits: Limits,
) -> Iterator[Progress]:
    """Exploring with K = 0: the root alone is filled, its examples drawn from the growing pool of rows.

    The paper's domain-aware Self-Instruct. The root wants ``options.count`` rows and is asked on however
    little is new.

    Raises:
        KshotError: As ``fill``.

    Source: arXiv 2310.09168.

    Example::

        for progress in depth_zero(found, endpoint, prompts=prompts, options=options, limits=limits):
            print(len(found.rows))
    """
    options = at_root(found, options)
    yield from filled(
        found, model, Job(prompts, options, limits, prompts.fill, drawn_examples(found.tree, options))
    )


def at_root(found: Exploration, options: FillOptions) -> FillOptions:
    """Options with which the root alone wants rows, and is asked until it has them or the limits are reached.

    >>> from kshot.methods.explore.tree import DomainTree
    >>> found = Exploration(DomainTree.planted("rivers"))
    >>> at_root(found, FillOptions(count=9)).counts == ((found.tree.root.id, 9),)
    True
    """
    root = found.tree.root.id
    return replace(
        options, count=0, counts=((root, options.wanted(root)),), least_kept=0.0, leaves_only=False
    )
