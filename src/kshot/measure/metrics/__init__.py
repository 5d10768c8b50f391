"""Replies judged: the metrics, the explicit extraction of answers, one's own function, code that runs."""

from kshot.measure.metrics.extract import extract_label
from kshot.measure.metrics.extract_value import extract_choice, extract_number
from kshot.measure.metrics.scoring import (
    METRICS,
    check_metric,
    evaluate,
    invalid_count,
    row_scores,
)

__all__ = [
    "METRICS",
    "check_metric",
    "evaluate",
    "extract_choice",
    "extract_label",
    "extract_number",
    "invalid_count",
    "row_scores",
]
