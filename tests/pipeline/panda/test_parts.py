"""No insight with a test row's text reaches a prompt, whichever pool it stands in."""

from dataclasses import replace

import pytest

from kshot.methods.panda.pool import InsightPool
from kshot.methods.panda.records import Insight
from kshot.models.fake import ScriptedModel
from kshot.pipeline.panda.ablate import run_ablations
from kshot.pipeline.panda.conditions import Extras
from kshot.pipeline.panda.evidence import gather_evidence
from kshot.pipeline.panda.parts import parts_for, without_rows

LEAK = "This row's own answer stands here."


@pytest.fixture
def leaking(world):
    """Another pool that holds the first judged row, spelled otherwise, and one text that is nobody's."""
    own = Insight(0, f"  {world.judged[0].prompt.upper()} ", LEAK)
    return InsightPool([own, Insight(1, "somewhere else", "It is far.")], world.parts(ScriptedModel(
        lambda conversation: "harbour")).pool.header)  # fmt: skip


def test_a_pool_loses_the_texts_of_judged_rows_and_nothing_else(world, leaking):
    assert [one.key for one in without_rows(leaking, world.judged)] == ["somewhere else"]
    assert without_rows(leaking, world.judged[1:]) is leaking
    parts = replace(world.parts(world.simulated()), pool=leaking)
    clean, notes = parts_for(parts, world.judged)
    assert len(clean.pool) == 1
    assert notes == ("1 of 2 insights were left out: a test row has their text.",)


def test_nor_does_one_of_another_tasks_pool(world, leaking):
    model = ScriptedModel(lambda conversation: "harbour")
    parts = replace(world.parts(world.simulated()), model=model)
    rows = world.judged[:2]
    gather_evidence(rows, parts, names=("irrelevant insights",), extras=Extras(irrelevant=leaking))
    (table,) = run_ablations(rows, parts, questions=("transfer",), pools={"other": leaking})
    assert not any(LEAK in turn.content for turns in model.conversations for turn in turns)
    assert any("It is far." in turn.content for turns in model.conversations for turn in turns)
    assert {one.variant.name: one.pool_size for one in table.outcomes}["pool of other"] == 1
    own = leaking.with_insights(leaking.insights[:1])
    (table,) = run_ablations(rows, parts, questions=("transfer",), pools={"own": own})
    assert dict(table.skipped) == {
        "pool of own": "the pool is empty, or holds nothing but texts of test rows"
    }
