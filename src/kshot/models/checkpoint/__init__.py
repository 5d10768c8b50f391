"""A mix of models at rest: planned from headers, then streamed from disk to disk."""

from kshot.models.checkpoint.parts import Factors, LayerWeights, Member, MixPlan, Operation, TensorPlan
from kshot.models.checkpoint.plan import estimate, plan_mix
from kshot.models.checkpoint.write import MixResult, write_mix

__all__ = [
    "Factors",
    "LayerWeights",
    "Member",
    "MixPlan",
    "MixResult",
    "Operation",
    "TensorPlan",
    "estimate",
    "plan_mix",
    "write_mix",
]
