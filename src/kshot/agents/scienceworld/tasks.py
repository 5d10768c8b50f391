"""ScienceWorld's tasks by number and name, and the orders of variations in the release."""

from __future__ import annotations

import random
from collections.abc import Sequence

from kshot.errors import InputError
from kshot.methods.panda.pool import released_variations

TASKS: tuple[str, ...] = (
    "boil", "change-the-state-of-matter-of", "chemistry-mix", "chemistry-mix-paint-secondary-color",
    "chemistry-mix-paint-tertiary-color", "find-animal", "find-living-thing", "find-non-living-thing",
    "find-plant", "freeze", "grow-fruit", "grow-plant", "identify-life-stages-1", "identify-life-stages-2",
    "inclined-plane-determine-angle", "inclined-plane-friction-named-surfaces",
    "inclined-plane-friction-unnamed-surfaces", "lifespan-longest-lived",
    "lifespan-longest-lived-then-shortest-lived", "lifespan-shortest-lived",
    "measure-melting-point-known-substance", "measure-melting-point-unknown-substance", "melt",
    "mendelian-genetics-known-plant", "mendelian-genetics-unknown-plant", "power-component",
    "power-component-renewable-vs-nonrenewable-energy", "test-conductivity",
    "test-conductivity-of-unknown-substances", "use-thermometer",
)  # fmt: skip
PAPER_TASKS = (0, 1, 2, 4, 6, 7, 10, 11, 12, 13, 15, 16, 17, 18, 21, 23, 24, 25, 28, 29)
_HALVED = frozenset({29})  # the release halves the train split of this task
RELEASED = 50  # trajectories of a released pool
TEST_SEED = 1


def task_named(task: str | int) -> tuple[int, str]:
    """Number and name of a task given by either.

    Raises:
        InputError: There is no such task; the message names the nearest.

    >>> task_named("6"), task_named("boil")
    ((6, 'find-living-thing'), (0, 'boil'))
    """
    given = str(task).strip().casefold()
    if given.isdecimal() and int(given) < len(TASKS):
        return int(given), TASKS[int(given)]
    if given in TASKS:
        return TASKS.index(given), given
    from difflib import get_close_matches

    near = get_close_matches(given, TASKS, n=1, cutoff=0.0)[0]
    raise InputError(
        f"scienceworld:{task}: no such task; expected 0 to {len(TASKS) - 1} or a name as {near!r}"
    )


def learning_order(task: str | int, train: Sequence[int], *, most: int = RELEASED) -> tuple[int, ...]:
    """The train variations that the released pools learnt from, in their order; the first ``most`` of them.

    Source: as ``released_variations``, over the positions of the train split. The release halves that of
    task 29 (use thermometer) first.

    >>> learning_order(6, range(150))[:3]
    (120, 46, 77)
    >>> learning_order(6, range(150), most=3)
    (120, 46, 77)
    """
    number, _ = task_named(task)
    usable = list(train)[: len(train) // 2] if number in _HALVED else list(train)
    drawn = released_variations(len(usable), most=max(RELEASED, most))  # a smaller draw is another order
    return tuple(usable[place] for place in drawn[:most])


def evaluation_order(test: Sequence[int], *, most: int = 10) -> tuple[int, ...]:
    """The test variations that are judged, in order; fewer where there are fewer.

    Source: released evaluation: ``random.seed(1); random.shuffle``, the first 10.

    >>> evaluation_order(range(5)), len(evaluation_order(range(75)))
    ((2, 3, 4, 0, 1), 10)
    """
    order = list(test)
    random.Random(TEST_SEED).shuffle(order)
    return tuple(order[:most])
