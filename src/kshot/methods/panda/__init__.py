"""PANDA: an expert's preferences, explained once, become insights in the prompt (arXiv 2402.12835)."""

from kshot.methods.panda.pool import InsightPool, PoolHeader, PoolWriter
from kshot.methods.panda.records import Candidate, ExpertFacts, Insight, Preference

__all__ = ["Candidate", "ExpertFacts", "Insight", "InsightPool", "PoolHeader", "PoolWriter", "Preference"]
