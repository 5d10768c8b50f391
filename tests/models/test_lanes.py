"""Lanes: many conversations of several steps, side by side, whatever stands behind the seam."""

from __future__ import annotations

import random
from collections.abc import Mapping
from contextlib import contextmanager
from typing import Any

import pytest

from kshot.data.example import Message
from kshot.errors import BudgetError, ModelError
from kshot.models.asking import Question, asked
from kshot.models.endpoint import Budget, Endpoint, EndpointOptions, local_endpoint
from kshot.models.fake import FakeReply, FakeServer, Faults, ScriptedModel, request_text
from kshot.models.lanes import checked, run_lanes


def question(text, **fields):
    return Question((Message("user", text),), **fields)


def walk(start, steps, seen=None):
    text = start
    for _ in range(steps):
        reply = yield question(text)
        text = reply.text
        if seen is not None:
            seen.append(text)
    return text


@contextmanager
def scripted():
    yield ScriptedModel(lambda turns: turns[-1].content + "!")


@contextmanager
def local():
    yield local_endpoint(ScriptedModel(lambda turns: turns[-1].content + "!"))


@contextmanager
def endpoint():
    drawn = random.Random(0)

    def say(body: Mapping[str, Any]) -> FakeReply:
        return FakeReply(request_text(body) + "!", latency=drawn.random() * 0.02)

    with FakeServer(say) as server, Endpoint(server.base_url, "fake", concurrency=7) as model:
        yield model


@pytest.mark.parametrize("behind", [scripted, local, endpoint])
def test_lanes_of_different_lengths_come_back_in_order(behind):
    steps = [3, 0, 1, 5, 2] * 20
    with behind() as model:
        found = run_lanes(model, (walk(str(place), count) for place, count in enumerate(steps)))
    assert found == [f"{place}{'!' * count}" for place, count in enumerate(steps)]


def test_no_lanes():
    assert run_lanes(ScriptedModel([]), []) == []


def test_lanes_advance_evenly():
    """A lane's second step waits until all lanes had their first, where there is room for all."""
    model = ScriptedModel(lambda turns: turns[-1].content + "!")
    run_lanes(model, (walk(name, 2) for name in "abc"))
    assert [turns[-1].content for turns in model.conversations] == ["a", "b", "c", "a!", "b!", "c!"]


def test_the_endpoint_is_kept_busy():
    """With as many lanes as places, all places are taken at every step."""
    most = [0]

    def watch(at, bound, flying):
        most[0] = max(most[0], flying)

    with (
        FakeServer(lambda body: FakeReply("x", latency=0.05)) as server,
        Endpoint(server.base_url, "fake", concurrency=8, options=EndpointOptions(watch=watch)) as model,
    ):
        run_lanes(model, (walk(str(place), 4) for place in range(8)))
    assert len(server.requests) == 32
    assert most == [8]


def test_a_wrong_reply_is_asked_for_once_more_within_its_lane():
    def wrong(text):
        return "" if text.endswith("??") else "two question marks, please"

    def lane():
        reply, calls = yield from checked(question("hm", check=wrong))
        return reply.text, calls, reply.prompt_tokens

    replies = iter(["x?", "x??"])
    model = ScriptedModel(lambda turns: next(replies))
    assert run_lanes(model, [lane()]) == [("x??", 2, 1 + 6)]
    assert [turn.content for turn in model.conversations[1]] == ["hm", "x?", "two question marks, please"]


def test_a_reply_that_is_wrong_twice_fails_with_the_reason():
    def lane():
        reply, calls = yield from checked(question("hm", check=lambda text: "never right"))
        return reply.finish_reason, reply.error, calls

    found = run_lanes(ScriptedModel(lambda turns: "x"), [lane()])
    assert found == [("error", "unusable twice: never right", 2)]


def test_a_stop_leaves_what_the_lanes_wrote_down():
    seen: list[str] = []
    with FakeServer(lambda body: request_text(body) + "!") as server:
        limited = Endpoint(server.base_url, "fake", concurrency=2, budget=Budget(calls=5))
        with limited as model, pytest.raises(BudgetError):
            run_lanes(model, [walk("a", 9, seen), walk("b", 9, seen)])
    assert len(seen) == 5


def test_a_dead_server_ends_all_lanes():
    lanes = [walk(str(place), 3) for place in range(30)]
    with (
        FakeServer(lambda body: "x", faults=Faults(server_error=1.0)) as server,
        Endpoint(server.base_url, "fake", concurrency=4, options=EndpointOptions(retries=0)) as model,
        pytest.raises(ModelError),
    ):
        run_lanes(model, lanes)
    assert all(lane.gi_frame is None for lane in lanes[:20])


@pytest.mark.parametrize("behind", [scripted, local, endpoint])
def test_a_question_that_never_gets_known_is_an_error(behind):
    with behind() as model, pytest.raises(ModelError, match="none is under way"):
        list(asked_with_gap(model))


def asked_with_gap(model):
    from kshot.models.asking import replies_as_they_come

    yield from replies_as_they_come(model, iter([question("a"), None, None, None]))


def test_plain_questions_are_as_before():
    with endpoint() as model:
        assert sorted(reply.text for _, reply in asked(model, [question("a"), question("b")])) == ["a!", "b!"]
