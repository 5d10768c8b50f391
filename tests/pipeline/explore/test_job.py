"""Exploring as a job, with a simulated model in process: stops anywhere, goes on, ends the same."""

from __future__ import annotations

from dataclasses import replace

import pytest

from kshot.data.taskfile.settings import EndpointSection
from kshot.errors import InputError, ModelError
from kshot.methods.explore.fill import FillOptions
from kshot.methods.explore.grow import GrowOptions
from kshot.methods.explore.records import Item
from kshot.methods.explore.seams import Exploration
from kshot.methods.explore.tree import DomainTree
from kshot.models.fake import ScriptedModel
from kshot.models.fake.ontology import Ontology, OntologyModel, OntologySpeaker, RecallModel
from kshot.pipeline.explore import asked
from kshot.pipeline.explore.asked import ExploreJob
from kshot.pipeline.explore.folder import Saved
from kshot.pipeline.explore.job import explore, fill_domain, grow_domain

FILES = ("rows.jsonl", "refused.jsonl", "tree.json", "tree.md")


SEEDS = tuple(Item(f"Tell the workshop about piece {n}.", "", "It is done.") for n in range(8))


def world(seed=0):
    return OntologyModel(OntologySpeaker(Ontology.made((3, 3, 3), seed=seed), RecallModel(1.0), seed=seed))


def job(**changes):
    fields = {
        "llm": world(), "calls": 60, "seeds": SEEDS, "simulated": True,
        "fill": FillOptions(lanes=4, lane_calls=2, count=30),
    }  # fmt: skip
    return ExploreJob(**(fields | changes))


def planted():
    return DomainTree.planted("the domain", "All of it.")


def contents(place):
    return {name: (place / name).read_bytes() for name in FILES}


class Stop(Exception):
    pass


class StopsAfter:
    """A listener that kills the process after so many rounds, after their commit."""

    def __init__(self, rounds):
        self.left = rounds

    def __call__(self, event, **fields):
        if event == "round":
            self.left -= 1
            if self.left == 0:
                raise Stop


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    place = tmp_path_factory.mktemp("whole") / "out"
    saved = explore(place, planted(), job())
    return place, saved


def test_a_run_stays_within_its_budget_and_has_rows(whole):
    _, saved = whole
    assert 0 < saved.found.spent.calls <= 60
    assert len(saved.found.tree) > 4
    assert len(saved.found.rows) > 50
    assert sum(node.rows.kept for node in saved.found.tree) == len(saved.found.rows)


@pytest.mark.parametrize("rounds", [1, 2, 3, 4, 5, 6])
def test_stopped_after_any_round_the_same_command_ends_the_same(whole, tmp_path, rounds):
    place = tmp_path / "out"
    with pytest.raises(Stop):
        explore(place, planted(), job(), listener=StopsAfter(rounds))
    explore(place, planted(), job())
    assert contents(place) == contents(whole[0])


def test_growing_and_filling_apart_is_the_same_as_together(whole, tmp_path):
    place = tmp_path / "out"
    grow_domain(place, planted(), job())
    assert (place / "rows.jsonl").read_bytes() == b""
    fill_domain(place, job())
    assert contents(place) == contents(whole[0])


def test_a_finished_run_asks_nothing_more(whole, tmp_path):
    place = tmp_path / "out"
    explore(place, planted(), job())
    before = contents(place)
    saved = explore(place, None, job(llm=ScriptedModel(lambda turns: "never", id=world().id)))
    assert contents(place) == before
    assert saved.found.spent == whole[1].found.spent


def test_more_budget_goes_on(whole, tmp_path):
    place = tmp_path / "out"
    explore(place, planted(), job())
    saved = explore(place, None, job(calls=90))
    assert len(saved.found.rows) > len(whole[1].found.rows)
    assert saved.found.spent.calls <= 90
    first = (place / "rows.jsonl").read_bytes()
    assert first.startswith(contents(whole[0])["rows.jsonl"])


def test_an_edited_tree_is_filled_as_edited(tmp_path):
    place = tmp_path / "out"
    grow_domain(place, planted(), job())
    lines = (place / "tree.md").read_text(encoding="utf-8").splitlines(keepends=True)
    (place / "tree.md").write_text(
        "".join(lines) + "- a task of my own: because I say so.\n", encoding="utf-8"
    )
    saved = fill_domain(place, job())
    assert "a task of my own" in [node.name for node in saved.found.tree]
    assert "was edited" in saved.notes[0]


@pytest.mark.parametrize(
    ("changes", "named"),
    [
        ({"grow": GrowOptions(seed=1)}, "seed"),
        ({"grow": GrowOptions(depth=1)}, "depth"),
        ({"method": "flat"}, "method"),
        ({"language": "zh"}, "prompts"),
        ({"llm": world(1)}, "llm"),
    ],
)
def test_other_options_are_refused_once_it_was_begun(whole, changes, named):
    with pytest.raises(InputError, match=f"begun here with {named}"):
        explore(whole[0], None, job(**changes))


def test_another_domain_is_refused(whole):
    with pytest.raises(InputError, match="explores 'the domain', not 'wine'"):
        explore(whole[0], DomainTree.planted("wine"), job())


def test_a_count_of_rows_is_reached_and_shared(tmp_path):
    saved = explore(tmp_path / "out", planted(), job(rows=100, calls=200))
    assert len(saved.found.rows) >= 100
    kept = [node.rows.kept for node in saved.found.tree if node.rows.kept]
    assert max(kept) <= 3 * (100 // len(kept) + 1)


@pytest.mark.parametrize("method", ["fixed", "flat", "depth_zero", "self_instruct"])
def test_baselines_run_by_the_same_command(tmp_path, method):
    saved = explore(tmp_path / "out", planted(), job(method=method, calls=40))
    assert len(saved.found.rows) > 20
    assert saved.found.spent.calls <= 40
    if method in ("depth_zero", "self_instruct"):
        assert len(saved.found.tree) == 1


@pytest.mark.parametrize("method", ["depth_zero", "self_instruct"])
def test_a_baseline_stopped_goes_on(tmp_path, method):
    plain = explore(tmp_path / "whole", planted(), job(method=method, calls=30))
    with pytest.raises(Stop):
        explore(tmp_path / "out", planted(), job(method=method, calls=30), listener=StopsAfter(1))
    saved = explore(tmp_path / "out", None, job(method=method, calls=30))
    assert saved.found.rows == plain.found.rows


@pytest.mark.parametrize("changes", [{"calls": None}, {"calls": 0}, {"rows": -1}, {"method": "magic"}])
def test_jobs_that_cannot_be(changes):
    with pytest.raises(InputError):
        job(**changes)


def test_growing_needs_a_method_that_grows(tmp_path):
    with pytest.raises(InputError, match="grows no tree"):
        grow_domain(tmp_path / "out", planted(), job(method="self_instruct"))


def test_a_model_that_cannot_answer_leaves_the_folder_whole(tmp_path):
    def refuse(turns):
        raise ModelError("the model is gone")

    place = tmp_path / "out"
    with pytest.raises(ModelError, match=r"none of 1 questions was answered.*is gone"):
        explore(place, planted(), job(llm=ScriptedModel(refuse, id=world().id)))
    saved = explore(place, None, job())
    assert len(saved.found.rows) > 50


def test_limits_in_tokens(tmp_path):
    saved = explore(tmp_path / "out", planted(), replace(job(calls=None, tokens=20_000)))
    assert 10_000 < saved.found.spent.tokens < 22_000


def test_a_listener_is_told_how_far_it_is_towards_what_ends_it_first(tmp_path):
    told = []
    explore(
        tmp_path / "out", planted(), job(rows=60, calls=200), listener=lambda event, **more: told.append(more)
    )
    shares = [more["share"] for more in told if "share" in more]
    assert shares == sorted(shares)
    assert any(0 < share < 1 for share in shares)
    assert shares[-1] == 1.0


def test_tokens_that_earlier_processes_paid_are_no_longer_there(monkeypatch, tmp_path):
    budgets = []

    def noted(section, *, budget):
        budgets.append(budget)
        return world()

    monkeypatch.setattr(asked, "open_endpoint", noted)
    begun = Saved(Exploration(planted()))
    step = {"step": "grow", "calls": 3, "prompt_tokens": 250, "completion_tokens": 150}
    begun.paid = {"calls": 3, "usd": 0.25, "steps": [step]}
    section = EndpointSection(base_url="http://127.0.0.1:9/v1", model="m", prompt_usd=1, completion_usd=2)
    with asked.opened(job(llm=section, calls=10, tokens=1000, usd=1.0), begun):
        pass
    assert [(one.calls, one.tokens, one.usd) for one in budgets] == [(7, 600, 0.75)]


def test_a_limit_in_money_needs_prices():
    unpriced = EndpointSection(base_url="http://127.0.0.1:9/v1", model="m")
    for llm in (unpriced, "some-folder", world()):
        with pytest.raises(InputError, match="prices of an endpoint"):
            job(llm=llm, usd=1.0)
