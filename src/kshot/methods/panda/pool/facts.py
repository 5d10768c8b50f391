"""A pool in numbers: what ``inspect`` shows."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from kshot.measure.overlap import OverlapIndex, tokens
from kshot.methods.panda.pool.header import PoolHeader
from kshot.methods.panda.pool.insight_pool import InsightPool
from kshot.methods.panda.records import Spent


@dataclass(frozen=True, slots=True)
class Spread:
    """Least, median, 90th percentile and most of some numbers."""

    least: float
    median: float
    p90: float
    most: float


@dataclass(frozen=True, slots=True)
class PoolFacts:
    """What is in a pool. A share of nothing is None.

    Attributes:
        count: Insights.
        header: Of the pool.
        answers: How often each answer is the expert's.
        flags: How often each flag stands.
        heuristics: Which pairs were explained.
        finish_reasons: How replies ended.
        without_text: Records that were learned without a call.
        without_preference: Imported records whose ranking is unknown.
        gold_count: Records with a gold answer.
        gold_agreement_share: Of those, where it is the expert's answer.
        probabilities: Of the expert's answer.
        distinct_keys: Different keys.
        repeated_key_share: Records whose key stands before, of all.
        most_of_one_key: Records of the most frequent key.
        near_duplicate_share: Records whose explanation has a ROUGE-L F above 0.7 with one before.
        key_tokens: As ``count`` tells them.
        insight_tokens: Likewise, of the explanations.
        shown, helped, hurt: Sums of the counters.
        spent: Sums of what the insights took.
    """

    count: int
    header: PoolHeader
    answers: dict[str, int]
    flags: dict[str, int]
    heuristics: dict[str, int]
    finish_reasons: dict[str, int]
    without_text: int
    without_preference: int
    gold_count: int
    gold_agreement_share: float | None
    probabilities: Spread | None
    distinct_keys: int
    repeated_key_share: float | None
    most_of_one_key: int
    near_duplicate_share: float | None
    key_tokens: Spread | None
    insight_tokens: Spread | None
    shown: int
    helped: int
    hurt: int
    spent: Spent

    def rows(self) -> list[dict[str, Any]]:
        """One plain object a fact, for tables: name and value."""
        names = [name for name in self.__dataclass_fields__ if name != "header"]
        return [{"name": name, "value": _plain(getattr(self, name))} for name in names]


def approximate_tokens(text: str) -> int:
    """Tokens of a text, roughly: a third more than its words, rounded up. No tokenizer is loaded.

    Meant for English; text without blanks between words counts far too few, so give a counter of your own.

    >>> approximate_tokens("an expert prefers the second")
    7
    """
    return math.ceil(len(text.split()) * 4 / 3)


def inspect(
    pool: InsightPool, *, count: Callable[[str], int] = approximate_tokens, overlap: float = 0.7
) -> PoolFacts:
    """Counts, flags, answers, agreement with gold, repeated keys, lengths, near-duplicates.

    Args:
        pool: To look at.
        count: Text to tokens.
        overlap: Above which ROUGE-L F two explanations are near-duplicates.

    >>> from kshot.methods.panda.records import Insight
    >>> pool = InsightPool([Insight(0, "a", "x"), Insight(1, "a", "y", model="m")], PoolHeader("t"))
    >>> inspect(pool).distinct_keys
    1
    """
    keys = Counter(insight.key for insight in pool)
    preferences = [insight.preference for insight in pool if insight.preference]
    judged = [p.top.answer == p.gold for p in preferences if p.gold is not None]
    chances = [p.top.probability for p in preferences if p.top.probability is not None]
    texts = [insight.explanation for insight in pool if insight.explanation]
    return PoolFacts(
        count=len(pool),
        header=pool.header,
        answers=_counted(p.top.answer for p in preferences),
        flags=_counted(flag for insight in pool for flag in insight.flags),
        heuristics=_counted(insight.heuristic for insight in pool),
        finish_reasons=_counted(insight.finish_reason for insight in pool),
        without_text=len(pool) - len(texts),
        without_preference=len(pool) - len(preferences),
        gold_count=len(judged),
        gold_agreement_share=_share(sum(judged), len(judged)),
        probabilities=spread(chances),
        distinct_keys=len(keys),
        repeated_key_share=_share(len(pool) - len(keys), len(pool)),
        most_of_one_key=max(keys.values(), default=0),
        near_duplicate_share=_share(_near_duplicates(texts, overlap), len(texts)),
        key_tokens=spread([count(insight.key) for insight in pool]),
        insight_tokens=spread([count(text) for text in texts]),
        shown=sum(insight.counters.shown for insight in pool),
        helped=sum(insight.counters.helped for insight in pool),
        hurt=sum(insight.counters.hurt for insight in pool),
        spent=_sum(pool),
    )


def spread(values: Sequence[float]) -> Spread | None:
    """Least, median, 90th percentile, most; the lower of two middles; None of nothing.

    >>> spread([3, 1, 2])
    Spread(least=1, median=2, p90=3, most=3)
    """
    if not values:
        return None
    ordered = sorted(values)
    middle, high = (ordered[math.ceil(share * len(ordered)) - 1] for share in (0.5, 0.9))
    return Spread(ordered[0], middle, high, ordered[-1])


def _near_duplicates(texts: Sequence[str], overlap: float) -> int:
    split = [tokens(text) for text in texts]
    index = OverlapIndex(split, threshold=overlap)
    return sum(any(found < place for found, _ in index.above(text)) for place, text in enumerate(split))


def _sum(pool: InsightPool) -> Spent:
    spent = [insight.spent for insight in pool]
    return Spent(
        sum(found.prompt_tokens for found in spent),
        sum(found.completion_tokens for found in spent),
        sum(found.calls for found in spent),
        math.fsum(found.usd for found in spent),
    )


def _counted(values: Iterable[str]) -> dict[str, int]:
    """Most frequent first, ties by name."""
    return dict(sorted(Counter(values).items(), key=lambda item: (-item[1], item[0])))


def _share(part: int, whole: int) -> float | None:
    return part / whole if whole else None


def _plain(value: Any) -> Any:
    fields = getattr(value, "__dataclass_fields__", None)
    return {name: getattr(value, name) for name in fields} if fields else value
