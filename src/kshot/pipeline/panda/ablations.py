"""The questions of PANDA's ablations as a table: each a list of variants, the first the one compared with."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal, TypeAlias, get_args

from kshot.errors import InputError
from kshot.methods.panda.records import Heuristic
from kshot.methods.panda.seams import Render

Question: TypeAlias = Literal[
    "render", "heuristic", "gold_or_expert", "weaker_expert", "pool_size", "k", "transfer", "dedup", "mmr",
    "filter", "usefulness", "order",
]  # fmt: skip
QUESTIONS: tuple[Question, ...] = get_args(Question)
TITLES: Mapping[Question, str] = {
    "render": "Insights or raw preferences",
    "heuristic": "How many answers are explained, and which rival",
    "gold_or_expert": "Gold labels or the expert's",
    "weaker_expert": "A weaker expert: its first two answers swapped in a share of the rows",
    "pool_size": "Size of the pool",
    "k": "Insights in the prompt",
    "transfer": "Another task's pool",
    "dedup": "Repeated keys and near-duplicate insights",
    "mmr": "Diversity: maximal marginal relevance",
    "filter": "Which preferences are explained",
    "usefulness": "Insights that hurt on held-out shots taken out",
    "order": "Order in the prompt",
}
SIZES = (10, 30, 100, 300, 1000)
NEIGHBOURS = (0, 1, 3, 6, 12)
NOISE = (0.0, 0.1, 0.2, 0.4)


@dataclass(frozen=True, slots=True, kw_only=True)
class Variant:
    """One way of learning or asking; what is not said is as the evaluation has it.

    Attributes:
        render: How insights are shown, with how many ``answers`` where that is ``preference``.
        heuristic: Learned anew with this one.
        gold: Learned anew from gold labels, the expert's answer as rival.
        swapped: Learned anew with the expert's first two answers swapped in this share of the rows.
        size: Only the first so many records, in learning order.
        k: Insights in the prompt.
        pool: Name of another pool.
        distinct_keys: Of equal keys only the first.
        overlap: Near-duplicates above it are passed over.
        mmr: Its weight.
        min_probability: Records of an expert that was less sure are left out.
        drop_against_gold: So are those that contradict a label.
        useful: So are those that hurt more often than they helped.
        farthest_first: The most similar insight last in the prompt.
    """

    name: str
    render: Render | None = None
    answers: int = 1
    heuristic: Heuristic | None = None
    gold: bool = False
    swapped: float = 0.0
    size: int | None = None
    k: int | None = None
    pool: str | None = None
    distinct_keys: bool = False
    overlap: float | None = None
    mmr: float | None = None
    min_probability: float = 0.0
    drop_against_gold: bool = False
    useful: bool = False
    farthest_first: bool = False


def variants_of(question: str, *, pool_size: int, pools: Sequence[str] = ()) -> tuple[Variant, ...]:
    """The variants of one question.

    Args:
        question: One of ``QUESTIONS``.
        pool_size: How many records there are; larger sizes are still listed, and skipped with the reason.
        pools: Names of other tasks' pools, for ``transfer``.

    Raises:
        InputError: The question does not exist.

    >>> [variant.k for variant in variants_of("k", pool_size=100)]
    [0, 1, 3, 6, 12]
    """
    if question not in QUESTIONS:
        raise InputError(f"ablation {question!r} is none of {', '.join(QUESTIONS)}")
    return _MAKERS[question](pool_size, pools)


def _render(size: int, pools: Sequence[str]) -> tuple[Variant, ...]:
    return (
        Variant(name="insight: text and explanation", render="insight"),
        Variant(name="preference: one answer", render="preference"),
        Variant(name="preference: two answers", render="preference", answers=2),
        Variant(name="preference: three answers", render="preference", answers=3),
        Variant(name="both", render="both"),
    )


def _heuristic(size: int, pools: Sequence[str]) -> tuple[Variant, ...]:
    told: dict[Heuristic, str] = {
        "top2": "top2: first over second", "top1": "top1: the first alone",
        "top3": "top3: first over second and third", "far": "far: first over third",
    }  # fmt: skip
    return tuple(Variant(name=name, heuristic=heuristic) for heuristic, name in told.items())


def _gold(size: int, pools: Sequence[str]) -> tuple[Variant, ...]:
    return (Variant(name="the expert's answers"), Variant(name="gold labels", gold=True))


def _weaker(size: int, pools: Sequence[str]) -> tuple[Variant, ...]:
    return tuple(Variant(name=f"swapped in {share:g} of the rows", swapped=share) for share in NOISE)


def _sizes(size: int, pools: Sequence[str]) -> tuple[Variant, ...]:
    sizes = [*SIZES, *([size] if size not in SIZES and size > SIZES[0] else [])]
    return tuple(Variant(name=f"{count:,} insights", size=count) for count in sorted(sizes))


def _neighbours(size: int, pools: Sequence[str]) -> tuple[Variant, ...]:
    return tuple(Variant(name=f"k = {k}", k=k) for k in NEIGHBOURS)


def _transfer(size: int, pools: Sequence[str]) -> tuple[Variant, ...]:
    own = (Variant(name="no insights", k=0), Variant(name="the task's own pool"))
    return own + tuple(Variant(name=f"pool of {name}", pool=name) for name in pools)


def _dedup(size: int, pools: Sequence[str]) -> tuple[Variant, ...]:
    return (
        Variant(name="as they are"),
        Variant(name="each key once", distinct_keys=True),
        Variant(name="near-duplicates left out (ROUGE-L above 0.7)", overlap=0.7),
        Variant(name="both", distinct_keys=True, overlap=0.7),
    )


def _mmr(size: int, pools: Sequence[str]) -> tuple[Variant, ...]:
    return (
        Variant(name="nearest only"),
        Variant(name="weight 0.7", mmr=0.7),
        Variant(name="weight 0.5", mmr=0.5),
    )


def _filter(size: int, pools: Sequence[str]) -> tuple[Variant, ...]:
    return (
        Variant(name="all"),
        Variant(name="probability from 0.5", min_probability=0.5),
        Variant(name="probability from 0.8", min_probability=0.8),
        Variant(name="against a label left out", drop_against_gold=True),
    )


def _useful(size: int, pools: Sequence[str]) -> tuple[Variant, ...]:
    return (Variant(name="all"), Variant(name="harmful ones left out", useful=True))


def _order(size: int, pools: Sequence[str]) -> tuple[Variant, ...]:
    return (Variant(name="most similar first"), Variant(name="most similar last", farthest_first=True))


_MAKERS: Mapping[str, Callable[[int, Sequence[str]], tuple[Variant, ...]]] = {
    "render": _render, "heuristic": _heuristic, "gold_or_expert": _gold, "weaker_expert": _weaker,
    "pool_size": _sizes, "k": _neighbours, "transfer": _transfer, "dedup": _dedup, "mmr": _mmr,
    "filter": _filter, "usefulness": _useful, "order": _order,
}  # fmt: skip
