"""With the simulated model behind a real socket: insights help, controls do not, better experts help more."""

import pytest

from kshot.measure.statistics import compare_predictions
from kshot.models.endpoint import Endpoint
from kshot.models.fake import FakeServer
from kshot.pipeline.panda.conditions import REFERENCE
from kshot.pipeline.panda.evidence import gather_evidence

NAMES = (
    "nearest examples, expert's labels", "insights", "insights and labels", "shuffled insights",
    "irrelevant insights", "corrupted insights", "neutral filler", "the expert itself",
)  # fmt: skip


@pytest.fixture(scope="module")
def served(world, tmp_path_factory):
    """The evidence with the expert's and with gold labels, over HTTP."""
    journal = tmp_path_factory.mktemp("journal") / "calls.sqlite"
    with FakeServer(world.simulated()) as server, Endpoint(server.base_url, "fake", journal=journal) as model:
        parts, rows = world.parts(model), world.judged[:80]
        expert = gather_evidence(rows, parts, names=NAMES)
        gold = gather_evidence(rows, world.parts(model, gold=True), names=("insights",))
        paid = sum(server.paid.values())
        again = gather_evidence(rows, world.parts(model), names=("insights", "corrupted insights"))
        return expert, gold, again, (paid, sum(server.paid.values()))


def accuracy(evidence, name):
    return evidence.outcome(name).value


def against(evidence, name, other):
    a, b = evidence.outcome(name), evidence.outcome(other)
    return compare_predictions("accuracy", a.answers, b.answers, evidence.gold)


def test_accuracy_rises_with_insights(served):
    expert = served[0]
    assert accuracy(expert, REFERENCE) < 0.4
    assert accuracy(expert, "insights") > 0.7
    assert against(expert, "insights", REFERENCE).verdict == "better"


@pytest.mark.parametrize("control", ["shuffled insights", "irrelevant insights", "neutral filler"])
def test_it_returns_to_zero_shot_where_insights_say_nothing_of_the_row(served, control):
    expert = served[0]
    assert abs(accuracy(expert, control) - accuracy(expert, REFERENCE)) < 0.12
    assert against(expert, control, REFERENCE).verdict != "better"
    assert against(expert, "insights", control).verdict == "better"


def test_gold_is_above_the_expert_and_the_expert_above_its_reverse(served):
    expert, gold, *_ = served
    assert accuracy(gold, "insights") > accuracy(expert, "insights") + 0.05
    compared = compare_predictions(
        "accuracy", gold.outcome("insights").answers, expert.outcome("insights").answers, expert.gold
    )
    assert compared.verdict == "better"
    assert against(expert, "insights", "corrupted insights").verdict == "better"
    assert against(expert, REFERENCE, "corrupted insights").verdict == "better"


def test_the_verdict_says_so(served):
    verdict = served[0].verdict
    assert verdict.used is True
    assert verdict.follows_blindly is True
    assert verdict.adds_to_examples is False  # the simulated model copies labels as well as it reads reasons
    assert verdict.missing == ()


def test_a_second_run_pays_nothing_and_says_the_same(served):
    expert, _, again, (before, after) = served
    assert before == after
    for one in again.outcomes:
        assert (one.answers, one.value) == (expert.outcome(one.name).answers, accuracy(expert, one.name))
    assert sum(one.calls for one in again.outcomes) == 0
