"""A pool asked from its folder: what a cascade costs, and what it tells."""

from pathlib import Path

from kshot.methods.panda.pool import InsightPool, PoolHeader
from kshot.methods.panda.records import Insight
from kshot.methods.panda.retrieve import Retrieval
from kshot.models.classifier import EmbeddingHead
from kshot.models.embed import HashingEncoder
from kshot.models.fake import FakeServer
from kshot.pipeline.panda.ask import Asking, ask_pool
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
