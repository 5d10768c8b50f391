"""``kshot mix`` as one call: planned, weighed, written, with a card and the facts beside the weights."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any, final

from kshot.models.checkpoint import write_mix
from kshot.models.folders import check_free
from kshot.pipeline.mix.card import card_of
from kshot.pipeline.mix.facts import FACTS, escaped, kinship_rows, mix_facts
from kshot.pipeline.mix.found import find_weights
from kshot.pipeline.mix.job import MixJob
from kshot.pipeline.mix.one_adapter import one_adapter
from kshot.pipeline.mix.planned import planned, told_size
from kshot.runs import Listener, silent, write_text


@final
@dataclass(frozen=True, slots=True, eq=False)
class Mixed:
    """A mix that was written.

    Attributes:
        folder: A model folder, or a PEFT folder.
        facts: What ``kshot_mix.json`` in it holds, and what writing it cost.
    """

    folder: Path
    facts: dict[str, Any]

    def table(self) -> tuple[tuple[str, ...], list[tuple[object, ...]]]:
        """Columns and one row a member, for a terminal."""
        measured = any(member["loss"] is not None for member in self.facts["members"])
        columns = ("model", "weight", "95 % interval", "uniform", "loss on examples", "leave-one-out change")
        rows = [_cells(member) for member in self.facts["members"]]
        return (columns, rows) if measured else (columns[:2], [row[:2] for row in rows])

    def lines(self) -> list[str]:
        """What a table does not say, in sentences."""
        told = self.facts
        found = [told[key] for key in ("reason", "apart") if told.get(key)]
        if told.get("loss") is not None:
            found.append(
                f"selection score, loss of the mix on the {len(told['examples'])} examples: "
                f"{told['loss']:.4f} nats; uniform soup {told['uniform_loss']:.4f}"
            )
        if sweep := told.get("alpha_sweep"):
            found.append(f"selection by the examples: {sweep['reason']}")
        found += [f"note: {note}" for note in (*told.get("notes", ()), *told["warnings"])]
        found.append(told["wrote"])
        return found

    def write_page(self, file: Path) -> None:
        """Write a page with the table of members and, after a sweep, the alpha curve.

        Raises:
            OSError: It cannot be written.
        """
        from kshot.report.cocktail import mix_page

        write_text(file, escaped(mix_page(self.facts)))


def mixed(job: MixJob, out: Path, *, listener: Listener | None = None) -> Mixed:
    """Mix models into one folder.

    The plan comes first: what does not fit is refused before a model is loaded or a byte is written. A
    process that died while it wrote is carried on by the same call.

    Args:
        job: What is mixed, and how.
        out: The folder to write; absent or empty.
        listener: Told of scoring, mixes tried and bytes written.

    Raises:
        InputError: Options, examples or models do not fit.

    Source: LM-Cocktail (arXiv 2311.13534), equations 1 to 4, in one pass.

    Example::

        shots = mixing_rows("shots.jsonl")
        done = mixed(MixJob(("models/base", "models/a", "models/b"), examples=shots), Path("models/mix"))
    """
    listen = listener or silent
    check_free(out)
    if job.adapter:
        return Mixed(out, one_adapter(job, out, listener=listen))
    ready = planned(job)
    plan = ready.plan
    plan.check()
    found = find_weights(job, plan, listener=listen)
    facts = mix_facts(job, plan.members, found, warnings=plan.warnings)
    facts |= {"kind": plan.kind, "operation": job.operation, "layer_weights": list(job.layer_weights)}
    facts["lineage"] = kinship_rows(plan.members, base=plan.base)
    if job.hashed:
        listen("hashing", name=out.name)
    told = card_of(plan.members, facts, base=plan.base, hashed=job.hashed)
    texts = {"README.md": told, FACTS: _json(facts)}
    result = write_mix(
        plan,
        found.weights,
        out,
        operation=ready.operation,
        layer_weights=job.layer_weights,
        threads=job.threads,
        texts=texts,
        on_progress=lambda done, whole: listen("writing", name=out.name, share=done / max(whole, 1)),
    )
    wrote = f"wrote {told_size(result.written_bytes)} in {result.seconds:.1f} s"
    wrote += ", going on from an earlier call" if result.resumed else ""
    return Mixed(result.folder, facts | {"wrote": wrote})


def _cells(member: dict[str, Any]) -> tuple[object, ...]:
    low, high, loss, change = (member[key] for key in ("low", "high", "loss", "change"))
    return (
        member["name"],
        f"{member['weight']:.4f}",
        None if low is None else f"{low:.4f} to {high:.4f}",
        None if member["uniform"] is None else f"{member['uniform']:.4f}",
        None if loss is None else f"{loss:.4f}",
        None if change is None else f"{change:.4f}",
    )


def _json(facts: dict[str, Any]) -> str:
    return json.dumps(facts, indent=1, ensure_ascii=False) + "\n"
