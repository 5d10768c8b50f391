"""Models that are none: a scripted one, and a real HTTP server that speaks the chat API with faults."""

from kshot.models.fake.faults import Faults
from kshot.models.fake.ledger import Event, Recorded, canonical
from kshot.models.fake.replies import FakeReply, request_text
from kshot.models.fake.scripted import ScriptedModel
from kshot.models.fake.server import FakeServer
from kshot.models.fake.simulated import SimulatedReader

__all__ = [
    "Event",
    "FakeReply",
    "FakeServer",
    "Faults",
    "Recorded",
    "ScriptedModel",
    "SimulatedReader",
    "canonical",
    "request_text",
]
