"""Which open data is near the shots, without repeats (arXiv 2408.15915)."""

from kshot.measure.similarity import drop_near_duplicates
from kshot.methods.select_data.pool import Pool
from kshot.methods.select_data.rank import Selector, Similarity, rank_pool
from kshot.methods.select_data.select import NOT_NEAREST, REPEAT, DataSelection, select_data

__all__ = [
    "NOT_NEAREST",
    "REPEAT",
    "DataSelection",
    "Pool",
    "Selector",
    "Similarity",
    "drop_near_duplicates",
    "rank_pool",
    "select_data",
]
