"""Rows become part of an exploration here and nowhere else: what stays, what does not and why, all counts."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Final, Literal

from kshot.methods.explore.fill.sieve import Repeat, Sieve
from kshot.methods.explore.records import RECENT, Item, Refusal, Row, TaskNode, row_id
from kshot.methods.explore.seams import NOTHING, Exploration
from kshot.methods.explore.spending import Spent

MALFORMED: Final = "malformed"  # an entry of a reply without an instruction; there is nothing to keep of it
SURPLUS: Final = "surplus"  # more than its task wanted
REACHED: Final = "count reached"
LOW_YIELD: Final = "too few of its last rows were new"
DRY: Final = "two rounds without a new row"
DRY_ROUNDS: Final = 2


@dataclass(frozen=True, slots=True)
class Judged:
    """A row as it came, with what could be said of it at once.

    Attributes:
        item: The row.
        broken: The first rule that it breaks by itself; empty where it breaks none.
        known: What it repeats of the rows kept before its round.
    """

    item: Item
    broken: str = ""
    known: Repeat | None = None

    @property
    def is_fresh(self) -> bool:
        """Whether nothing speaks against it so far."""
        return not self.broken and self.known is None


@dataclass(frozen=True, slots=True)
class Arrived:
    """What one request gave.

    Attributes:
        node: The task.
        ordinal: Of the request among its task's.
        request: Its id.
        rows: In the order of the reply.
        wanted: How many were asked for.
        malformed: Entries of the reply that are no rows.
        spent: Calls, a repair included, and their tokens.
        is_failed: Whether there was no usable reply.
    """

    node: str
    ordinal: int
    request: str
    rows: tuple[Judged, ...] = ()
    wanted: int = 0
    malformed: int = 0
    spent: Spent = NOTHING
    is_failed: bool = False


@dataclass(frozen=True, slots=True)
class Sifted:
    """What of a round stays, in canonical order; nothing of the exploration is changed yet.

    Attributes:
        arrived: The round's replies.
        kept: Rows that stay.
        refused: Rows that do not.
        fates: By task: 1 for each kept and 0 for each refused row, surplus left out.
        answers: What a second pass over the kept rows cost.
    """

    arrived: tuple[Arrived, ...]
    kept: tuple[Row, ...]
    refused: tuple[Refusal, ...]
    fates: Mapping[str, str]
    answers: Spent = NOTHING


def sifted(
    arrived: Sequence[Arrived],
    *,
    sieve: Sieve,
    missing: Mapping[str, int],
    origin: Literal["fill", "attached"] = "fill",
) -> Sifted:
    """Decides row by row, in the order given, which stay. The sieve remembers those that do.

    A task gets no more than it misses: what comes after that is refused as ``surplus``, and says nothing
    about the task's yield.
    """
    left = dict(missing)
    kept: list[Row] = []
    refused: list[Refusal] = []
    fates: dict[str, list[str]] = {}
    for reply in arrived:
        told = fates.setdefault(reply.node, [])
        for judged in reply.rows:
            row = Row(row_id(reply.node, judged.item), reply.node, judged.item, reply.request, origin)
            refusal = _refusal(row, judged, sieve, is_surplus=left.get(reply.node, 0) < 1)
            if refusal is None:
                kept.append(row)
                left[reply.node] -= 1
            else:
                refused.append(refusal)
            if refusal is None or refusal.rule != SURPLUS:
                told.append("1" if refusal is None else "0")
        told.extend("0" * reply.malformed)
    return Sifted(
        tuple(arrived), tuple(kept), tuple(refused), {node: "".join(told) for node, told in fates.items()}
    )


def _refusal(row: Row, judged: Judged, sieve: Sieve, *, is_surplus: bool) -> Refusal | None:
    found = Refusal("row", row.node, judged.broken, row.item.instruction, item=row.item, request=row.request)
    if judged.broken:
        return found
    if is_surplus:
        return replace(found, rule=SURPLUS)
    repeat = sieve.offer(row.node, row.item, row.id, known=judged.known)
    if repeat is None:
        return None
    return replace(found, rule=repeat.rule, score=repeat.score, near=repeat.near)


def commit(
    found: Exploration,
    round_: Sifted,
    *,
    sieve: Sieve,
    counts: Mapping[str, int],
    least_kept: float,
    is_whole: bool = True,
) -> None:
    """Writes a round into the exploration: rows, refusals, counts, and why tasks are asked for no more.

    Args:
        found: Changed in place.
        round_: What stays and what does not; the second pass may have changed the outputs of ``kept``.
        sieve: Told that the round has ended.
        counts: Rows that each task wants.
        least_kept: See ``FillOptions``.
        is_whole: Whether all replies of the round came. A round that was cut short, or that had no usable
            reply at all, says nothing about whether a task has run dry.
    """
    says_something = is_whole and not all(reply.is_failed for reply in round_.arrived)
    kept = Counter(row.node for row in round_.kept)
    refused: dict[str, list[str]] = {}
    for refusal in round_.refused:
        refused.setdefault(refusal.node, []).append(refusal.rule)
    for id_, replies in _by_node(round_.arrived).items():
        malformed = sum(reply.malformed for reply in replies)
        node = found.tree[id_].with_rows(
            round_.fates[id_],
            calls=sum(reply.spent.calls for reply in replies),
            asked=sum(reply.wanted for reply in replies),
            delivered=sum(len(reply.rows) for reply in replies) + malformed,
            kept=kept[id_],
            refused=[*refused.get(id_, ()), *[MALFORMED] * malformed],
        )
        node = replace(node, dry_rounds=0 if kept[id_] else node.dry_rounds + says_something)
        found.tree.put(replace(node, full=why_full(node, counts.get(id_, 0), least_kept)))
    found.rows.extend(round_.kept)
    found.refused.extend(round_.refused)
    for spent in (*(reply.spent for reply in round_.arrived), round_.answers):
        found.spent = found.spent.plus(spent)
    sieve.settle()


def why_full(node: TaskNode, wanted: int, least_kept: float) -> str:
    """Why a task is asked for no more rows; empty while it is.

    >>> from kshot.methods.explore.records import Counts
    >>> why_full(TaskNode("a1", "list rivers", rows=Counts(kept=5)), 5, 0.2)
    'count reached'
    """
    if node.rows.kept >= wanted:
        return REACHED
    if len(node.recent) >= RECENT and node.recent.count("1") < least_kept * RECENT:
        return LOW_YIELD
    return DRY if node.dry_rounds >= DRY_ROUNDS else ""


def _by_node(arrived: Sequence[Arrived]) -> dict[str, list[Arrived]]:
    found: dict[str, list[Arrived]] = {}
    for reply in arrived:
        found.setdefault(reply.node, []).append(reply)
    return found
