"""A hidden ontology of tasks and a simulated model that recalls it unevenly: for tests of exploring."""

from kshot.models.fake.ontology.log import CoverageScore, ItemLog, score
from kshot.models.fake.ontology.model import OntologyModel
from kshot.models.fake.ontology.recall import RecallModel
from kshot.models.fake.ontology.speaker import OntologySpeaker
from kshot.models.fake.ontology.stated import stated_shape, stated_speaker
from kshot.models.fake.ontology.world import Ontology

__all__ = [
    "CoverageScore",
    "ItemLog",
    "Ontology",
    "OntologyModel",
    "OntologySpeaker",
    "RecallModel",
    "score",
    "stated_shape",
    "stated_speaker",
]
