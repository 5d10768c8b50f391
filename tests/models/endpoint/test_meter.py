import pytest

from kshot.models.base import Reply
from kshot.models.endpoint import Budget, Prices
from kshot.models.endpoint.meter import Meter, Spent


def test_what_is_reserved_counts_until_it_is_settled() -> None:
    meter = Meter(Budget(calls=2))
    assert meter.reserve(Spent(1))
    assert meter.reserve(Spent(1))
    assert not meter.reserve(Spent(1))
    meter.settle(Spent(1), None, step="a")  # it was not paid
    assert meter.reserve(Spent(1))
    meter.settle(Spent(1), Spent(1), step="a")
    meter.settle(Spent(1), Spent(1), step="a")
    assert not meter.reserve(Spent(1))
    assert meter.waiting == 0


@pytest.mark.parametrize(("tokens", "fits"), [(100, True), (99, False)])
def test_tokens_of_prompt_and_reply_count_together(tokens: int, fits: bool) -> None:
    assert Meter(Budget(tokens=tokens)).reserve(Spent(1, 60, 40)) is fits


@pytest.mark.parametrize(("usd", "fits"), [(0.00014, True), (0.00013, False)])
def test_money_follows_the_prices_of_prompt_and_reply(usd: float, fits: bool) -> None:
    assert Meter(Budget(usd=usd), prices=Prices(1.0, 2.0)).reserve(Spent(1, 60, 40)) is fits


def test_a_lost_reply_counts_whole_in_the_budget_and_as_a_prompt_in_the_counts() -> None:
    meter = Meter(Budget(tokens=100), prices=Prices(1.0, 2.0))
    need = Spent(1, 20, 50)
    assert meter.reserve(need)
    meter.settle(need, Spent(1, 20, 0), step="learn", lost=True)
    assert not meter.reserve(Spent(1, 20, 50))
    assert meter.told().startswith("1 calls, 70 of 100 tokens")
    assert (meter.usage()[0].prompt_tokens, meter.usage()[0].completion_tokens) == (20, 0)


def test_counts_stand_under_their_step() -> None:
    meter = Meter(prices=Prices(1.0, 2.0))
    for step in ("learn", "answer", "learn"):
        meter.reserve(Spent(1, 9, 9))
        meter.settle(Spent(1, 9, 9), Spent(1, 10, 5), step=step)
        meter.count(Reply("x"), step=step, seconds=0.5)
    meter.count(Reply("x", cached=True), step="answer")
    meter.count(Reply("", finish_reason="error"), step="answer", estimated=1)
    learn, answer = meter.usage()
    assert (learn.step, learn.calls, learn.prompt_tokens, learn.completion_tokens) == ("learn", 2, 20, 10)
    assert learn.usd == pytest.approx(40e-6)
    assert learn.seconds == 1.0
    assert (answer.calls, answer.cached, answer.failed, answer.estimated) == (1, 1, 1, 1)
