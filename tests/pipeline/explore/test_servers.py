"""Servers that are dead, malformed, repeat one name, or never give enough: over HTTP, within the budget."""

from __future__ import annotations

import json
import re

import pytest

from kshot.errors import ModelError
from kshot.methods.explore.fill import FillOptions
from kshot.methods.explore.tree import DomainTree
from kshot.models.endpoint import Endpoint, EndpointOptions
from kshot.models.fake import FakeReply, FakeServer, Faults, request_text
from kshot.pipeline.explore.asked import ExploreJob
from kshot.pipeline.explore.job import explore
from kshot.pipeline.panda.llm import section

CALLS = 40


def malformed(body):
    return "I would rather not answer as JSON."


def one_name(body):
    """The same name, and the same row, for ever."""
    item = {"instruction": "Write a short note on rivers.", "input": "", "output": "Rivers flow."}
    if "## Existing subtasks" in request_text(body):
        return json.dumps(
            {"subtasks": [{"name": "rivers", "reason": "water", "examples": [item]}], "complete": False}
        )
    return json.dumps({"rows": [item]})


def never_enough(body):
    """One new name, one new row a call, whatever was asked for."""
    text = request_text(body)
    seed = str(body["seed"])
    letters = "".join(chr(97 + int(digit)) for digit in seed)
    item = {"instruction": f"Tell me about {letters} {letters[::-1]} now.", "input": "", "output": "Gladly."}
    if "## Existing subtasks" in text:
        return json.dumps(
            {"subtasks": [{"name": f"topic {letters}", "reason": "it is one"}], "complete": False}
        )
    return json.dumps({"rows": [item]})


def too_many(body):
    """Three times as many as were asked for."""
    wanted = int(re.search(r"Wanted: (\d+)", request_text(body))[1])
    found = [json.loads(never_enough({**body, "seed": body["seed"] + place})) for place in range(3 * wanted)]
    key = next(iter(found[0]))
    return json.dumps({key: [one[key][0] for one in found], "complete": False})


def run(place, server, *, calls=CALLS, **changes):
    job = ExploreJob(
        llm=section(server.base_url, "fake", concurrency=4),
        calls=calls, fill=FillOptions(lanes=4, lane_calls=2), **changes,
    )  # fmt: skip
    return explore(place, DomainTree.planted("rivers and lakes", "All that flows."), job)


@pytest.mark.parametrize("script", [malformed, one_name, never_enough, too_many])
def test_it_ends_within_the_budget_by_the_servers_own_count(tmp_path, script):
    with FakeServer(script) as server:
        saved = run(tmp_path / "out", server)
        assert len(server.requests) <= CALLS
    assert saved.found.spent.calls <= CALLS
    if script is malformed:
        assert saved.found.rows == []
        assert all(node.closed or node.full for node in saved.found.tree)
    if script is one_name:
        assert len(saved.found.rows) <= len(saved.found.tree)
        assert {one.rule for one in saved.found.refused} & {"repeat", "overlap"}
    if script is never_enough:
        assert len(saved.found.rows) > 5


@pytest.mark.parametrize("method", ["fixed", "flat", "depth_zero"])
@pytest.mark.parametrize("script", [malformed, one_name, never_enough])
def test_the_baselines_end_too(tmp_path, method, script):
    with FakeServer(script) as server:
        run(tmp_path / "out", server, method=method)
        assert len(server.requests) <= CALLS


def test_a_server_that_only_fails_is_told_and_nothing_is_closed(tmp_path, monkeypatch):
    quick = EndpointOptions(retries=0, first_backoff_s=0.0, longest_backoff_s=0.0)
    monkeypatch.setattr(
        "kshot.pipeline.explore.asked.open_endpoint",
        lambda asked, budget: Endpoint(
            asked.base_url, asked.model, budget=budget, concurrency=4, options=quick
        ),
    )
    with FakeServer(never_enough, faults=Faults(server_error=1.0)) as server, pytest.raises(ModelError):
        run(tmp_path / "out", server)
    with FakeServer(never_enough) as server:
        saved = run(tmp_path / "out", server)
    assert len(saved.found.rows) > 5


def test_faults_on_the_way_change_nothing(tmp_path):
    """429s and lost replies are asked again by the endpoint: the result is that of a quiet server.

    The budget is wider than the plan: a lost reply may have been paid, and the endpoint counts it.
    """
    with FakeServer(never_enough) as server:
        quiet = run(tmp_path / "quiet", server, rows=15, calls=200)
    faults = Faults(rate_limited=0.1, disconnected=0.05, seed=1, latency=(0.0, 0.02))
    with FakeServer(never_enough, faults=faults) as server:
        loud = run(tmp_path / "loud", server, rows=15, calls=200)
    assert loud.found.rows == quiet.found.rows
    assert [node.name for node in loud.found.tree] == [node.name for node in quiet.found.tree]


def test_a_reply_longer_than_the_limit_is_cut_and_used(tmp_path):
    def long(body):
        text = too_many(body)
        return FakeReply(text[: len(text) * 2 // 3], "length")

    with FakeServer(long) as server:
        saved = run(tmp_path / "out", server)
    assert len(saved.found.rows) > 5
