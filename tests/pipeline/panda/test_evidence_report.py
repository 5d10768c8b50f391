"""The evidence as a report: the same figures, labelled, written as page, Markdown and JSON."""

import json

import pytest

from kshot.measure.metrics import evaluate
from kshot.models.endpoint import Endpoint
from kshot.models.fake import FakeServer
from kshot.pipeline.panda.ablate import run_ablations
from kshot.pipeline.panda.conditions import REFERENCE
from kshot.pipeline.panda.evidence import gather_evidence
from kshot.pipeline.panda.evidence_report import Told, panda_report
from kshot.report.panda import GuideFacts, report_from_json, write_panda_report


@pytest.fixture(scope="module")
def made(world, tmp_path_factory):
    journal = tmp_path_factory.mktemp("journal") / "calls.sqlite"
    with FakeServer(world.simulated()) as server, Endpoint(server.base_url, "fake", journal=journal) as model:
        parts = world.parts(model)
        evidence = gather_evidence(world.judged[:24], parts)
        ablations = run_ablations(world.judged[:24], parts, questions=("k", "usefulness"))
        told = Told(task="places", simulated=True, facts=(("expert", "made-up"),))
        guide = GuideFacts(text="Look.", tokens=2)
        report = panda_report(evidence, parts, told, ablations=ablations, usage=model.usage(), guide=guide)
    return evidence, report


def test_the_figures_are_those_of_the_evidence(made):
    evidence, report = made
    assert [row.name for row in report.systems] == [one.name for one in evidence.outcomes]
    for row, one in zip(report.systems, evidence.outcomes, strict=True):
        assert (row.value, row.interval, row.n) == (one.value, one.interval, 24)
        assert row.more["macro_f1"] == evaluate(
            "macro_f1", one.answers, evidence.gold, labels=("harbour", "orchard", "quarry", "foundry")
        )
    assert report.headline == evidence.verdict.headline
    assert len(report.claims) == len(evidence.verdict.claims)
    assert {row.a for row in report.claims} | {row.b for row in report.claims} <= {
        row.name for row in report.systems
    }


def test_what_was_not_judged_is_told(made):
    _, report = made
    assert "guide was not judged: there is no guide." in report.notes
    usefulness = report.ablations[1]
    assert usefulness.skipped == {
        "harmful ones left out": "there are no held-out shots to measure usefulness on"
    }


def test_queries_show_failures_too(made):
    evidence, report = made
    kinds = {(row.answer == row.gold, row.without == row.gold) for row in report.queries}
    assert len(report.queries) == 5
    assert len(kinds) >= 3
    insights, plain = evidence.outcome("insights").answers, evidence.outcome(REFERENCE).answers
    texts = [row.prompt for row in evidence.items]
    for row in report.queries:
        at = texts.index(row.query)
        assert (row.answer, row.without, row.gold) == (insights[at], plain[at], evidence.gold[at])
        assert [one.score for one in row.chosen] == sorted((one.score for one in row.chosen), reverse=True)


def test_usage_comes_by_step(made):
    _, report = made
    assert {"learn", "answer", "cascade"} <= {row.step for row in report.usage}
    assert dict(report.pool)["insights"] == "80"
    assert sum(report.pool_labels.values()) == 80
    assert [row.name for row in report.cascade][:2] == ["cascade", "never ask"]


def test_a_remote_model_is_named_where_texts_leave(made, world):
    _, report = made
    assert len(report.leaves) == 1
    assert "went to http://127.0.0.1:" in report.leaves[0]
    local = panda_report(made[0], world.parts(world.simulated()), Told(task="places"))
    assert local.leaves == ()


def test_it_is_written_labelled_and_read_back(made, tmp_path):
    _, report = made
    paths = write_panda_report(report, tmp_path)
    assert "<b>simulated model</b>" in paths.html.read_text()
    assert "simulated model" in paths.markdown.read_text().splitlines()[0]
    assert report_from_json(json.loads(paths.json.read_text())) == report
