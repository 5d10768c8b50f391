"""Base, fine-tuned and mixed on the same rows: values, paired tests, and how much was kept and given back."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from itertools import combinations
from typing import Any

import numpy as np

from kshot.errors import MetricError
from kshot.measure.statistics import compare, holm, wilson
from kshot.measure.statistics.bootstrap import grouped, percentile_interval, resampled
from kshot.pipeline.elastic.row_values import Judged, Values, is_better_high

BASE, TUNED, MIXED = "base", "fine-tuned", "mixed"


@dataclass(frozen=True, slots=True, eq=False)
class Scored:
    """The models on one set of rows.

    Attributes:
        name: Of the rows: ``test``, ``held-back rows``, ``general rows``, ``general test``.
        side: ``target`` or ``general``.
        selection: Whether alpha was chosen by these very rows, so that nothing here is evidence.
        models: Name of a model (``base``, ``fine-tuned``, ``mixed``) to what it gets; all on the same rows.
    """

    name: str
    side: str
    selection: bool
    models: Mapping[str, Judged]

    def to_json(self, metric: str) -> dict[str, Any]:
        """Values with 95 % intervals; on rows that chose nothing also paired tests, Holm-corrected."""
        sign = 1.0 if is_better_high(metric) else -1.0
        told: dict[str, Any] = {
            "rows": self.name,
            "side": self.side,
            "selection": self.selection,
            "n": len(next(iter(self.models.values())).values),
            "models": {name: _value(found) for name, found in self.models.items()},
            "comparisons": [],
        }
        if not self.selection:
            told["comparisons"] = self._comparisons(sign)
        if {BASE, TUNED, MIXED} <= self.models.keys():
            base, tuned, mixed = (sign * self.models[name].values for name in (BASE, TUNED, MIXED))
            told["kept_gain" if self.side == "target" else "recovered_loss"] = (
                share_of(mixed - base, tuned - base)
                if self.side == "target"
                else share_of(mixed - tuned, base - tuned)
            )
        return told

    def _comparisons(self, sign: float) -> list[dict[str, Any]]:
        pairs = list(combinations([*self.models][::-1], 2))
        try:
            found = [
                compare(sign * self.models[one].values, sign * self.models[other].values)
                for one, other in pairs
            ]
        except MetricError:  # one row tells nothing of luck
            return []
        adjusted = holm([each.p for each in found])
        return [
            {"of": one, "against": other} | asdict(each.with_p(p)) | {"p": each.p, "p_holm": p}
            for (one, other), each, p in zip(pairs, found, adjusted, strict=True)
        ]


def share_of(part: Values, whole: Values) -> dict[str, Any]:
    """Which share of one mean difference another one makes up, with a 95 % interval by bootstrap of rows.

    Args:
        part: (K,) row differences above the line.
        whole: (K,) row differences below it.

    Returns:
        ``share`` is None where ``whole`` has no mean above 0: there is nothing to take a share of.
        ``interval`` is None where more than a fortieth of the draws leave nothing to take a share of.

    >>> share_of(np.array([1.0, 1, 0, 1]), np.ones(4))["share"]
    0.75
    """
    if not whole.mean() > 0:
        return {"share": None, "interval": None}
    groups, counts = grouped(np.column_stack([part, whole]))

    def ratio(drawn: Values) -> Values:
        below = drawn @ groups[:, 1]
        return np.where(below > 0, drawn @ groups[:, 0] / np.where(below > 0, below, 1.0), np.nan)

    draws = resampled(counts, ratio)
    known = draws[np.isfinite(draws)]
    enough = len(known) >= 0.975 * len(draws)
    return {
        "share": float(part.mean() / whole.mean()),
        "interval": list(percentile_interval(known)) if enough else None,
    }


def _value(found: Judged) -> dict[str, Any]:
    values = found.values
    if np.isin(values, (0.0, 1.0)).all():
        low, high = wilson(int(values.sum()), len(values))
    else:
        groups, counts = grouped(values[:, None])
        low, high = percentile_interval(resampled(counts, lambda d: d @ groups[:, 0] / len(values)))
    return {"value": float(values.mean()), "interval": [low, high], "loss": float(found.losses.mean())}
