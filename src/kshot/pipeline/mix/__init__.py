"""A mix from beginning to end: planned, scored on the shots, weighed, written, told."""

from kshot.pipeline.mix.job import MixJob, Weighing
from kshot.pipeline.mix.planned import Planned, planned
from kshot.pipeline.mix.stand_alone import Mixed, mixed

__all__ = ["MixJob", "Mixed", "Planned", "Weighing", "mixed", "planned"]
