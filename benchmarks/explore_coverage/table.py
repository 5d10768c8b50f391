"""From cells to a report: mean and spread, paired differences with 95 % intervals, a verdict for each."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from kshot.measure.statistics import holm

MARGIN = 0.005  # of leaf recall: a mean difference within it is no gain, whatever its p


@dataclass(frozen=True, slots=True)
class Group:
    """What the seeds of one row of a table have in common."""

    family: str
    world: str
    s: float
    unit: str
    limit: int

    def __str__(self) -> str:
        """For a table's first columns."""
        return f"{self.world} | {self.s:g} | {self.limit:,}"


@dataclass(frozen=True, slots=True)
class Paired:
    """One way against another over the same seeds.

    Attributes:
        difference: Mean of the differences in leaf recall.
        low: Of its 95 % interval (paired t).
        high: Likewise.
        p: Two-sided.
        n: Seeds.
    """

    difference: float
    low: float
    high: float
    p: float
    n: int

    def verdict(self, p: float) -> str:
        """Above or below by the interval and by Holm's p; ``no claim`` else."""
        if self.low > 0 and p < 0.05 and self.difference > MARGIN:
            return "above"
        if self.high < 0:
            return "BELOW"  # not corrected: a loss is told even where correction would hide it
        return "no claim"


def paired(ours: Sequence[float], theirs: Sequence[float]) -> Paired:
    """The paired t interval of the mean difference.

    >>> found = paired([0.5, 0.6, 0.7], [0.4, 0.5, 0.5])
    >>> round(found.difference, 3), found.low < 0.1 < found.high
    (0.133, True)
    """
    from scipy.stats import t

    differences = [a - b for a, b in zip(ours, theirs, strict=True)]
    n = len(differences)
    mean = sum(differences) / n
    spread = math.sqrt(sum((d - mean) ** 2 for d in differences) / (n - 1)) / math.sqrt(n) if n > 1 else 0.0
    if spread == 0:
        return Paired(mean, mean, mean, 1.0 if mean == 0 else 2.0 ** (1 - n), n)
    reach = float(t.ppf(0.975, n - 1)) * spread
    return Paired(mean, mean - reach, mean + reach, float(2 * t.sf(abs(mean) / spread, n - 1)), n)


def grouped(rows: Iterable[Mapping[str, Any]]) -> dict[Group, dict[str, dict[int, Mapping[str, Any]]]]:
    """Rows by group, way and seed."""
    found: dict[Group, dict[str, dict[int, Mapping[str, Any]]]] = defaultdict(lambda: defaultdict(dict))
    for row in rows:
        group = Group(row["family"], row["world"], row["s"], row["unit"], row["limit"])
        found[group][row["way"]][row["seed"]] = row
    return found


def report(rows: Sequence[Mapping[str, Any]], parameters: Mapping[str, Any]) -> str:
    """All tables, as Markdown."""
    found = grouped(rows)
    families = list(dict.fromkeys(group.family for group in found))
    parts = []
    for family in families:
        groups = {group: ways for group, ways in found.items() if group.family == family}
        parts += [f"### {family[0].upper()}{family[1:]}", "", *_means(groups), ""]
        parts += [*_pairs(groups, parameters["pairs"]), ""]
    return "\n".join(parts)


def _means(groups: Mapping[Group, Mapping[str, Mapping[int, Mapping[str, Any]]]]) -> list[str]:
    ways = list(dict.fromkeys(way for found in groups.values() for way in found))
    unit = next(iter(groups)).unit
    lines = [f"| world | s | {unit} | {' | '.join(ways)} |", f"|---|--:|--:|{'--:|' * len(ways)}"]
    for group, found in sorted(groups.items(), key=lambda pair: _order(pair[0])):
        cells = [
            _mean_and_spread([row["leaf_recall"] for row in found[w].values()]) if w in found else ""
            for w in ways
        ]
        lines.append(f"| {group} | {' | '.join(cells)} |")
    return lines


def _pairs(
    groups: Mapping[Group, Mapping[str, Mapping[int, Mapping[str, Any]]]], pairs: Sequence[Sequence[str]]
) -> list[str]:
    """Each pair in each group, corrected within the family."""
    compared = []
    for group, found in sorted(groups.items(), key=lambda pair: _order(pair[0])):
        for ours, theirs in pairs:
            seeds = sorted(set(found.get(ours, {})) & set(found.get(theirs, {})))
            if len(seeds) > 1:
                values = [[found[way][seed]["leaf_recall"] for seed in seeds] for way in (ours, theirs)]
                compared.append((group, ours, theirs, paired(*values)))
    if not compared:
        return []
    corrected = holm([one.p for *_, one in compared])
    lines = ["| world | s | limit | pair | difference | 95 % interval | p (Holm) | verdict |"]
    lines.append("|---|--:|--:|---|--:|---|--:|---|")
    for (group, ours, theirs, one), p in zip(compared, corrected, strict=True):
        verdict = "no claim" if group.s == 0 and one.verdict(p) == "above" else one.verdict(p)
        lines.append(
            f"| {group} | {ours} − {theirs} | {one.difference:+.3f} | [{one.low:+.3f}, {one.high:+.3f}] "
            f"| {p:.3f} | {verdict} |"
        )
    return lines


def _mean_and_spread(values: Sequence[float]) -> str:
    mean = sum(values) / len(values)
    spread = math.sqrt(sum((v - mean) ** 2 for v in values) / max(1, len(values) - 1))
    return f"{mean:.3f} ± {spread:.3f}"


def _order(group: Group) -> tuple[str, int, float, int]:
    return (group.unit, len(group.world), group.s, group.limit)
