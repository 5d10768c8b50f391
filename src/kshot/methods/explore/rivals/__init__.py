"""What exploring is compared with: the same budget, the same rules and filters, another way to ask."""

from kshot.methods.explore.rivals.at_root import at_root, depth_zero, self_instruct
from kshot.methods.explore.rivals.curated import curated
from kshot.methods.explore.rivals.table import PAPER_BREADTH, RIVALS, Plan, Rival, Run
from kshot.methods.explore.rivals.wording import self_instruct_question

__all__ = [
    "PAPER_BREADTH",
    "RIVALS",
    "Plan",
    "Rival",
    "Run",
    "at_root",
    "curated",
    "depth_zero",
    "self_instruct",
    "self_instruct_question",
]
