"""Pools that the simulated teacher fills over real HTTP, and what of them is of the right trades."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from pathlib import Path

from kshot import miniature
from kshot.data.example import Example
from kshot.data.task import Task
from kshot.data.taskfile.settings import EndpointSection
from kshot.methods.explore.fill import FillOptions
from kshot.methods.explore.records import Item
from kshot.methods.explore.tree import DomainTree
from kshot.miniature.teacher import DESCRIPTION, DOMAIN, Teacher
from kshot.miniature.world import MIXED_TRADES, SINGLE_TRADE
from kshot.models.embed import load_embedder
from kshot.models.fake import FakeServer
from kshot.pipeline.choose_data import choose_data
from kshot.pipeline.explore.asked import ExploreJob
from kshot.pipeline.explore.job import explore
from kshot.pipeline.open_pool import pool_of

RIGHT = {"single": {SINGLE_TRADE}, "mixed": set(MIXED_TRADES)}
OVERLAP = 0.9  # rows of one trade share "translate the trade words": at 0.7 one more word would be a repeat
SEEDS = 8  # rows that are there before; Self-Instruct begins with them, the tree's root shows them
COUNT = 120  # rows that data selection chooses: fewer than the pool has of one trade where it covers all


@dataclass(frozen=True, slots=True)
class Filled:
    """A pool and how it came about.

    Attributes:
        rows: The file.
        calls: That were paid for.
        tasks: In the tree.
        kept: Rows.
        refused: Rows and names.
    """

    rows: Path
    calls: int
    tasks: int
    kept: int
    refused: int


@dataclass(frozen=True, slots=True)
class Shares:
    """Rows of the right trades.

    Attributes:
        pool: Rows that the guard let through.
        guarded: Rows that it kept out.
        pool_right: Share of the pool that is of the task's trades, and of nothing else.
        chosen: Rows that were chosen.
        chosen_right: Likewise, of these.
    """

    pool: int
    guarded: int
    pool_right: float
    chosen: int
    chosen_right: float


def filled(method: str, calls: int, seed: int, *, s: float, work: Path) -> Filled:
    """Explores by a method of ``RIVALS``; goes on where an earlier call stopped."""
    place = work / f"{method}-{calls}-{s:g}-{seed}"
    teacher = Teacher(s=s, seed=seed)
    seeds = tuple(Item(**row) for row in teacher.seeds(SEEDS))
    with FakeServer(teacher, models=("teacher",)) as server:
        job = ExploreJob(
            llm=EndpointSection(base_url=server.base_url, model="teacher"),
            method=method,
            calls=calls,
            rows=10 * calls,
            fill=FillOptions(count=10 * calls, overlap=OVERLAP),
            seeds=seeds,
            simulated=True,
        )
        tree = DomainTree.planted(DOMAIN, DESCRIPTION)
        tree.put(replace(tree.root, examples=seeds))
        saved = explore(place, tree, job)
    found = saved.found
    return Filled(
        place / "rows.jsonl",
        int(saved.paid["calls"]),
        len(found.tree),
        len(found.rows),
        len(found.refused),
    )


def task_file(name: str, pool: Path, place: Path, *, similarity: str = "max") -> Path:
    """A task of the miniature with this file as its open data, and no bank."""
    folder = miniature.data_folder() / "tasks"
    source = miniature.task_file(name).read_text(encoding="utf-8")
    for old, new in (
        (f"{name}/", f"{folder.resolve()}/{name}/"),
        ("../base", str(miniature.base_folder().resolve())),
        ("adapters: [../bank], datasets: [../open/rows.jsonl]", f"datasets: [{pool.resolve()}]"),
    ):
        source = source.replace(old, new)
    place.parent.mkdir(parents=True, exist_ok=True)
    place.write_text(f"{source}data: {{count: {COUNT}, similarity: {similarity}}}\n", encoding="utf-8")
    return place


def shares(name: str, task: Task, store: Path) -> Shares:
    """Pool and choice of a task, against the truth; the choice is the one that its systems learn from."""
    pool = pool_of(task, load_embedder("hashing"), folder=store)
    data = task.settings.data
    chosen = choose_data(task.shots, pool, count=data.count, similarity=data.similarity)
    kept = set(pool.guarded.kept.tolist())
    rows = [row for place, row in enumerate(pool.guarded.rows()) if place in kept]
    return Shares(
        len(rows),
        len(pool.guarded.dropped),
        right_share(name, rows),
        len(chosen.rows),
        right_share(name, chosen.rows),
    )


def right_share(name: str, rows: Iterable[Example]) -> float:
    """Share of rows all of whose trade words are of the task's trades, and that have any."""
    owner = {word: trade for trade, words in miniature.truth().trades.items() for word in words}
    found = [{owner[word] for word in row.prompt.split() if word in owner} for row in rows]
    return sum(bool(trades) and trades <= RIGHT[name] for trades in found) / max(1, len(found))
