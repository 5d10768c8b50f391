"""Growing the tree of tasks: look ahead splits a task, back track widens it, until little new comes."""

from kshot.methods.explore.grow.names import NameFilter, NameVectors, Verdict
from kshot.methods.explore.grow.options import GrowOptions
from kshot.methods.explore.grow.probing import ProbeResult, probes
from kshot.methods.explore.grow.search import grow

__all__ = ["GrowOptions", "NameFilter", "NameVectors", "ProbeResult", "Verdict", "grow", "probes"]
