"""Several LoRA adapters mixed into one, with weights by hand or from examples."""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from kshot.errors import InputError
from kshot.methods.cocktail import final_weights
from kshot.models.checkpoint import Member, plan_mix
from kshot.models.checkpoint.members import open_member
from kshot.models.checkpoint.operations.weights import SUM_TOLERANCE
from kshot.models.folders import new_folder
from kshot.models.lora import LoraAdapter, mixed_lora
from kshot.pipeline.mix.card import card_of
from kshot.pipeline.mix.facts import FACTS, escaped, mix_facts
from kshot.pipeline.mix.found import Found, find_weights
from kshot.pipeline.mix.job import MixJob
from kshot.pipeline.mix.planned import base_of
from kshot.runs import Listener, write_text


def one_adapter(job: MixJob, out: Path, *, listener: Listener) -> dict[str, Any]:
    """Write one LoRA: exactly, or cut to a rank; the base itself takes the rest of the weights.

    Returns:
        What ``kshot_mix.json`` holds, and under ``wrote`` what was written.

    Raises:
        InputError: A member beside the base is a full model, or options do not fit.
        AdapterError: An adapter cannot be used, or they belong to different base models.
    """
    members = tuple(open_member(name, revision=job.revision) for name in job.named)
    whole = [member.name for member in members if not member.is_lora and member.name != job.base]
    if whole:
        raise InputError(
            f"--adapter mixes LoRA adapters, but {whole[0]} is a full model; leave out --adapter"
        )
    if not any(member.is_lora for member in members):
        raise InputError("--adapter mixes LoRA adapters, but none is given; leave it out for a full model")
    if job.needs_examples:
        plan = plan_mix(members, base=base_of(job, members), kind=job.kind)
        plan.check()
        found = find_weights(job, plan, listener=listener)
    else:
        found = _by_hand(job)
    pairs = [
        (LoraAdapter.load(member.folder, name=member.name), weight)
        for member, weight in zip(members, found.weights, strict=True)
        if member.is_lora
    ]
    adapters, weights = zip(*pairs, strict=True)
    found = _with_sum_told(found)
    made = mixed_lora(adapters, weights, rank=job.rank)
    facts = mix_facts(job, members, found, warnings=_strangers(members))
    facts |= {"kind": "decoder" if job.kind == "auto" else job.kind, "operation": "linear"}
    facts |= {"layer_weights": []}
    facts |= {"kept_energy": made.kept_energy, "exact": made.exact}
    with new_folder(out) as folder:
        made.adapter.save(folder)
        write_text(folder / FACTS, escaped(json.dumps(facts, indent=1, ensure_ascii=False) + "\n"))
        write_text(folder / "README.md", escaped(_adapter_card(job, members, facts)))
    how = "exact" if made.exact else f"cut to rank {job.rank}, {made.kept_energy:.4f} of the energy is kept"
    return facts | {"wrote": f"one LoRA of {made.adapter.parameters:,} parameters, {how}"}


def _strangers(members: Sequence[Member]) -> tuple[str, ...]:
    """A warning where adapters name different bases; shapes alone cannot tell."""
    bases = {member.lora.base: member.name for member in members if member.lora and member.lora.base}
    if len(bases) < 2:
        return ()
    told = ", ".join(f"{name} was made for {base}" for base, name in bases.items())
    return (f"the adapters name different base models ({told}); their sum fits one base at most",)


def _adapter_card(job: MixJob, members: Sequence[Member], facts: dict[str, Any]) -> str:
    adapters = [at for at, member in enumerate(members) if member.is_lora]
    kept = {key: [facts[key][at] for at in adapters if at < len(facts[key])] for key in ("members", "losses")}
    return card_of([members[at] for at in adapters], facts | kept, base=0, hashed=job.hashed)


def _by_hand(job: MixJob) -> Found:
    peers = job.by_hand()
    if job.alpha is None or job.alpha == "auto":
        return Found(peers, notes=job.unused)
    return Found(tuple(map(float, final_weights(peers, job.alpha))), alpha=job.alpha, notes=job.unused)


def _with_sum_told(found: Found) -> Found:
    """Weights of changes need not sum to 1, but the reader hears of it."""
    total = math.fsum(found.weights)
    if abs(total - 1) <= SUM_TOLERANCE:
        return found
    note = f"the weights sum to {total:g}, not 1: the changes are added with them as they are"
    return replace(found, notes=(*found.notes, note))
