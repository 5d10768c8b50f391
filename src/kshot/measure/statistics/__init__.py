"""More than luck? Intervals, paired tests, Holm's correction, and a verdict in words."""

from kshot.measure.statistics.paired import compare, compare_predictions, score_interval
from kshot.measure.statistics.proportions import mcnemar_exact, wilson
from kshot.measure.statistics.verdicts import Comparison, Verdict, holm, smallest_difference, verdict

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
