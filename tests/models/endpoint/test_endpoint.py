"""The endpoint against a real server on 127.0.0.1 that does as it is told."""

import gc
import multiprocessing
import threading
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
from endpoint_questions import echo, question, questions, quick, served

from kshot.data.example import Message
from kshot.errors import DataError, InputError
from kshot.models.asking import Asker, Question, asked, replies
from kshot.models.base import LanguageModel, LossModel
from kshot.models.endpoint import Endpoint, Prices
from kshot.models.fake import FakeReply, FakeServer, Faults
from kshot.models.journal import Journal


def test_it_is_a_language_model_and_an_asker() -> None:
    with Endpoint("http://127.0.0.1:1/v1/", "m") as endpoint:
        assert isinstance(endpoint, LanguageModel)
        assert isinstance(endpoint, Asker)
        assert not isinstance(endpoint, LossModel)
        assert endpoint.id == "http://127.0.0.1:1/v1 m"
        assert endpoint.flow() is None


def test_every_question_is_answered_once_with_its_counts() -> None:
    with (
        FakeServer(echo) as server,
        Endpoint(server.base_url, "fake", options=quick(prices=Prices(1, 2))) as e,
    ):
        found = dict(e.ask(questions(100)))
    assert [found[n].text for n in range(100)] == [f"re: question {n}" for n in range(100)]
    assert found[7].prompt_tokens == 2
    assert found[7].completion_tokens == 3
    assert (found[7].calls, found[7].cached, found[7].finish_reason) == (1, False, "stop")
    assert found[7].usd == pytest.approx(8e-6)
    [usage] = e.usage()
    assert (usage.step, usage.calls, usage.prompt_tokens, usage.completion_tokens) == (
        "answer",
        100,
        200,
        300,
    )
    assert usage.usd == pytest.approx(800e-6)


def test_generate_keeps_the_order_and_cuts_as_asked() -> None:
    conversations = [(Message("user", text),) for text in ("one two three", "a\nb", "c")]
    with served(lambda body: body["messages"][-1]["content"]) as (_, endpoint):
        found = endpoint.generate(conversations, max_new_tokens=2, stop=["\n"])
        assert endpoint.generate([]) == []
    assert [reply.text for reply in found] == ["one two", "a", "c"]
    assert [reply.finish_reason for reply in found] == ["length", "stop", "stop"]


def test_a_rerun_pays_nothing_and_says_so(tmp_path: Path) -> None:
    with FakeServer(echo) as server:
        for is_again in (False, True):
            with Endpoint(server.base_url, "fake", journal=tmp_path / "calls.sqlite") as endpoint:
                found = replies(endpoint, questions(50))
                assert {reply.cached for reply in found} == {is_again}
                assert {reply.calls for reply in found} == {0 if is_again else 1}
                assert endpoint.usage()[0].cached == (50 if is_again else 0)
        assert len(server.requests) == 50
    assert found[3].text == "re: question 3"
    assert found[3].prompt_tokens == 2


def test_half_characters_travel_as_the_replacement_mark(tmp_path: Path) -> None:
    """An endpoint cut an emoji in two, or bytes came by a command line: it is asked all the same."""
    with served(echo, journal=tmp_path / "calls.sqlite") as (server, endpoint):
        asked_for = [question("half \ud83d, whole \U0001f600")]
        assert replies(endpoint, asked_for)[0].text == "re: half \ufffd, whole \U0001f600"
        assert replies(endpoint, asked_for)[0].cached
        assert len(server.requests) == 1


def test_a_reply_of_many_megabytes_fails_its_question_alone() -> None:
    def some(body: Mapping[str, Any]) -> str:
        return "x" * 17_000_000 if "question 0" in body["messages"][-1]["content"] else "ok"

    with served(some) as (server, endpoint):
        first, second = replies(endpoint, questions(2))
    assert (first.finish_reason, second.text, len(server.requests)) == ("error", "ok", 2)
    assert "17 MB, more than 16" in first.error


def test_equal_questions_are_paid_once_where_a_journal_is_kept(tmp_path: Path) -> None:
    same = [question("same")] * 40
    with served(faults=Faults(latency=(0.05, 0.05)), journal=tmp_path / "calls.sqlite") as (server, endpoint):
        assert endpoint.estimate(same).calls == 1
        found = replies(endpoint, same)
        assert sum(reply.calls for reply in found) == 1
        assert {reply.text for reply in found} == {"re: same"}
        draws = [question("same", temperature=1.0, sample=n) for n in range(3)]
        assert sum(reply.calls for reply in replies(endpoint, draws)) == 3
        assert sorted(r.body.get("seed", -1) for r in server.requests) == [-1, 0, 1, 2]


def test_no_more_are_in_flight_than_allowed() -> None:
    with served(echo, faults=Faults(latency=(0.01, 0.02)), concurrency=5) as (server, endpoint):
        replies(endpoint, questions(60))
        assert server.most_in_flight == 5


def test_replies_come_while_questions_are_still_taken() -> None:
    taken = []

    def lazily() -> Iterator[Question]:
        for one in questions(100):
            taken.append(one)
            yield one

    with served(echo, concurrency=4) as (_, endpoint):
        coming = endpoint.ask(lazily())
        assert taken == []
        next(coming)
        assert len(taken) <= 16 + 1
        assert len(dict(coming)) == 99


def test_a_slow_source_does_not_hold_replies_back() -> None:
    moments = []

    def slowly() -> Iterator[Question]:
        for one in questions(4):
            yield one
            time.sleep(0.15)
        moments.append("source ended")

    with served(echo) as (_, endpoint):
        for position, _ in endpoint.ask(slowly()):
            moments.append(position)
    assert moments[0] == 0
    assert moments.index("source ended") >= 2


def test_left_early_nothing_goes_on_and_claims_are_free(tmp_path: Path) -> None:
    place, faults = tmp_path / "calls.sqlite", Faults(latency=(0.02, 0.5))
    with served(faults=faults, journal=place, concurrency=8) as (server, endpoint):
        for number, _ in enumerate(asked(endpoint, questions(200))):
            if number == 3:
                break
        sent = len(server.requests)
        time.sleep(0.1)
        assert len(server.requests) == sent
        assert server.in_flight_now == 0
        # a second object, as another process would be: everything is free to ask
        with Journal(place) as other:
            keys = [endpoint._key(one) for one in questions(200)]
            done = set(other.find_many(keys))
            assert 4 <= len(done) < 40
            assert other.claim(keys) == set(keys) - done


def test_an_error_of_the_source_is_raised_and_nothing_is_left_open() -> None:
    def breaking() -> Iterator[Question]:
        yield question("a")
        raise DataError("row 2 is bad")

    with served(echo) as (_, endpoint):
        with pytest.raises(DataError, match="row 2"):
            list(endpoint.ask(breaking()))
        assert endpoint.generate([(Message("user", "b"),)])[0].text == "re: b"


def test_questions_asked_while_others_are_open_and_from_two_threads(tmp_path: Path) -> None:
    with served(echo, journal=tmp_path / "calls.sqlite", concurrency=3) as (server, endpoint):
        for _, reply in endpoint.ask(questions(10)):
            inner = endpoint.generate([(Message("user", reply.text),)])
            assert inner[0].text == f"re: {reply.text}"
        found: list[list] = []
        threads = [
            threading.Thread(target=lambda: found.append(replies(endpoint, questions(60)))) for _ in range(2)
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert found[0][59].text == found[1][59].text
        assert server.stats()["paid_most_often"] == 1


def test_read_only_pays_nothing_and_says_what_is_missing(tmp_path: Path) -> None:
    place = tmp_path / "calls.sqlite"
    with served(echo, journal=place) as (server, endpoint):
        replies(endpoint, questions(5))
        paid = len(server.requests)
        with (
            Journal(place, mode="read_only") as journal,
            Endpoint(server.base_url, "fake", journal=journal) as endpoint,
        ):
            assert replies(endpoint, questions(5))[4].cached
            with pytest.raises(InputError, match="sqlite: a reply is not in the journal"):
                replies(endpoint, questions(6))
        assert len(server.requests) == paid


def test_refresh_asks_anew_once_and_off_keeps_nothing(tmp_path: Path) -> None:
    place = tmp_path / "calls.sqlite"
    with FakeServer(echo) as server:
        for mode, expected in (("use", 1), ("refresh", 2), ("use", 2), ("off", 4)):
            with (
                Journal(place, mode=mode) as journal,
                Endpoint(server.base_url, "fake", journal=journal) as endpoint,
            ):
                replies(endpoint, [question("a")])
                replies(endpoint, [question("a")])
            assert len(server.requests) == expected, mode


def test_estimate_knows_the_journal_and_the_prices(tmp_path: Path) -> None:
    with served(echo, journal=tmp_path / "calls.sqlite", prices=Prices(1e6, 2e6)) as (server, endpoint):
        replies(endpoint, questions(3))
        found = endpoint.estimate(questions(8))
    assert (found.questions, found.cached, found.calls) == (8, 3, 5)
    assert found.completion_tokens == 5 * 16
    assert found.usd == found.prompt_tokens + 2 * found.completion_tokens
    assert found.prompt_tokens >= 5 * 2
    assert len(server.requests) == 3


def test_an_older_or_newer_name_of_the_limit() -> None:
    def newer(body: dict) -> str | FakeReply:
        if "max_tokens" in body:
            told = "Unsupported parameter: 'max_tokens'. Use 'max_completion_tokens' instead."
            return FakeReply(told, status=400)
        return "ok"

    with served(newer, concurrency=2) as (server, endpoint):
        assert {reply.text for reply in replies(endpoint, questions(20))} == {"ok"}
        assert sum("max_tokens" in r.body for r in server.requests) <= 2


def test_log_probabilities_come_back_and_stay_in_the_journal(tmp_path: Path) -> None:
    said = FakeReply("A", logprobs=(("A", -0.1), ("B", -2.5)))
    with FakeServer(lambda body: said) as server:
        for _ in range(2):
            with Endpoint(server.base_url, "fake", journal=tmp_path / "calls.sqlite") as endpoint:
                [reply] = replies(endpoint, [question("a", logprobs=2)])
                assert reply.logprobs == (("A", -0.1), ("B", -2.5))


def test_a_closed_endpoint_says_so() -> None:
    with FakeServer(echo) as server:
        endpoint = Endpoint(server.base_url, "fake")
        endpoint.generate([(Message("user", "a"),)])
        endpoint.close()
        endpoint.close()
        with pytest.raises(InputError, match="closed"):
            endpoint.generate([(Message("user", "a"),)])


def test_a_forgotten_endpoint_ends_its_thread() -> None:
    with FakeServer(echo) as server:
        endpoint = Endpoint(server.base_url, "fake")
        endpoint.generate([(Message("user", "a"),)])
        assert "kshot-endpoint" in {thread.name for thread in threading.enumerate()}
        del endpoint
        gc.collect()
        assert "kshot-endpoint" not in {thread.name for thread in threading.enumerate()}


def _child(endpoint: Endpoint, answers: multiprocessing.Queue) -> None:
    answers.put([reply.text for reply in replies(endpoint, questions(3))])


def test_it_works_in_a_forked_child(tmp_path: Path) -> None:
    with served(echo, journal=tmp_path / "calls.sqlite") as (_, endpoint):
        replies(endpoint, [question("before")])
        fork = multiprocessing.get_context("fork")
        answers = fork.Queue()
        child = fork.Process(target=_child, args=(endpoint, answers))
        child.start()
        assert answers.get(timeout=20) == [f"re: question {n}" for n in range(3)]
        child.join(10)
        assert child.exitcode == 0
        assert [reply.cached for reply in replies(endpoint, questions(3))] == [True] * 3
