"""Transformers causal language models behind the seams: replies, likelihoods, adapters on a shared base."""

from kshot.models.hf.adapted import AdaptedModel
from kshot.models.hf.model import HfModel

__all__ = ["AdaptedModel", "HfModel"]
