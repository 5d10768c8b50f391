"""``kshot mix`` as one call: planned, weighed, written, with a card and the facts beside the weights."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, final

from kshot.errors import InputError, ModelError
from kshot.methods.cocktail import uniform
from kshot.models.checkpoint import MixPlan, plan_mix, write_mix
from kshot.models.checkpoint.members import open_member
from kshot.models.checkpoint.operations import operation_of
from kshot.models.checkpoint.parts import Member
from kshot.models.folders import check_free, new_folder
from kshot.models.lora import LoraAdapter, mixed_lora
from kshot.pipeline.mix.card import card_of
from kshot.pipeline.mix.found import Found, alpha_curve, find_weights
from kshot.pipeline.mix.job import MixJob
from kshot.runs import Listener, write_text

FACTS = "kshot_mix.json"
_OF_WEIGHTS = ("low", "high", "change")


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

        write_text(file, mix_page(self.facts))


@final
@dataclass(frozen=True, slots=True, eq=False)
class Planned:
    """What a mix would read and write, and what speaks against it."""

    plan: MixPlan

    def lines(self) -> list[str]:
        """For a terminal."""
        from kshot.models.checkpoint import estimate

        plan = self.plan
        kinds = ("adapter" if member.is_lora else "model" for member in plan.members)
        found = [f"{what} {member.name}" for what, member in zip(kinds, plan.members, strict=True)]
        found.append(f"layout, tokenizer and dtype of {plan.members[plan.base].name}; kind {plan.kind}")
        mixed_count = sum(tensor.copied is None for tensor in plan.tensors)
        found.append(f"{mixed_count} tensors are mixed, {len(plan.tensors) - mixed_count} copied")
        found.append(f"reads {_size(plan.read_bytes)}, writes {_size(plan.write_bytes)}")
        found.append(f"about {estimate(plan):.0f} s on this machine, roughly")
        found += [f"warning: {sentence}" for sentence in plan.warnings]
        return found + [f"refused: {sentence}" for sentence in plan.refusals]

    def to_json(self) -> dict[str, Any]:
        """For programs."""
        from kshot.models.checkpoint import estimate

        plan = self.plan
        return {
            "members": [_member(member) for member in plan.members],
            "base": plan.members[plan.base].name,
            "kind": plan.kind,
            "tensors": len(plan.tensors),
            "files": [{"path": file.path, "bytes": file.size} for file in plan.files],
            "read_bytes": plan.read_bytes,
            "write_bytes": plan.write_bytes,
            "seconds": estimate(plan),
            "warnings": list(plan.warnings),
            "refusals": list(plan.refusals),
        }


def planned(job: MixJob) -> Planned:
    """The plan of a mix; no weight is read and nothing is written.

    Raises:
        ModelError: A folder cannot be read at all.
    """
    members = tuple(open_member(name, revision=job.revision) for name in job.named)
    base = _base_of(job, members)
    return Planned(plan_mix(members, base=base, kind=job.kind, dtype=job.dtype))


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
    listen = listener or _silent
    check_free(out)
    if job.adapter:
        return _mixed_adapter(job, out, listen)
    plan = planned(job).plan
    plan.check()
    operation = operation_of(
        job.operation, density=job.density, scale=job.scale, seed=job.weighing.seed, base=plan.base
    )
    found = find_weights(job, plan, listener=listen)
    facts = _facts(job, plan.members, found, warnings=plan.warnings)
    facts |= {"kind": plan.kind, "operation": job.operation, "layer_weights": list(job.layer_weights)}
    listen("hashing", name=out.name)
    told = card_of(plan.members, facts, base=plan.base, hashed=job.hashed)
    texts = {"README.md": told, FACTS: _json(facts)}
    result = write_mix(
        plan,
        found.weights,
        out,
        operation=operation,
        layer_weights=job.layer_weights,
        threads=job.threads,
        texts=texts,
        on_progress=lambda done, whole: listen("writing", name=out.name, share=done / max(whole, 1)),
    )
    wrote = f"wrote {_size(result.written_bytes)} in {result.seconds:.1f} s"
    wrote += ", going on from an earlier call" if result.resumed else ""
    return Mixed(result.folder, facts | {"wrote": wrote, "sha256": dict(result.hashes)})


def _mixed_adapter(job: MixJob, out: Path, listen: Listener) -> Mixed:
    """Several LoRA into one: exactly, or cut to a rank; the base itself takes the rest of the weights."""
    members = tuple(open_member(name, revision=job.revision) for name in job.named)
    whole = [member.name for member in members if not member.is_lora and member.name != job.base]
    if whole:
        raise InputError(
            f"--adapter mixes LoRA adapters, but {whole[0]} is a full model; leave out --adapter"
        )
    if job.needs_examples:
        plan = plan_mix(members, base=_base_of(job, members), kind=job.kind)
        plan.check()
        found = find_weights(job, plan, listener=listen)
    else:
        found = _by_hand(job)
    pairs = [
        (LoraAdapter.load(member.folder, name=member.name), weight)
        for member, weight in zip(members, found.weights, strict=True)
        if member.is_lora
    ]
    adapters, weights = zip(*pairs, strict=True)
    made = mixed_lora(adapters, weights, rank=job.rank)
    facts = _facts(job, members, found, warnings=())
    facts |= {"kind": "decoder" if job.kind == "auto" else job.kind, "operation": "linear"}
    facts |= {"layer_weights": []}
    facts |= {"kept_energy": made.kept_energy, "exact": made.exact}
    with new_folder(out) as folder:
        made.adapter.save(folder)
        (folder / FACTS).write_text(_json(facts), encoding="utf-8")
        (folder / "README.md").write_text(_adapter_card(job, members, facts), encoding="utf-8")
    how = "exact" if made.exact else f"cut to rank {job.rank}, {made.kept_energy:.4f} of the energy is kept"
    return Mixed(out, facts | {"wrote": f"one LoRA of {made.adapter.parameters:,} parameters, {how}"})


def _adapter_card(job: MixJob, members: Sequence[Member], facts: dict[str, Any]) -> str:
    adapters = [at for at, member in enumerate(members) if member.is_lora]
    kept = {key: [facts[key][at] for at in adapters if at < len(facts[key])] for key in ("members", "losses")}
    return card_of([members[at] for at in adapters], facts | kept, base=0, hashed=job.hashed)


def _by_hand(job: MixJob) -> Found:
    from kshot.methods.cocktail import final_weights

    peers = job.by_hand()
    if job.alpha is None or job.alpha == "auto":
        return Found(peers)
    return Found(tuple(map(float, final_weights(peers, job.alpha))), alpha=job.alpha)


def _base_of(job: MixJob, members: Sequence[Member]) -> int:
    if job.base is not None:
        return job.named.index(job.base)
    full = [at for at, member in enumerate(members) if not member.is_lora]
    if not full:
        names = ", ".join(member.name for member in members[:3])
        raise ModelError(
            f"{names}: all are LoRA adapters; name their base with --base, or give --adapter for one LoRA"
        )
    return full[0]


def _facts(
    job: MixJob, members: Sequence[Member], found: Found, *, warnings: Sequence[str]
) -> dict[str, Any]:
    """What ``kshot_mix.json`` holds; weights, intervals and changes are those in the mix, after alpha."""
    told = dict(found.weighed.told) if found.weighed else {}
    facts: dict[str, Any] = {
        "format": 1,
        "system": "mix",
        "members": _member_rows(job, members, found),
        "losses": [each.each.tolist() for each in found.losses],
        "examples": [getattr(row, "id", "") for row in job.examples or ()],
        "notes": [*found.notes, *told.pop("notes", ())],
        "warnings": list(warnings),
        "seed": job.weighing.seed,
        "command": job.command,
    }
    facts |= told
    if found.alpha is not None:
        facts["alpha"] = found.alpha
    if found.sweep is not None:
        sizes = {"target_count": len(job.examples or ()), "general_count": len(job.general or ())}
        facts["alpha_sweep"] = alpha_curve(found.sweep, **sizes)
    return facts


def _member_rows(job: MixJob, members: Sequence[Member], found: Found) -> list[dict[str, Any]]:
    rest = 1 - (found.alpha or 0)
    rows = found.weighed.rows if found.weighed else ()
    told = []
    for at, (member, weight) in enumerate(zip(members, found.weights, strict=True)):
        row = rows[at] if at < len(rows) else {}
        numbers = {key: None if row.get(key) is None else rest * row[key] for key in _OF_WEIGHTS}
        loss = float(found.losses[at].mean(job.weighing.aggregate)) if at < len(found.losses) else None
        equal = float(rest * uniform(job.peers)[0]) if at < job.peers else None
        told.append(_member(member) | {"weight": weight, "loss": loss, "uniform": equal} | numbers)
    return told


def _member(member: Member) -> dict[str, Any]:
    form = "adapter" if member.is_lora else "model"
    return {"name": member.name, "form": form, "revision": member.revision}


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


def _size(count: int) -> str:
    return f"{count / 1e9:.2f} GB" if count >= 1e8 else f"{count / 1e6:.1f} MB"


def _json(facts: dict[str, Any]) -> str:
    return json.dumps(facts, indent=1, ensure_ascii=False) + "\n"


def _silent(event: str, **fields: Any) -> None:
    return None
