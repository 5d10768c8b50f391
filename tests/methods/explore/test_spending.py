"""Limits in calls, tokens and money: the narrowest decides, and growing gets its share of each."""

from __future__ import annotations

import pytest

from kshot.methods.explore.grow import GrowOptions
from kshot.methods.explore.grow.plan import calls_left, room_left
from kshot.methods.explore.seams import Exploration
from kshot.methods.explore.spending import Limits, Spent
from kshot.methods.explore.tree import DomainTree

PRICES = (1.0, 4.0)
TEN = Spent(10, 6_000, 4_000)  # 2,200 a million: 0.022 USD, 0.0022 a call of 1,000 tokens


@pytest.mark.parametrize(
    ("limits", "left"),
    [
        (Limits(), None),
        (Limits(calls=30), 20),
        (Limits(tokens=15_000), 5),
        (Limits(usd=0.044, prices=PRICES), 10),
        (Limits(30, 15_000, 0.044, PRICES), 5),
        (Limits(30, 90_000, 0.044, PRICES), 10),
        (Limits(usd=0.01, prices=PRICES), 0),
        (Limits(usd=0.01), None),  # without prices money says nothing
    ],
)
def test_the_narrowest_limit_decides(limits, left):
    assert limits.left(TEN, tokens_a_call=1_000, like=TEN) == left


def test_without_a_mix_every_token_is_taken_at_the_dearer_price():
    assert Limits(usd=0.04, prices=PRICES).left(Spent(), tokens_a_call=1_000) == 10


def test_growing_gets_its_share_of_money_and_no_more_tasks_than_the_rest_can_fill():
    found = Exploration(DomainTree.planted("rivers"), spent=TEN)
    limits = Limits(usd=0.22, prices=PRICES)  # a hundred such calls
    options = GrowOptions(share=0.2, calls_a_task=2)
    assert calls_left(found, options, limits) == (10, "exploration share spent")
    assert room_left(found, options, limits) == (100 - 20) // 2 - 1
