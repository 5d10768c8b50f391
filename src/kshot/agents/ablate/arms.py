"""What is compared: the conditions of every table, and the paper's questions as lists of variants."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Literal, TypeAlias, get_args

from kshot.agents.strategies import STRATEGIES
from kshot.errors import InputError
from kshot.methods.panda.records import Heuristic
from kshot.methods.panda.seams import Render

Source: TypeAlias = Literal["none", "own", "shuffled", "irrelevant", "corrupted", "task"]
Group: TypeAlias = Literal["baseline", "insights", "control"]
Question: TypeAlias = Literal[
    "render", "heuristic", "weaker_expert", "pool_size", "k", "transfer", "policies"
]  # fmt: skip
QUESTIONS: tuple[Question, ...] = get_args(Question)
TITLES: Mapping[str, str] = {
    "render": "Insights or raw preferences",
    "heuristic": "Which pair of actions is explained",
    "weaker_expert": "A weaker expert",
    "pool_size": "How many insights the pool has",
    "k": "How many insights stand in the prompt",
    "transfer": "Another task's pool",
    "policies": "Policies, with insights and without",
}
REFERENCE = "no insights"
SIZES, NEIGHBOURS, NOISE = (10, 30, 100, 300), (0, 1, 3, 6), (0.0, 0.1, 0.2, 0.4)
ALL_ANSWERS = 3


@dataclass(frozen=True, slots=True, kw_only=True)
class Arm:
    """One way of acting. Equal arms are played once, whatever table they stand in.

    Attributes:
        source: Whose insights: none, the task's own pool, its controls, or the pool of ``other``.
        other: The task of another pool.
        render: How an insight is shown.
        answers: Of the expert's ranking, where it is shown.
        heuristic: Which pair was explained.
        swapped: Share of the decisions in which the expert's first two actions change places.
        size: Only the first so many insights, in learning order.
        k: Insights in a prompt.
        policy: ReAct, SayCan or Reflexion.
    """

    source: Source = "own"
    other: str = ""
    render: Render = "insight"
    answers: int = ALL_ANSWERS
    heuristic: Heuristic = "top2"
    swapped: float = 0.0
    size: int | None = None
    k: int = 1
    policy: str = "react"

    @property
    def plain(self) -> Arm:
        """The same without what has no effect.

        >>> Arm(k=0, heuristic="far").plain == Arm(source="none").plain
        True
        """
        if self.source == "none" or not self.k:
            return Arm(source="none", k=0, policy=self.policy)
        return replace(self, answers=ALL_ANSWERS) if self.render == "insight" else self

    @property
    def condition(self) -> str:
        """A name for the record of episodes; the policy stands beside it.

        >>> Arm().condition, Arm(source="task", other="toy", k=3).condition, Arm(k=0).condition
        ('own insight', 'task toy insight k=3', 'no insights')
        """
        plain, usual = self.plain, Arm()
        if plain.source == "none":
            return REFERENCE
        parts = [plain.source, plain.other, plain.render]
        for name in ("answers", "heuristic", "swapped", "size", "k"):
            value = getattr(plain, name)
            parts.append("" if value == getattr(usual, name) else f"{name}={value}")
        return " ".join(part for part in parts if part)


@dataclass(frozen=True, slots=True, kw_only=True)
class Condition:
    """One row of the first table.

    Attributes:
        tested: What the verdict calls it, where it takes part.
    """

    name: str
    group: Group
    note: str
    tested: str = ""
    source: Source = "own"
    render: Render = "insight"

    def arm(self, base: Arm) -> Arm:
        """Its way of acting, else as the base has it."""
        return replace(base, source=self.source, render=self.render).plain


CONDITIONS: tuple[Condition, ...] = (
    Condition(name=REFERENCE, group="baseline", note="the same prompt without insights",
              source="none", tested="empty"),
    Condition(name="preferences", group="baseline", render="preference", tested="preference",
              note="what the expert did over what, no explanation"),
    Condition(name="insights", group="insights", note="the explanation", tested="real"),
    Condition(name="insights and preferences", group="insights", render="both", tested="both",
              note="what the expert did, and the explanation"),
    Condition(name="shuffled insights", group="control", source="shuffled", tested="shuffled",
              note="each situation with another's explanation"),
    Condition(name="irrelevant insights", group="control", source="irrelevant", tested="irrelevant",
              note="another task's pool; of a single task the least similar records"),
    Condition(name="corrupted insights", group="control", source="corrupted", tested="corrupted",
              note="explanations of the reversed preference"),
)  # fmt: skip
NAMES = tuple(one.name for one in CONDITIONS)


@dataclass(frozen=True, slots=True)
class Variant:
    """One row of a question's table.

    Attributes:
        against: Name of the variant that it is compared with; None: it is one that others are compared with.
    """

    name: str
    arm: Arm
    against: str | None = None


def conditions_named(names: Sequence[str]) -> tuple[Condition, ...]:
    """The conditions of these names in the table's order; the reference is always among them.

    Raises:
        InputError: One does not exist.

    >>> [one.name for one in conditions_named(["insights"])]
    ['no insights', 'insights']
    """
    if unknown := [name for name in names if name not in NAMES]:
        raise InputError(f"--condition: {unknown[0]!r} is none of {', '.join(NAMES)}")
    return tuple(one for one in CONDITIONS if one.name in names or one.name == REFERENCE)


def variants_of(question: str, base: Arm, *, task: str, tasks: Sequence[str] = ()) -> tuple[Variant, ...]:
    """The variants of a question for one task, the one compared with first.

    Args:
        question: One of ``QUESTIONS``.
        base: The arm of the condition ``insights``.
        task: Whose test variations are played.
        tasks: All tasks of the list; the pools of the others are tried for ``transfer``.

    Raises:
        InputError: The question does not exist for interactive tasks.

    >>> [one.arm.k for one in variants_of("k", Arm(), task="a")]
    [0, 1, 3, 6]
    """
    if question not in QUESTIONS:
        raise InputError(
            f"--question: {question!r} is none of {', '.join(QUESTIONS)} (the questions of interactive tasks)"
        )
    if question == "policies":
        return _policies(base)
    arms = _transfer(base, task, tasks) if question == "transfer" else _MAKERS[question](base)
    first = next(iter(arms))
    return tuple(Variant(name, arm.plain, None if name == first else first) for name, arm in arms.items())


def _render(base: Arm) -> dict[str, Arm]:
    preference = {
        f"preference: {word}": replace(base, render="preference", answers=answers)
        for answers, word in ((1, "one action"), (2, "two actions"), (3, "three actions"))
    }
    return {"insight": base, **preference, "both": replace(base, render="both")}


def _heuristic(base: Arm) -> dict[str, Arm]:
    told: dict[Heuristic, str] = {
        "top2": "top2: first over second", "top1": "top1: the first alone",
        "top3": "top3: first over second and third", "far": "far: first over third",
    }  # fmt: skip
    return {name: replace(base, heuristic=heuristic) for heuristic, name in told.items()}


def _weaker(base: Arm) -> dict[str, Arm]:
    return {f"swapped in {share:g} of the decisions": replace(base, swapped=share) for share in NOISE}


def _sizes(base: Arm) -> dict[str, Arm]:
    first = {"the whole pool": base}
    return first | {f"the first {size}": replace(base, size=size) for size in SIZES}


def _neighbours(base: Arm) -> dict[str, Arm]:
    return {f"k = {k}": replace(base, k=k) for k in NEIGHBOURS}


def _transfer(base: Arm, task: str, tasks: Sequence[str]) -> dict[str, Arm]:
    others = {f"pool of {name}": replace(base, source="task", other=name) for name in tasks if name != task}
    return {REFERENCE: replace(base, source="none"), "the task's own pool": base, **others}


def _policies(base: Arm) -> tuple[Variant, ...]:
    found = []
    for policy in STRATEGIES:
        without = f"{policy} without insights"
        arm = replace(base, policy=policy)
        found.append(Variant(without, replace(arm, source="none").plain))
        found.append(Variant(f"{policy} with insights", arm, without))
    return tuple(found)


_MAKERS: Mapping[str, Callable[[Arm], dict[str, Arm]]] = {
    "render": _render, "heuristic": _heuristic, "weaker_expert": _weaker, "pool_size": _sizes,
    "k": _neighbours,
}  # fmt: skip
