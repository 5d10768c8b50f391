"""A domain that shots began: the first request shows them all, and asks for their tasks first."""

from __future__ import annotations

from kshot.data.example import Example
from kshot.methods.explore.domains import domain_of
from kshot.methods.explore.grow import GrowOptions, grow
from kshot.methods.explore.seams import Exploration
from kshot.models.fake import ScriptedModel

SHOTS = [Example(f"Sort pile {n}.", str(n)) for n in range(5)]


def asked(found, prompts, speaker):
    reader = speaker({"sorting": ["a1", "b2"]})
    list(grow(found, ScriptedModel(reader.script), prompts=prompts, options=GrowOptions(depth=1)))
    return reader.texts


def test_all_shots_are_shown_until_there_are_tasks(prompts, speaker):
    found = Exploration(domain_of(SHOTS, name="sorting"))
    first, second = asked(found, prompts, speaker)
    assert [shot.prompt in first["Examples"] for shot in SHOTS] == [True] * 5
    assert "first name the subtasks that they belong to" in first["Purpose"]
    assert len(second["Examples"].splitlines()) == GrowOptions().examples
    assert "first name" not in second["Purpose"]
    assert [node.origin for node in found.tree] == ["shots", "look_ahead", "look_ahead"]


def test_other_domains_are_asked_as_ever(planted, prompts, speaker):
    found = planted("sorting")
    first, _ = asked(found, prompts, speaker)
    assert "first name" not in first["Purpose"]
