"""The PANDA systems of a run: a control that cannot be one is refused."""

from types import SimpleNamespace
from typing import Any

import pytest

from kshot.data.example import Example
from kshot.errors import DataError
from kshot.methods.panda.pool import InsightPool, PoolHeader
from kshot.methods.panda.records import Insight
from kshot.models.embed import HashingEncoder
from kshot.pipeline.panda.systems import retriever
from kshot.pipeline.panda.table import DISHES


def bench() -> Any:
    settings = SimpleNamespace(panda=SimpleNamespace(k=2, floor=None), examples=SimpleNamespace(seed=0))
    return SimpleNamespace(settings=settings, embedder=HashingEncoder())


def test_one_insight_cannot_be_shuffled_and_is_not_shown_as_if_it_were() -> None:
    dish = next(dish for dish in DISHES if dish.control == "shuffled")
    insights = [Insight(0, "a", "It rains."), Insight(1, "b", "It snows.")]
    with pytest.raises(DataError, match="found one insight"):
        retriever(bench(), InsightPool(insights[:1], PoolHeader("t")), dish)
    found = retriever(bench(), InsightPool(insights, PoolHeader("t")), dish)(Example("a", ""))
    shown = {one.insight.key: one.insight.insight for one in found.chosen}
    assert shown == {"a": "It snows.", "b": "It rains."}
