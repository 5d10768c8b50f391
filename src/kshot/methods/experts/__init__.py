"""Which experts suit these shots (arXiv 2408.15915): pool, diversity, coverage, and how sure it is."""

from kshot.methods.experts.candidates import Candidates, competition_ranks
from kshot.methods.experts.chances import Chances, coverage_chances, pool_chances
from kshot.methods.experts.coverage import select_covering
from kshot.methods.experts.groups import Groups
from kshot.methods.experts.select import RULES, Rule, select, select_experts
from kshot.methods.experts.selection import ExpertSelection
from kshot.methods.experts.shot_table import ShotTable

__all__ = [
    "RULES",
    "Candidates",
    "Chances",
    "ExpertSelection",
    "Groups",
    "Rule",
    "ShotTable",
    "competition_ranks",
    "coverage_chances",
    "pool_chances",
    "select",
    "select_covering",
    "select_experts",
]
