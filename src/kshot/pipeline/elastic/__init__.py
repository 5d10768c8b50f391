"""Elastic fine-tuning: trained on a task, mixed back with the base by the alpha that keeps both."""

from kshot.pipeline.elastic.job import ElasticJob
from kshot.pipeline.elastic.run import ElasticResult, elastic

__all__ = ["ElasticJob", "ElasticResult", "elastic"]
