"""The threshold of the report's cascade: chosen on labelled rows alone, each left out of its own prompt."""

from dataclasses import replace

import pytest

from kshot.methods.panda.cascade import ALWAYS, NEVER
from kshot.models.fake import ScriptedModel
from kshot.pipeline.panda.cascading import FEWEST, MOST, chosen_threshold
from kshot.pipeline.panda.conditions import Extras
from kshot.pipeline.panda.evidence import gather_evidence
from kshot.pipeline.panda.evidence_report import Told, panda_report

SURE, UNSURE = "harbour", ("orchard", "harbour", "quarry")


@pytest.fixture
def parts(world):
    return world.parts(world.simulated())


class Torn:
    """Says ``harbour`` of texts that begin like it, and three different things of the others."""

    id = "torn"

    def generate(self, conversations, *, seed=0, **how):
        begins = [turns[-1].content.rpartition("Text: ")[2].startswith("har") for turns in conversations]
        return ScriptedModel([SURE if sure else UNSURE[seed % 3] for sure in begins]).generate(conversations)


def test_a_model_that_is_always_right_never_asks_and_one_that_is_never_right_always_asks(world, parts):
    rows = tuple(row for row in world.learned if row.answer == SURE)
    for found, threshold, words in (
        (parts.template.gold, NEVER, "never asked"),
        (lambda row: "orchard", ALWAYS, "always asked"),
    ):
        model = ScriptedModel(lambda turns, say=found: say(rows[0]))
        expert = (lambda asked: ["harbour"] * len(asked)) if threshold else world.expert
        choice = chosen_threshold(
            replace(parts, model=model, labelled=rows, expert=expert), Extras(), "accuracy"
        )
        assert choice.threshold == threshold
        assert words in choice.note
        assert f"{len(rows)} labelled rows by {3 * len(rows)} further draws" in choice.note


def test_the_middle_is_taken_where_only_the_sure_rows_are_right(world, parts):
    rows = tuple(row for row in world.learned if row.answer == SURE)
    said = [SURE if not row.prompt.startswith("har") else "quarry" for row in rows]
    truth = dict(zip((row.prompt for row in rows), said, strict=True))
    choice = chosen_threshold(
        replace(parts, model=Torn(), labelled=rows, expert=lambda asked: [truth[r.prompt] for r in asked]),
        Extras(), "accuracy",
    )  # fmt: skip
    assert choice.threshold == pytest.approx(2 / 3)
    assert "less than 67% of the LLM's draws agree" in choice.note


def test_a_row_is_left_out_of_its_own_prompt_and_its_answer_is_seen_by_nobody(world, parts):
    asked = []

    def expert(rows):
        asked.extend(rows)
        return world.expert(rows)

    model = ScriptedModel(lambda turns: "harbour")
    chosen_threshold(replace(parts, model=model, expert=expert), Extras(), "accuracy")
    assert len(asked) == MOST < len(world.learned)
    assert len(model.conversations) == 3 * MOST
    assert {row.answer for row in asked} == {""}
    for turns in model.conversations:
        cases, _, query = turns[-1].content.rpartition("Text: ")
        assert "Case: " in cases
        assert f"Case: {query.splitlines()[0]}\n" not in cases


def test_the_rows_are_drawn_by_the_seed(world, parts):
    drawn = []
    for seed in (0, 0, 1):
        model = ScriptedModel(lambda turns: "harbour")
        chosen_threshold(replace(parts, model=model, seed=seed), Extras(), "accuracy")
        drawn.append(model.conversations)
    assert drawn[0] == drawn[1] != drawn[2]


@pytest.mark.parametrize(
    ("changes", "metric", "why"),
    [
        ({"labelled": ()}, "accuracy", f"takes {FEWEST} labelled rows or more, and 0 are there"),
        ({}, "macro_f1", "a metric that is a mean of rows"),
    ],
)
def test_without_rows_or_a_metric_of_rows_the_draws_must_be_unanimous(parts, changes, metric, why):
    model = ScriptedModel([])
    choice = chosen_threshold(replace(parts, model=model, **changes), Extras(), metric)
    assert choice.threshold == 1
    assert why in choice.note
    assert model.conversations == []


def test_report_and_condition_tell_the_threshold_that_the_cascade_took(world, parts):
    many = gather_evidence(world.judged[:20], parts, names=("cascade",))
    few = gather_evidence(world.judged[:20], replace(parts, labelled=world.learned[:7]), names=("cascade",))
    for evidence, words in ((many, "chosen on 64 labelled rows by 192"), (few, "and 7 are there")):
        report = panda_report(evidence, parts, Told(task="places"))
        assert words in evidence.outcome("cascade").condition.note
        assert words in next(row.note for row in report.systems if row.name == "cascade")
        assert [words in row.note for row in report.cascade] == [True, False, False, False]


def test_the_threshold_decides_who_answers(world, parts):
    unknown = replace(parts, model=ScriptedModel(lambda turns: "no label"))
    evidence = gather_evidence(world.judged[:20], unknown, names=("cascade", "the expert itself"))
    assert evidence.outcome("cascade").answers == evidence.outcome("the expert itself").answers
    sure_and_wrong = replace(parts, model=ScriptedModel(lambda turns: "harbour"))
    evidence = gather_evidence(world.judged[:20], sure_and_wrong, names=("cascade", "the expert itself"))
    assert "always asked" in evidence.outcome("cascade").condition.note
    assert evidence.outcome("cascade").answers == evidence.outcome("the expert itself").answers
