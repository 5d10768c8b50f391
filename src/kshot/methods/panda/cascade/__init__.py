"""The model where it is sure of itself, the expert where it is not: how often, and at what cost."""

from kshot.methods.panda.cascade.ask import CascadeResult, ExpertAnswers, cascade, with_expert
from kshot.methods.panda.cascade.draws import Drawn, draw_answers, majority, probability_of
from kshot.methods.panda.cascade.report import CascadeReport, CascadeRow, cascade_report
from kshot.methods.panda.cascade.threshold import ALWAYS, NEVER, Threshold, threshold_from_shots

__all__ = [
    "ALWAYS",
    "NEVER",
    "CascadeReport",
    "CascadeResult",
    "CascadeRow",
    "Drawn",
    "ExpertAnswers",
    "Threshold",
    "cascade",
    "cascade_report",
    "draw_answers",
    "majority",
    "probability_of",
    "threshold_from_shots",
    "with_expert",
]
