"""The whole job on the toy world: learn, play, compare, report, and go on after a stop."""

import json
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path

import pytest
from toy_world import Maker, ToyWorld

from kshot.agents import SimulatedActor
from kshot.agents.ablate import Course
from kshot.errors import BudgetError, InputError, ModelError
from kshot.models.base import Reply
from kshot.models.embed import HashingEncoder
from kshot.models.endpoint import Budget, Endpoint
from kshot.models.fake import FakeServer
from kshot.pipeline.agents.estimate import estimate_tables
from kshot.pipeline.agents.tables import TablesAsked, plan_of, surveys, world_tables
from kshot.runs import silent

ASKED = TablesAsked(
    episodes=3, learn_from=2, conditions=("insights", "shuffled insights"), questions=("transfer",),
    simulated=True,
)  # fmt: skip
NAMES = ("toy", "toys")


class Toys(ToyWorld):
    """The same world under another name."""

    name = "toys"


def open_toys() -> Toys:
    return Toys()


def courses() -> list[Course]:
    made = []
    for name, maker in zip(NAMES, (Maker(), open_toys), strict=True):
        made.append(Course(name, maker, list, list, lambda variation, name=name: f"{name}-{variation}"))
    return made


@pytest.fixture(scope="module")
def served() -> Iterator[FakeServer]:
    with FakeServer(SimulatedActor()) as server:
        yield server


def endpoint(served: FakeServer, tmp_path: Path, **limits: int) -> Endpoint:
    budget = Budget(**limits) if limits else None
    return Endpoint(served.base_url, "fake", journal=tmp_path / "calls.sqlite", budget=budget)


def test_learn_play_compare_report_over_http(served: FakeServer, tmp_path: Path) -> None:
    encoder = HashingEncoder()
    with endpoint(served, tmp_path) as model:
        report, paths = world_tables(courses(), tmp_path / "out", model, encoder, ASKED, listener=silent)
    overall = report.conditions.overall
    assert overall is not None
    insights, none = overall.row("insights"), overall.row("no insights")
    assert insights is not None
    assert none is not None
    assert insights.score == 100
    assert none.score is not None
    assert none.score < 50
    assert (insights.n, insights.tasks, insights.episodes, insights.asked > 0) == (6, 2, 6, True)
    assert insights.difference == pytest.approx(100 - none.score)
    assert {row.verdict for row in overall.rows if row.name == "the gold path"} <= {
        "better",
        "too few rows to tell",
    }
    assert [one.question for one in report.questions] == ["transfer"]
    names = {row.name for task in report.questions[0].tasks for row in task.rows}
    assert names == {"no insights", "the task's own pool", "pool of toy", "pool of toys"}
    assert report.missing == ()
    assert {step.step for step in report.usage} == {"thoughts", "learn", "act"}
    assert report.claims[0].question == "used"
    assert "simulated model" in paths.markdown.read_text(encoding="utf-8")
    # nothing of the key or of the model's replies is needed again
    with endpoint(served, tmp_path, calls=1) as model:
        before = len(served.requests)
        again, _ = world_tables(courses(), tmp_path / "out", model, encoder, ASKED, listener=silent)
        assert len(served.requests) == before
        estimate = estimate_tables(courses(), tmp_path / "out", model.id, encoder, ASKED)
    assert replace(again, usage=()) == replace(report, usage=())
    assert (estimate.episodes, estimate.learn_requests, estimate.known) == (0, 0, True)


def test_a_budget_that_ends_leaves_a_report_that_names_what_is_missing(
    served: FakeServer, tmp_path: Path
) -> None:
    encoder, out, asked = HashingEncoder(), tmp_path / "out", replace(ASKED, questions=())
    with endpoint(served, tmp_path, calls=35) as model:
        report, paths = world_tables(courses()[:1], out, model, encoder, asked, listener=silent)
        estimate = estimate_tables(courses()[:1], out, model.id, encoder, asked)
    assert "episodes are missing; the same command plays them" in report.missing[0]
    assert "35 of 35 calls" in report.missing[0]
    left = sum(row.missing for task in report.conditions.tasks for row in task.rows)
    assert 0 < left <= estimate.episodes
    assert "Not finished" in paths.markdown.read_text(encoding="utf-8")
    with endpoint(served, tmp_path) as model:
        whole, _ = world_tables(courses()[:1], out, model, encoder, asked, listener=silent)
    assert whole.missing == ()
    lines = (out / "episodes.jsonl").read_text(encoding="utf-8").split("\n")[:-1]
    keys = [json.dumps(json.loads(line)["key"]) for line in lines]
    assert len(set(keys)) == len(keys) == 3 * len(plan_of(courses()[:1], asked).cells())


def test_before_anything_is_known_the_estimate_is_a_bound(tmp_path: Path) -> None:
    found = estimate_tables(courses(), tmp_path / "out", "", HashingEncoder(), ASKED)
    assert found.episodes == 3 * len(plan_of(courses(), ASKED).cells())
    assert not found.known
    assert not (tmp_path / "out").exists()


def test_a_model_that_refuses_ends_the_run_and_keeps_what_has_ended(tmp_path: Path) -> None:
    class Refusing:
        id = "refusing"
        asked = 0

        def generate(self, conversations: Sequence[object], **decoding: object) -> list[Reply]:
            self.asked += 1
            if self.asked > 40:
                raise ModelError("the key is wrong")
            return SimulatedActor().generate(conversations, **decoding)  # type: ignore[arg-type]

    asked = replace(ASKED, questions=())
    with pytest.raises(ModelError, match="key is wrong"):
        world_tables(courses(), tmp_path, Refusing(), HashingEncoder(), asked, listener=silent)
    assert (tmp_path / "episodes.jsonl").read_text(encoding="utf-8").count("\n") > 0


def test_lists_that_cannot_be_are_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="twice"):
        plan_of([courses()[0]] * 2, ASKED)
    with pytest.raises(InputError, match="the expert has no episode"):
        surveys(courses(), tmp_path, replace(ASKED, paths={"toy": {0: ("wait",)}}))
    with pytest.raises(InputError, match="policy 'dreamer'"):
        plan_of(courses(), replace(ASKED, policy="dreamer"))


def test_an_estimate_asks_nobody() -> None:
    from kshot.pipeline.agents.estimate import NobodyAsked

    with pytest.raises(BudgetError):
        NobodyAsked("m").generate([])
