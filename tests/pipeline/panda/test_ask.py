"""A pool asked from its folder: what a cascade costs, and what it tells."""

from pathlib import Path

import pytest

from kshot.data.example import Example
from kshot.errors import TaskError
from kshot.methods.panda.pool import InsightPool, PoolHeader
from kshot.methods.panda.records import Insight
from kshot.methods.panda.retrieve import Retrieval
from kshot.models.classifier import EmbeddingHead
from kshot.models.embed import HashingEncoder
from kshot.models.fake import FakeServer
from kshot.pipeline.panda.ask import Asking, ask_pool, measure_pool
from kshot.pipeline.panda.llm import section

TEXTS, LABELS = ["a calm sea", "an angry crowd", "calm fields", "angry dogs"], ["calm", "angry"] * 2


def test_a_cascade_asks_for_its_draws_and_nothing_more(tmp_path: Path) -> None:
    header = PoolHeader("moods", kind="classification", labels=("calm", "angry"), embedder="hashing")
    InsightPool([Insight(0, "a calm sea", "It is calm.")], header).save(tmp_path / "pool")
    head = EmbeddingHead.fit(HashingEncoder(), TEXTS, LABELS, label_names=("calm", "angry"))
    head.save(tmp_path / "head")
    with FakeServer(lambda request: "calm") as server:
        asking = Asking(
            llm=section(server.base_url, "fake"),
            expert=str(tmp_path / "head"),
            retrieval=Retrieval(k=1),
            draws=3,
        )
        (found,) = ask_pool(tmp_path / "pool", ["a calm pond"], asking)
        assert len(server.requests) == 3
    assert (found.answer, found.note, found.reply.text) == ("calm", "", "calm")
    assert [one.insight.key for one in found.retrieved.chosen] == ["a calm sea"]


def calm_pool(folder: Path) -> Path:
    header = PoolHeader("moods", kind="classification", labels=("calm", "angry"), embedder="hashing")
    InsightPool([Insight(0, "a calm sea", "It is calm."), Insight(1, "a row", "It is not.")], header).save(
        folder
    )
    return folder


def test_a_guide_stands_in_place_of_retrieved_insights(tmp_path: Path) -> None:
    pool = calm_pool(tmp_path / "pool")
    with FakeServer(lambda request: "calm") as server:
        asking = Asking(llm=section(server.base_url, "fake"), guide="Calm words are calm.")
        (found,) = ask_pool(pool, ["a calm pond"], asking)
        (request,) = server.requests
    assert found.retrieved.chosen == ()
    assert [turn["role"] for turn in request.body["messages"]] == ["system", "user"]
    assert "It is calm." not in str(request.body)


def test_what_was_found_when_the_pool_was_opened_is_told(tmp_path: Path) -> None:
    pool, said = calm_pool(tmp_path / "pool"), []
    file = pool / "insights.jsonl"
    file.write_bytes(file.read_bytes().splitlines(keepends=True)[0])
    with FakeServer(lambda request: "calm") as server:
        ask_pool(pool, ["a calm pond"], Asking(llm=section(server.base_url, "fake"), say=said.append))
    assert any("holds 1 insights, its header says 2" in note for note in said)


def test_a_pool_is_not_measured_on_labels_that_it_does_not_have(tmp_path: Path) -> None:
    rows = [Example("a calm pond", "Calm", source="held.jsonl:1")]
    with pytest.raises(TaskError, match=r"held\.jsonl:1: label 'Calm' is none of calm, angry"):
        measure_pool(calm_pool(tmp_path / "pool"), rows, Asking())
