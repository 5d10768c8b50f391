"""Open knowledge seen: which experts and data were chosen and refused, and what the mixture makes of them."""

from kshot.report.knowledge.choice import DataFacts, DataPoint, ExpertFacts, ExpertRow, GroupRow
from kshot.report.knowledge.facts import AgreementFacts, AgreementRow, OpenKnowledge, PartRow
from kshot.report.knowledge.mixture import ParityRow, RouterFacts, TokenFacts, TrainingFacts

__all__ = [
    "AgreementFacts",
    "AgreementRow",
    "DataFacts",
    "DataPoint",
    "ExpertFacts",
    "ExpertRow",
    "GroupRow",
    "OpenKnowledge",
    "ParityRow",
    "PartRow",
    "RouterFacts",
    "TokenFacts",
    "TrainingFacts",
]
