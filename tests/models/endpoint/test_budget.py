"""A budget stops a run with all its results, and a larger one goes on from there."""

from pathlib import Path

import pytest
from endpoint_questions import echo, questions, served

from kshot.errors import BudgetError
from kshot.models.asking import replies
from kshot.models.endpoint import Budget, Endpoint, Prices
from kshot.models.endpoint.request import need_of
from kshot.models.fake import Faults

NEED = need_of(questions(1)[0])
MOST = NEED.prompt_tokens + NEED.completion_tokens


@pytest.mark.parametrize(
    ("budget", "answered", "told"),
    [
        # a reply really costs 2 + 3 tokens; what one may cost must still fit before it is sent
        (Budget(calls=7), range(7, 8), "7 of 7 calls"),
        (Budget(tokens=5 * 30 + MOST), range(28, 33), "of 178 tokens"),
        (Budget(usd=(8 * 20 + 50) * 1e-6), range(18, 23), r"of 0.0002 USD"),
    ],
    ids=["calls", "tokens", "usd"],
)
def test_a_stop_keeps_all_and_a_larger_budget_goes_on(
    budget: Budget, answered: range, told: str, tmp_path: Path
) -> None:
    place = tmp_path / "calls.sqlite"
    found = {}
    faults, prices = Faults(latency=(0.0, 0.01)), Prices(1.0, 2.0)
    with served(faults=faults, journal=place, concurrency=4, budget=budget, prices=prices) as (
        server,
        endpoint,
    ):
        with pytest.raises(BudgetError, match=told) as caught:
            found.update(endpoint.ask(questions(100)))
        assert len(server.requests) == len(found) == endpoint.usage()[0].calls
        assert len(found) in answered
        assert f"{100 - len(found)} of 100 questions are left to ask" in str(caught.value)
        assert "calls.sqlite: run again with a larger budget" in str(caught.value)
        with pytest.raises(BudgetError):  # it holds over steps; what is in the journal stays free
            replies(endpoint, questions(100))
        assert len(dict(endpoint.ask(questions(100)[n] for n in sorted(found)))) == len(found)
        with Endpoint(server.base_url, "fake", journal=place) as endpoint:
            again = replies(endpoint, questions(100))
        assert sum(reply.cached for reply in again) == len(found)
        assert server.stats()["paid_most_often"] == 1


def test_what_is_reserved_is_waited_for_before_the_budget_counts_as_used_up() -> None:
    budget = Budget(tokens=20 * 5 + MOST)
    with served(faults=Faults(latency=(0.02, 0.02)), concurrency=16, budget=budget) as (_, endpoint):
        assert len(replies(endpoint, questions(20))) == 20  # 16 at once would reserve far more


def test_a_question_that_never_fits_is_told_before_anything_is_sent() -> None:
    with served(echo, budget=Budget(tokens=MOST - 1)) as (server, endpoint):
        with pytest.raises(BudgetError, match="0 calls, 0 of"):
            replies(endpoint, questions(3))
        assert server.requests == []


def test_lost_replies_count_as_calls() -> None:
    faults = Faults(disconnected=1.0, after_paying=True)
    with served(faults=faults, budget=Budget(calls=3)) as (server, endpoint):
        with pytest.raises(BudgetError, match="3 of 3 calls"):
            replies(endpoint, questions(1))
        assert server.stats()["paid"] == 3


def test_a_lazy_source_is_not_read_to_its_end_to_count_it() -> None:
    with (
        served(concurrency=2, budget=Budget(calls=3)) as (_, endpoint),
        pytest.raises(BudgetError, match=r"3 questions were answered, \d+ or more are left to ask"),
    ):
        list(endpoint.ask(iter(questions(1000))))
