"""What can be done to whole pools: each verb gives a new pool, and what was dropped with its reason."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import NamedTuple

from kshot.data.nearest import proposal
from kshot.errors import DataError
from kshot.measure.overlap import OverlapIndex, tokens
from kshot.measure.similarity import cosines
from kshot.methods.panda.pool.header import PoolHeader, now
from kshot.methods.panda.pool.insight_pool import InsightPool
from kshot.methods.panda.pool.vectors import embed_pool
from kshot.methods.panda.records import Insight
from kshot.models.base import Embedder, Floats


class Dropped(NamedTuple):
    """One insight that is not in the new pool, and why, in the same words for the same reason."""

    insight: Insight
    reason: str


@dataclass(frozen=True, slots=True)
class Changed:
    """A new pool, and what was dropped on the way, in pool order.

    Attributes:
        repeats: Where something fell as a repeat: its id, and the id in the new pool of what it repeats.
    """

    pool: InsightPool
    dropped: tuple[Dropped, ...] = ()
    repeats: Mapping[str, str] = field(default_factory=dict)

    def counts(self) -> dict[str, int]:
        """How many were dropped for each reason; most frequent first, ties by name."""
        found = Counter(dropped.reason for dropped in self.dropped)
        return dict(sorted(found.items(), key=lambda item: (-item[1], item[0])))


@dataclass(frozen=True, slots=True)
class PoolDiff:
    """Two pools compared by the ids of their records.

    Attributes:
        only_left: Records that only the first has, in its order.
        only_right: Records that only the second has.
        changed: Pairs of one id that differ in text, flags, counters or anything else.
        same: How many are equal.
        header: What the headers say differently of how insights are learned.
    """

    only_left: tuple[Insight, ...]
    only_right: tuple[Insight, ...]
    changed: tuple[tuple[Insight, Insight], ...]
    same: int
    header: tuple[str, ...]


def prune(
    pool: InsightPool,
    *,
    flags: Collection[str] = (),
    min_probability: float | None = None,
    hurt_over_helped: bool = False,
    ids: Collection[str] = (),
) -> Changed:
    """Drops what carries a flag, what the expert was unsure of, what did harm, or what is named.

    Args:
        pool: Stays as it is.
        flags: Any of them is enough.
        min_probability: The least of the expert's answer; a record without a probability stays.
        hurt_over_helped: Whether those go that turned more answers wrong than right.
        ids: Records to drop.

    Raises:
        DataError: An id is not in the pool, or the probability is none.

    >>> from kshot.methods.panda.pool import PoolHeader
    >>> pool = InsightPool([Insight(0, "a", "x", flags=("cut",)), Insight(1, "b", "y")], PoolHeader("t"))
    >>> prune(pool, flags=["cut"]).counts()
    {'carries the flag cut': 1}
    """
    flags, ids = [flags] if isinstance(flags, str) else flags, [ids] if isinstance(ids, str) else ids
    unknown = [name for name in ids if name not in set(pool.ids)]
    if unknown:
        raise DataError(f"the pool has no insight {unknown[0]!r}{proposal(unknown[0], pool.ids)}")
    if min_probability is not None and not 0 <= min_probability <= 1:
        raise DataError(f"min_probability is {min_probability}, expected a number from 0 to 1")

    def reason(insight: Insight) -> str:
        found = [flag for flag in flags if flag in insight.flags]
        preference = insight.preference
        chance = preference.top.probability if preference else None
        if insight.id in ids:
            return "named"
        if found:
            return f"carries the flag {found[0]}"
        if min_probability is not None and chance is not None and chance < min_probability:
            return f"the expert's probability is below {min_probability:g}"
        if hurt_over_helped and insight.counters.hurt > insight.counters.helped:
            return "hurt more often than it helped"
        return ""

    reasons = [reason(insight) for insight in pool]
    kept = [insight for insight, told in zip(pool, reasons, strict=True) if not told]
    dropped = [Dropped(insight, told) for insight, told in zip(pool, reasons, strict=True) if told]
    return Changed(pool.with_insights(kept), tuple(dropped))


def merge(pools: Sequence[InsightPool]) -> Changed:
    """One pool of several, under the first one's header: its records first, then the next one's.

    Rows are numbered anew. A record with the id of an earlier one is dropped; imported records, whose ids
    hang on their place, are only dropped where their text is the same too.

    Raises:
        DataError: There is no pool, or tasks, kinds or labels differ (both are named).

    >>> from kshot.methods.panda.pool import PoolHeader
    >>> one = InsightPool([Insight(0, "a", "x")], PoolHeader("t"))
    >>> merge([one, one]).counts()
    {'is in an earlier pool': 1}
    """
    if not pools:
        raise DataError("merge: there is no pool to merge; give at least one")
    first = pools[0].header
    for place, pool in enumerate(pools[1:], start=1):
        for name in ("task", "kind", "labels"):
            mine, theirs = getattr(first, name), getattr(pool.header, name)
            if mine != theirs:
                raise DataError(
                    f"merge: pool 0 has {name} {mine!r}, pool {place} has {theirs!r}; "
                    "only pools of one task with equal labels can be merged"
                )
    kept: list[Insight] = []
    dropped: list[Dropped] = []
    seen: dict[tuple[str, str], str] = {}
    repeated: dict[str, str] = {}
    for pool in pools:
        for insight_id, insight in zip(pool.ids, pool, strict=True):
            identity = (insight_id, insight.insight if insight.origin is not None else "")
            if identity in seen:
                dropped.append(Dropped(insight, "is in an earlier pool"))
                repeated[insight_id] = seen[identity]
                continue
            kept.append(replace(insight, row=len(kept)))
            seen[identity] = kept[-1].id
    return Changed(InsightPool(kept, _merged_header(pools)), tuple(dropped), repeated)


def deduplicate(
    pool: InsightPool, embedder: Embedder | None = None, *, overlap: float = 0.7, similarity: float = 0.9
) -> Changed:
    """Drops what says the same as an earlier record that stays.

    Two records say the same where the expert's answer is the same and the ROUGE-L F of their explanations
    exceeds ``overlap`` (where neither has one: where the keys are equal). With an embedder, only where their
    keys are alike, too: the same advice for two different texts then stays twice.

    Args:
        pool: Stays as it is.
        embedder: Who compares the keys.
        overlap: From 0, below 1.
        similarity: The least cosine of two keys that are alike.

    Raises:
        DataError: ``overlap`` lies outside.

    >>> from kshot.methods.panda.pool import PoolHeader
    >>> twice = [Insight(0, "a", "it is a sad word"), Insight(1, "b", "it is a sad word")]
    >>> deduplicate(InsightPool(twice, PoolHeader("t"))).counts()
    {'repeats an earlier one': 1}
    """
    rows = embed_pool(pool, embedder).rows if embedder else None
    owners = repeats(pool.insights, rows, overlap=overlap, similarity=similarity)
    kept = [insight for insight, owner in zip(pool, owners, strict=True) if owner is None]
    fallen = {place: owner for place, owner in enumerate(owners) if owner is not None}
    dropped = tuple(Dropped(pool[place], "repeats an earlier one") for place in fallen)
    found = {pool.ids[place]: pool.ids[owner] for place, owner in fallen.items()}
    return Changed(pool.with_insights(kept), dropped, found)


def repeats(
    insights: Sequence[Insight], rows: Floats | None = None, *, overlap: float = 0.7, similarity: float = 0.9
) -> list[int | None]:
    """Which kept record each one repeats, the first in order; None where it is kept. See ``deduplicate``.

    >>> repeats([Insight(0, "a", "one two three"), Insight(1, "b", "one two three")])
    [None, 0]
    """
    texts = [tokens(insight.explanation) for insight in insights]
    index = OverlapIndex(texts, threshold=overlap)
    bare: dict[tuple[str, str | None], int] = {}
    owners: list[int | None] = []
    for place, insight in enumerate(insights):
        if texts[place]:
            before = (found for found, _ in index.above(texts[place]) if found < place)
            same = (f for f in before if owners[f] is None and insights[f].answer == insight.answer)
            owners.append(next((f for f in same if _alike(rows, f, place, similarity)), None))
        else:
            first = bare.setdefault((insight.key, insight.answer), place)
            owners.append(first if first != place else None)
    return owners


def diff(left: InsightPool, right: InsightPool) -> PoolDiff:
    """What two pools have in common, by id, and what not.

    >>> from kshot.methods.panda.pool import PoolHeader
    >>> one, two = (InsightPool([Insight(0, key, "x")], PoolHeader("t")) for key in "ab")
    >>> len(diff(one, two).only_left), diff(one, one).same
    (1, 1)
    """
    mine, theirs = (dict(zip(pool.ids, pool, strict=True)) for pool in (left, right))
    both = [(insight, theirs[name]) for name, insight in mine.items() if name in theirs]
    changed = tuple((one, other) for one, other in both if one.to_json() != other.to_json())
    return PoolDiff(
        tuple(insight for name, insight in mine.items() if name not in theirs),
        tuple(insight for name, insight in theirs.items() if name not in mine),
        changed,
        len(both) - len(changed),
        left.header.differences(right.header),
    )


def _alike(rows: Floats | None, one: int, other: int, similarity: float) -> bool:
    return rows is None or bool(cosines(rows[[one]], rows[[other]])[0] >= similarity)


def _merged_header(pools: Sequence[InsightPool]) -> PoolHeader:
    first = pools[0].header
    origins = [pool.header.origin for pool in pools if pool.header.origin]
    names = dict.fromkeys(name for origin in origins for name in origin.get("trajectories", ()))
    origin = dict(origins[0]) | ({"trajectories": list(names)} if names else {}) if origins else None
    return replace(first, counts={}, created=now(), updated="", origin=origin)
