"""A bank built from a recipe: one base in memory, one adapter after the other; none stops the others.

::

    OUT/
    ├── NAME/            a PEFT folder, its card README.md, and kshot.json: there whole or not at all
    ├── bank.json        what was built, what failed and why
    ├── events.jsonl     what happened
    ├── .reasoning/      rows whose reasoning a model wrote, where any were
    └── .building/       the adapter in work
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any

from kshot.models.base import LanguageModel
from kshot.models.hf.loading import check_folder, resolved
from kshot.pipeline.bank_build.card import FACTS, read_facts
from kshot.pipeline.bank_build.plan import base_identity, plan
from kshot.pipeline.bank_build.recipe import BankRecipe
from kshot.pipeline.bank_build.sources import leaving
from kshot.pipeline.bank_build.workshop import Base, Done, work
from kshot.runs import Listener, Run, file_hash, write_json

TABLE = "bank.json"


@dataclass(frozen=True, slots=True)
class BankBuilt:
    """A bank after a build.

    Attributes:
        folder: Where it lies.
        built: Names that this build trained.
        kept: Names that were there and up to date.
        failed: (name, reason).
        left: Names that were not begun, as time was up.
        adapters: One row for each adapter that is there, in the order of the recipe.
    """

    folder: Path
    built: tuple[str, ...]
    kept: tuple[str, ...]
    failed: tuple[tuple[str, str], ...]
    left: tuple[str, ...]
    adapters: tuple[dict[str, Any], ...]

    @property
    def complete(self) -> bool:
        """Whether every adapter that was asked for is there."""
        return not self.failed and not self.left


def build_bank(
    recipe: BankRecipe,
    *,
    base: str | Path,
    out: str | Path,
    only: Sequence[str] = (),
    writer: LanguageModel | None = None,
    listener: Listener,
) -> BankBuilt:
    """Train every adapter of a recipe that is not there yet.

    The same call on the same folder goes on where an earlier one stopped, however it stopped: finished
    adapters are kept, those whose part of the recipe changed are built anew, and a kill costs the adapter in
    work. A dataset that fails is listed with its reason, and the others are built.

    Args:
        recipe: What is built; see ``load_recipe``.
        base: A model folder or hub name.
        out: The bank's folder: absent, empty, or an earlier build's.
        only: Names of adapters; all others are left as they are.
        writer: Who writes reasoning for adapters that learn it from rows that lack it.
        listener: Told how it goes.

    Raises:
        InputError: The base cannot be used, ``out`` holds other things, or ``only`` names no adapter.
        RunError: Another process works in ``out``, or it cannot be written.

    Example::

        built = build_bank(load_recipe("bank.yaml"), base="qwen3-0.6b", out="bank", listener=tell)
        Bank(built.folder, base="qwen3-0.6b").audit()
    """
    out, base = Path(out), str(base)
    jobs = [job for job in recipe.jobs() if not only or job.name in only]
    listener("leaves", what=leaving(base, jobs))  # said before anything is asked of the hub
    folder = resolved(base)
    check_folder(folder)
    found = Base(base, folder, base_identity(folder, recipe))
    with Run(out, listener=listener).open() as run:
        planned = plan(recipe, base_hash=found.sha256, out=out, only=only)
        done = work(recipe, planned, base=found, writer=writer, run=run)
        built = _bank(recipe, out, done)
        _write_table(recipe, built, found)
        run.event("bank", built=list(built.built), kept=len(built.kept), failed=len(built.failed))
    return built


def _bank(recipe: BankRecipe, out: Path, done: Done) -> BankBuilt:
    rows = [row for job in recipe.jobs() if (row := _row(out / job.name)) is not None]
    return BankBuilt(
        out, tuple(done.built), tuple(done.kept), tuple(done.failed), tuple(done.left), tuple(rows)
    )


def _row(folder: Path) -> dict[str, Any] | None:
    facts = read_facts(folder)
    if facts is None:
        return None
    dataset, counts = facts["dataset"], facts["rows"]
    return {
        "name": facts["name"],
        "dataset": dataset["id"],
        "licence": dataset["licence"],
        "verified": dataset["verified"],
        "rows": counts["learned"],
        "left_out": sum(counts["left_out"].values()),
        **facts["loss"],
        "seconds": facts["seconds"],
        "weights_sha256": facts["weights_sha256"],
    }


def _write_table(recipe: BankRecipe, built: BankBuilt, base: Base) -> None:
    ours = {job.name for job in recipe.jobs()}
    found = sorted(path.parent.name for path in built.folder.glob(f"*/{FACTS}"))
    table = {
        "kshot": version("kshot"),
        "recipe": {"name": recipe.name, "sha256": file_hash(recipe.path)},
        "base": {"name": base.name, "sha256": base.sha256},
        "adapters": list(built.adapters),
        "failed": [{"name": name, "reason": reason} for name, reason in built.failed],
        "left": list(built.left),
        "others": [name for name in found if name not in ours],
    }
    write_json(built.folder / TABLE, table)
