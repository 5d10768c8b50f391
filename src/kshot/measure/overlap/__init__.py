"""Overlap between texts: ROUGE-L, fast and exact, and indexes that find all overlaps above a limit."""

from kshot.measure.overlap.distinct import DistinctTexts, Near, drop_overlapping
from kshot.measure.overlap.distribution import QUANTILES, Distribution, nearest_to, pair_distribution
from kshot.measure.overlap.index import OverlapIndex, RunIndex
from kshot.measure.overlap.lcs import lcs_length
from kshot.measure.overlap.rouge import f_measure, rouge_l, tokens
from kshot.measure.overlap.whole import WholeIndex

__all__ = [
    "QUANTILES",
    "DistinctTexts",
    "Distribution",
    "Near",
    "OverlapIndex",
    "RunIndex",
    "WholeIndex",
    "drop_overlapping",
    "f_measure",
    "lcs_length",
    "nearest_to",
    "pair_distribution",
    "rouge_l",
    "tokens",
]
