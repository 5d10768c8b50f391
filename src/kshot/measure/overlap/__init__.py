"""Overlap between texts: ROUGE-L, fast and exact, and indexes that find all overlaps above a limit."""

from kshot.measure.overlap.index import OverlapIndex, RunIndex
from kshot.measure.overlap.rouge import f_measure, rouge_l, tokens
from kshot.measure.overlap.whole import WholeIndex

__all__ = ["OverlapIndex", "RunIndex", "WholeIndex", "f_measure", "rouge_l", "tokens"]
