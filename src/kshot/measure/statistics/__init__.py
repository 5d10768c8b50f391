"""More than luck? Intervals, paired tests, Holm's correction, and a verdict in words."""

from kshot.measure.statistics.paired import (
    Comparison,
    Verdict,
    compare,
    compare_predictions,
    holm,
    mcnemar_exact,
    score_interval,
    smallest_difference,
    verdict,
    wilson,
)

__all__ = [
    "Comparison",
    "Verdict",
    "compare",
    "compare_predictions",
    "holm",
    "mcnemar_exact",
    "score_interval",
    "smallest_difference",
    "verdict",
    "wilson",
]
