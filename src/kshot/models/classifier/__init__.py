"""Classifiers: a transformers model, a logistic head on embeddings, the majority."""

from kshot.models.classifier.head import EmbeddingHead
from kshot.models.classifier.majority import MajorityClassifier
from kshot.models.classifier.transformers_classifier import TransformersClassifier

__all__ = ["EmbeddingHead", "MajorityClassifier", "TransformersClassifier"]
