"""LLMs behind one seam: an OpenAI-compatible endpoint, or a local model; journaled, budgeted, counted."""

from kshot.models.endpoint.endpoint import Endpoint
from kshot.models.endpoint.gate import Flow
from kshot.models.endpoint.local import LocalEndpoint, LocalLossEndpoint, local_endpoint
from kshot.models.endpoint.meter import StepUsage
from kshot.models.endpoint.options import Budget, EndpointOptions, Estimate
from kshot.models.endpoint.request import tokens_of
from kshot.models.endpoint.structured import JsonCheck, json_check
from kshot.models.journal.call import Prices

__all__ = [
    "Budget",
    "Endpoint",
    "EndpointOptions",
    "Estimate",
    "Flow",
    "JsonCheck",
    "LocalEndpoint",
    "LocalLossEndpoint",
    "Prices",
    "StepUsage",
    "json_check",
    "local_endpoint",
    "tokens_of",
]
