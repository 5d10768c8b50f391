"""Real sockets, real faults: what is sent again, what fails one question, what stops the run."""

import socket
import threading
import time
from collections.abc import Mapping
from http.server import BaseHTTPRequestHandler, HTTPServer
from typing import Any

import pytest
from endpoint_questions import echo, question, questions, served

from kshot.errors import ModelError
from kshot.models.asking import replies
from kshot.models.endpoint import Endpoint
from kshot.models.fake import FakeReply, Faults


def free_port() -> int:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        return int(taken.getsockname()[1])


@pytest.mark.parametrize(
    "faults",
    [
        Faults(rate_limited=0.5),
        Faults(malformed=0.3),
        Faults(disconnected=0.3, after_paying=True),
        Faults(cut_body=0.3),
        Faults(server_error=0.3),
        Faults(rate_limited=0.2, malformed=0.1, disconnected=0.1, server_error=0.1, latency=(0.0, 0.02)),
    ],
    ids=lambda faults: ",".join(
        n
        for n in ("rate_limited", "malformed", "disconnected", "cut_body", "server_error")
        if getattr(faults, n)
    ),
)
def test_nothing_is_lost(faults: Faults) -> None:
    with served(echo, faults=faults, concurrency=8, retries=12) as (server, endpoint):
        found = replies(endpoint, questions(80))
        assert [reply.text for reply in found] == [f"re: question {n}" for n in range(80)]
        assert len(server.requests) > 80  # the faults did happen
        lost = sum(
            server.stats()["outcomes"].get(fate, 0) for fate in ("malformed", "disconnected", "cut_body")
        )
    assert sum(reply.calls for reply in found) == 80 + lost
    assert endpoint.usage()[0].calls == 80 + lost


def test_a_storm_of_429_lowers_the_bound_and_costs_nothing() -> None:
    with served(echo, faults=Faults(capacity=4, latency=(0.005, 0.01)), concurrency=32) as (_, endpoint):
        found = replies(endpoint, questions(150))
        flow = endpoint.flow()
    assert all(reply.calls == 1 and reply.finish_reason == "stop" for reply in found)
    assert flow.halvings >= 2
    assert flow.lowest < 16


@pytest.mark.parametrize("said", ["0.6", "date", "ms"])
def test_everybody_waits_as_long_as_the_server_asks(said: str) -> None:
    from email.utils import formatdate

    came: list[float] = []

    def once(body: Mapping[str, Any]) -> str | FakeReply:
        came.append(time.time())
        if len(came) > 1:
            return "ok"
        header = {"Retry-After": formatdate(time.time() + 2, usegmt=True) if said == "date" else said}
        return FakeReply(
            "slow down", status=429, headers={"Retry-After-Ms": "600"} if said == "ms" else header
        )

    with served(once, concurrency=1) as (_, e):
        assert {reply.text for reply in replies(e, questions(4))} == {"ok"}
        assert e.flow().paused_s > 0.5
    least = 0.9 if said == "date" else 0.59  # a date has whole seconds
    assert came[1] - came[0] >= least
    assert came[-1] - came[1] < 1.0


def test_one_bad_question_fails_alone() -> None:
    bad = {
        "question 3": FakeReply("this text is too long", status=400),
        "question 5": FakeReply("half a", finish_reason="content_filter"),
        "question 7": FakeReply(""),
        "question 9": FakeReply("", finish_reason="length"),
        "question 11": FakeReply("unprocessable", status=422),
        "question 13": FakeReply("broken", status=500),
    }
    with served(lambda body: bad.get(body["messages"][-1]["content"], "ok"), retries=2) as (server, endpoint):
        found = replies(endpoint, questions(40))
        asked = [request.body["messages"][-1]["content"] for request in server.requests]
    failed = {n: reply.error for n, reply in enumerate(found) if reply.finish_reason == "error"}
    assert failed == {
        3: "status 400: this text is too long",
        5: "the endpoint's content filter",
        7: "an empty reply (2 attempts)",
        9: "the limit of tokens was used up before any text",
        11: "status 422: unprocessable",
        13: "status 500: broken (3 attempts)",
    }
    assert [asked.count(f"question {n}") for n in (3, 5, 7, 9, 11, 13)] == [1, 1, 2, 1, 1, 3]
    assert all(reply.text == "" for n, reply in enumerate(found) if n in failed)
    assert endpoint.usage()[0].failed == 6


def test_an_empty_reply_is_asked_for_once_more() -> None:
    said = iter(["", "now"])
    with served(lambda body: next(said)) as (_, endpoint):
        [reply] = replies(endpoint, [question("a")])
    assert (reply.text, reply.calls) == ("now", 2)


def test_a_slow_reply_is_given_up_and_asked_for_again() -> None:
    slow = iter([FakeReply("late", latency=3.0), "in time"])
    with served(lambda body: next(slow), timeout_s=0.3) as (_, endpoint):
        began = time.monotonic()
        [reply] = replies(endpoint, [question("a")])
    assert (reply.text, reply.calls) == ("in time", 2)
    assert time.monotonic() - began < 2.0


def test_no_reply_at_all_in_time_fails_the_question() -> None:
    with served(lambda body: FakeReply("late", latency=3.0), timeout_s=0.1, retries=1) as (_, endpoint):
        [reply] = replies(endpoint, [question("a")])
    assert reply.error == "no reply within 0.1 s (2 attempts)"


@pytest.mark.parametrize(("status", "said"), [(401, "status 401"), (403, "status 403")])
def test_a_refused_key_stops_the_run_and_names_its_variable(
    status: int, said: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MY_KEY", "sk-secret-1234567")
    refusal = FakeReply("Incorrect key sk-secret-1234567", status=status)
    with served(lambda body: refusal, concurrency=4, api_key_env="MY_KEY") as (server, endpoint):
        with pytest.raises(ModelError, match=f"{said}.*set MY_KEY to a valid one") as caught:
            replies(endpoint, questions(100))
        assert len(server.requests) <= 8
    assert "1234567" not in str(caught.value)


def test_a_server_that_wants_a_key_and_gets_none() -> None:
    with (
        served(api_key="sk-right") as (_, endpoint),
        pytest.raises(ModelError, match="name the environment variable"),
    ):
        replies(endpoint, questions(3))


def test_nobody_there_is_told_soon() -> None:
    address = f"http://127.0.0.1:{free_port()}/v1"
    began = time.monotonic()
    with (
        Endpoint(address, "fake") as endpoint,
        pytest.raises(ModelError, match=f"{address}: it cannot be reached .*is the server running"),
    ):
        replies(endpoint, questions(1000))
    assert time.monotonic() - began < 10


def test_a_server_that_goes_away_in_the_middle_ends_the_run_and_keeps_the_replies() -> None:
    with served(faults=Faults(latency=(0.0, 0.02)), concurrency=4, retries=3) as (server, endpoint):
        coming = endpoint.ask(questions(5000))
        assert all(next(coming)[1].text for _ in range(20))
        server.close()
        with pytest.raises(ModelError, match=r"it stopped answering .*\(.*4 attempts\)"):
            list(coming)


def test_a_wrong_model_name_is_told_at_once() -> None:
    with (
        served(echo, model="other") as (_, endpoint),
        pytest.raises(ModelError, match="status 404: the model does not exist; check the base URL and the"),
    ):
        replies(endpoint, questions(100))


def test_a_redirect_is_not_followed() -> None:
    class Away(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            self.send_response(308)
            self.send_header("Location", "http://elsewhere.example/v1?key=x")
            self.end_headers()

        def log_message(self, *args: object) -> None:
            pass

    with HTTPServer(("127.0.0.1", 0), Away) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        with (
            Endpoint(f"http://127.0.0.1:{server.server_port}/v1", "m") as endpoint,
            pytest.raises(ModelError, match=r"give the address itself \(http://elsewhere.example/v1\)"),
        ):
            replies(endpoint, [question("a")])
        server.shutdown()
        thread.join()


def test_an_account_without_credit_stops_the_run() -> None:
    with (
        served(lambda body: FakeReply("Pay first", status=402)) as (_, endpoint),
        pytest.raises(ModelError, match="status 402: Pay first; the account has no credit left"),
    ):
        replies(endpoint, questions(100))


def test_nothing_but_429_ends_after_a_while() -> None:
    with (
        served(lambda body: FakeReply("no", status=429), patience_s=0.3) as (_, endpoint),
        pytest.raises(ModelError, match="nothing but 429 for"),
    ):
        replies(endpoint, questions(20))


def test_a_wait_beyond_all_patience_is_told_not_waited() -> None:
    later = FakeReply("no", status=429, headers={"Retry-After": "86400"})
    with served(lambda body: later) as (_, endpoint):
        began = time.monotonic()
        with pytest.raises(ModelError, match="left alone for 86400 s"):
            replies(endpoint, questions(20))
    assert time.monotonic() - began < 5


def test_a_server_that_is_broken_for_everybody_is_told_after_a_few_questions() -> None:
    with served(lambda body: FakeReply("boom", status=500), concurrency=2, retries=1) as (server, endpoint):
        with pytest.raises(
            ModelError, match=r"no usable reply at all \(status 500: boom; 2 attempts\); check"
        ):
            replies(endpoint, questions(1000))
        assert len(server.requests) < 40


@pytest.mark.parametrize(("share", "ends"), [(0.6, True), (0.4, False)])
def test_too_many_failures_stop_the_run(share: float, ends: bool) -> None:
    def some(body: Mapping[str, Any]) -> str | FakeReply:
        number = int(body["messages"][-1]["content"].split()[-1])
        return FakeReply("no", status=400) if number % 10 < 10 * share else "ok"

    with served(some, concurrency=2) as (server, endpoint):
        found = {}
        if ends:
            with pytest.raises(ModelError, match=r"questions failed, .* 0.5 .*reason, \d+ times: status 400"):
                found.update(endpoint.ask(questions(400)))
            assert len(server.requests) < 60
        else:
            found.update(endpoint.ask(questions(400)))
            assert len(found) == 400
