"""``kshot explore run | grow | fill``: rounds of questions, each written down before the next begins."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from kshot.errors import InputError
from kshot.methods.explore.fill import fill
from kshot.methods.explore.grow import grow
from kshot.methods.explore.rivals import RIVALS, Plan
from kshot.methods.explore.seams import Progress
from kshot.methods.explore.tree import DomainTree
from kshot.models.base import Embedder
from kshot.pipeline.explore.asked import STAGES, ExploreJob, Watched, guards_of, opened
from kshot.pipeline.explore.folder import ExploreFolder, Saved
from kshot.runs import Listener, silent

GROWN = ("adaptive", "fixed", "flat")  # methods whose two stages can be told apart
PASSES = 12  # how often tasks that reached their count are asked for more, where others gave too few


def explore(place: Path, tree: DomainTree | None, job: ExploreJob, *, listener: Listener = silent) -> Saved:
    """Grows and fills, from the start or from where an earlier process stopped.

    Args:
        place: The folder; made if absent.
        tree: Of the domain, for a new folder; one that stands there goes first.
        job: How.
        listener: Told of replies and rounds.

    Raises:
        InputError: The folder or the LLM cannot be used, or the options differ from those it was begun with.
        ModelError: The endpoint failed too often; what came stays, and the same command goes on.
    """
    with ExploreFolder(place).open(make=True) as folder:
        saved = _begun(folder, tree, job)
        with opened(job, saved, listener=listener) as model:
            work = _Work(folder, saved, job, model, listener)
            if job.method in GROWN:
                if saved.rounds.get("fill", 0) == 0:
                    work.grow()
                if not saved.stopped:
                    work.fill()
            else:
                work.rival()
        return saved


def grow_domain(
    place: Path, tree: DomainTree | None, job: ExploreJob, *, listener: Listener = silent
) -> Saved:
    """Grows alone, so that a person can edit the tree before it is filled.

    Raises:
        KshotError: As ``explore``.
    """
    if job.method not in GROWN:
        raise InputError(f"method {job.method!r} grows no tree; `kshot explore run --method` runs it whole")
    with ExploreFolder(place).open(make=True) as folder:
        saved = _begun(folder, tree, job)
        with opened(job, saved, listener=listener) as model:
            _Work(folder, saved, job, model, listener).grow()
        return saved


def fill_domain(place: Path, job: ExploreJob, *, listener: Listener = silent) -> Saved:
    """Fills the tree that stands there, with what a person changed in it.

    Raises:
        KshotError: As ``explore``.
    """
    if job.method not in GROWN:
        raise InputError(
            f"{place}: method {job.method!r} has no tree to fill; `kshot explore run` goes on with it"
        )
    with ExploreFolder(place).open() as folder:
        saved = _begun(folder, None, job, stages=("fill",))
        with opened(job, saved, listener=listener) as model:
            _Work(folder, saved, job, model, listener).fill()
        return saved


class _Work:
    """The stages of one folder, with one model."""

    def __init__(
        self, folder: ExploreFolder, saved: Saved, job: ExploreJob, model: Watched, listener: Listener
    ) -> None:
        self.folder, self.saved, self.job = folder, saved, job
        self.model, self.listener = model, listener

    def grow(self) -> None:
        rival = RIVALS[self.job.method]
        options = rival.grown(self.job.grow)
        self._run(
            "grow",
            grow(
                self.saved.found,
                self.model,
                prompts=self.job.prompts,
                embedder=_embedder(self.job),
                options=options,
                limits=self.job.limits,
            ),
        )

    def fill(self) -> None:
        """Until every task has its count, the product has its rows, or the budget is used up."""
        found, job = self.saved.found, self.job
        for _ in range(PASSES if job.rows else 1):
            options = job.fill if job.rows is None else replace(job.fill, count=self._count(job.rows))
            before = len(found.rows)
            steps = fill(found, self.model, prompts=job.prompts, options=options, limits=job.limits)
            self._run("fill", steps)
            enough = job.rows is not None and len(found.rows) >= job.rows
            if self.saved.stopped or enough or len(found.rows) == before:
                return

    def rival(self) -> None:
        """A baseline that is no tree, whole."""
        job = self.job
        count = job.rows or job.fill.count
        seeds = job.seeds or self.saved.found.tree.root.examples
        plan = Plan(job.grow, replace(job.fill, count=count), tuple(seeds))
        steps = RIVALS[job.method].run(
            self.saved.found,
            self.model,
            prompts=job.prompts,
            embedder=_embedder(job),
            plan=plan,
            limits=job.limits,
        )
        self._run("fill", steps)

    def _count(self, rows: int) -> int:
        """Rows a task, so that the product has its rows: tasks that still give share what is missing."""
        tree = self.saved.found.tree
        held = [node.rows.kept for node in tree]
        open_nodes = [node for node in tree if not node.full or "count" in node.full]
        if not open_nodes:
            return self.job.fill.count
        spare = sum(held) - sum(node.rows.kept for node in open_nodes)
        return max(1, -(-(rows - spare) // len(open_nodes)))

    def _run(self, stage: str, steps: Iterator[Progress]) -> None:
        saved = self.saved
        saved.settings[stage] = self.job.stage(stage)
        saved.settings["asked"] = _plain(self.job)
        saved.stopped = ""
        self._watch(stage)
        for progress in steps:
            self.model.settle()
            saved.stopped = progress.stopped
            self.folder.commit(saved, progress)
            self._watch(stage)
            facts = {**self.model.facts, "stage": progress.stage}
            self.listener("round", round=progress.round, failed=progress.failed, **facts)
        self.model.settle()
        self.folder.commit(saved)

    def _watch(self, stage: str) -> None:
        found = self.saved.found
        facts: dict[str, Any] = {
            "stage": stage,
            "tasks": len(found.tree),
            "rows": len(found.rows),
            "calls": found.spent.calls,
        }
        facts |= {"of": self.job.calls, "usd": self.saved.paid["usd"], "share": self._share()}
        self.model.facts = facts

    def _share(self) -> float:
        """How far it is towards what ends it first, 0 to 1: calls, tokens, money or rows."""
        found, job = self.saved.found, self.job
        spent, limits = found.spent, job.limits
        far = [(spent.calls, job.calls), (spent.tokens, job.tokens), (len(found.rows), job.rows)]
        shares = [done / of for done, of in far if of]
        shares += [limits.cost(spent) / job.usd] if job.usd else []
        return round(min(1.0, max(shares, default=0.0)), 4)


def _begun(
    folder: ExploreFolder, tree: DomainTree | None, job: ExploreJob, *, stages: Sequence[str] = STAGES
) -> Saved:
    if folder.exists:
        saved = folder.load()
        job.check_same(saved, stages)
        saved.stopped = ""
        if tree is not None and tree.root.id != saved.found.tree.root.id:
            raise InputError(
                f"{folder.path}: explores {saved.found.tree.root.name!r}, not {tree.root.name!r}; "
                "choose another --out"
            )
        return _guarded(saved, job)
    if tree is None:
        raise InputError(f"{folder.path}: no exploration here; `kshot explore run` or `grow` begins one")
    settings = {"language": job.language, "simulated": job.simulated, "guards": list(job.guards)}
    return folder.begin(tree, settings)


def _guarded(saved: Saved, job: ExploreJob) -> Saved:
    """With this job's guards beside those of earlier ones."""
    known = guards_of(saved.settings)
    saved.settings["guards"] = list(dict.fromkeys((*known, *job.guards)))
    return saved


def _embedder(job: ExploreJob) -> Embedder:
    from kshot.models.embed import load_embedder

    return load_embedder(job.embedder)


def _plain(job: ExploreJob) -> Mapping[str, Any]:
    base_url = getattr(job.llm, "base_url", "")
    priced = {name: getattr(job.llm, name, None) for name in ("prompt_usd", "completion_usd", "api_key_env")}
    return priced | {
        "model": job.llm_name,
        "base_url": str(base_url),
        "replies": job.form,
        "method": job.method,
        "language": job.language,
        "rows": job.rows,
        "calls": job.calls,
        "tokens": job.tokens,
        "usd": job.usd,
        "embedder": job.embedder,
        "seed": job.fill.seed,
        "simulated": job.simulated,
    }
