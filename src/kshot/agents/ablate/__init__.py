"""Tables for interactive tasks: the same test variations with insights, without them, and with controls."""

from kshot.agents.ablate.arms import (
    CONDITIONS,
    NAMES,
    QUESTIONS,
    REFERENCE,
    TITLES,
    Arm,
    Condition,
    Variant,
    conditions_named,
    variants_of,
)
from kshot.agents.ablate.compare import (
    Compared,
    ScoreClaim,
    Scores,
    claims,
    compared,
    headline,
    mean_interval,
    mean_score,
    variation_scores,
)
from kshot.agents.ablate.course import Course, Ground, scienceworld_course, surveyed
from kshot.agents.ablate.kept import kept_ground
from kshot.agents.ablate.learnt import PoolSettings
from kshot.agents.ablate.plan import Estimate, Plan, estimated, planned, pools_needed
from kshot.agents.ablate.play import Cell, Player, PlaySettings
from kshot.agents.ablate.pools import Pools
from kshot.agents.ablate.store import EpisodeKey, EpisodeStore

__all__ = [
    "CONDITIONS",
    "NAMES",
    "QUESTIONS",
    "REFERENCE",
    "TITLES",
    "Arm",
    "Cell",
    "Compared",
    "Condition",
    "Course",
    "EpisodeKey",
    "EpisodeStore",
    "Estimate",
    "Ground",
    "Plan",
    "PlaySettings",
    "Player",
    "PoolSettings",
    "Pools",
    "ScoreClaim",
    "Scores",
    "Variant",
    "claims",
    "compared",
    "conditions_named",
    "estimated",
    "headline",
    "kept_ground",
    "mean_interval",
    "mean_score",
    "planned",
    "pools_needed",
    "scienceworld_course",
    "surveyed",
    "variants_of",
    "variation_scores",
]
