"""Each question's variants on the same items; what questions share is asked once."""

from dataclasses import replace

import pytest

from kshot.errors import InputError
from kshot.measure.statistics import compare_predictions
from kshot.methods.panda.pool import InsightPool
from kshot.models.fake.simulated import SimulatedReader
from kshot.pipeline.panda.ablate import run_ablations
from kshot.pipeline.panda.ablations import QUESTIONS, TITLES, variants_of


@pytest.fixture(scope="module")
def tables(world):
    parts = world.parts(world.simulated(), held_out=world.judged[40:])
    other = InsightPool([replace(one, insight="It is elsewhere.") for one in parts.pool], parts.pool.header)
    found = run_ablations(world.judged[:40], parts, pools={"elsewhere": other})
    return {table.question: table for table in found}


def values(table):
    return {one.variant.name: one.value for one in table.outcomes}


def test_every_question_is_answered(tables):
    assert tuple(tables) == QUESTIONS
    assert set(TITLES) == set(QUESTIONS)
    assert all(table.outcomes for table in tables.values())
    for table in tables.values():
        assert table.outcomes[0].difference is None
        assert all(one.p_holm is not None for one in table.outcomes[1:])


def test_a_weaker_expert_is_worse_and_gold_is_better(tables):
    weaker = list(values(tables["weaker_expert"]).values())
    assert weaker[0] > weaker[2] > weaker[3]
    gold = values(tables["gold_or_expert"])
    assert gold["gold labels"] > gold["the expert's answers"]


def test_none_is_zero_shot_and_sizes_are_the_first_records(tables):
    neighbours = values(tables["k"])
    assert neighbours["k = 0"] < 0.5 < neighbours["k = 6"]
    assert dict(tables["pool_size"].skipped) == dict.fromkeys(
        ("100 insights", "300 insights", "1,000 insights"), "the pool has 80 insights"
    )
    assert [one.pool_size for one in tables["pool_size"].outcomes] == [10, 30, 80]


def test_another_tasks_insights_do_not_transfer_here(tables):
    found = values(tables["transfer"])
    assert found["the task's own pool"] > found["pool of elsewhere"]
    assert found["pool of elsewhere"] == found["no insights"]


def test_differences_are_paired_against_the_first(world, tables):
    first, second = tables["k"].outcomes[0], tables["k"].outcomes[3]
    gold = [row.answer for row in world.judged[:40]]
    expected = compare_predictions(
        "accuracy", second.answers, first.answers, gold, labels=world.template.labels
    )
    assert second.difference == expected.difference
    assert second.difference_interval == expected.interval
    assert second.p_holm >= expected.p


def test_the_filter_leaves_records_out(tables):
    sizes = {one.variant.name: one.pool_size for one in tables["filter"].outcomes}
    assert sizes["against a label left out"] < sizes["all"] == sizes["probability from 0.5"]
    assert dict(tables["filter"].skipped) == {"probability from 0.8": "no record is left"}
    assert values(tables["filter"])["against a label left out"] > values(tables["filter"])["all"]


def test_harmful_insights_are_taken_out_by_held_out_shots(tables):
    all_of_them, useful = tables["usefulness"].outcomes
    assert useful.pool_size < all_of_them.pool_size


class Counting:
    """A model that counts its conversations."""

    def __init__(self, model):
        self.model, self.count = model, 0

    @property
    def id(self):
        return self.model.id

    def generate(self, conversations, **how):
        self.count += len(conversations)
        return self.model.generate(conversations, **how)


def test_what_questions_share_is_asked_once(world):
    parts = world.parts(world.simulated())
    model = Counting(world.simulated())
    run_ablations(world.judged[:10], replace(parts, model=model), questions=("order", "dedup", "mmr"))
    assert model.count == 10 * (2 + 3 + 2)  # the plain variant stands in all three, and is answered once


def test_without_shots_usefulness_is_skipped(world):
    (table,) = run_ablations(world.judged[:5], world.parts(world.simulated()), questions=("usefulness",))
    assert dict(table.skipped) == {
        "harmful ones left out": "there are no held-out shots to measure usefulness on"
    }


def test_the_order_in_the_prompt_is_turned(world):
    class Last:
        id = "last"

        def __init__(self):
            self.prompts = []

        def generate(self, conversations, **how):
            self.prompts += [turns[-1].content for turns in conversations]
            return SimulatedReader(world.template.labels).generate(conversations, **how)

    model = Last()
    parts = replace(world.parts(world.simulated()), model=model)
    run_ablations(world.judged[:2], parts, questions=("order",))
    cases = [[line for line in text.splitlines() if line.startswith("Case: ")] for text in model.prompts]
    assert cases[:2] == [found[::-1] for found in cases[2:]]
    assert len(cases[0]) == 6


def test_wrong_input_is_refused(world):
    parts = world.parts(world.simulated())
    with pytest.raises(InputError, match="'size' is none of"):
        run_ablations(world.judged, parts, questions=("size",))
    with pytest.raises(InputError, match="1 rows"):
        run_ablations(world.judged[:1], parts)
    assert [one.size for one in variants_of("pool_size", pool_size=250)] == [10, 30, 100, 250, 300, 1000]
