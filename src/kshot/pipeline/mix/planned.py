"""The plan of a stand-alone mix, told: what it would read and write, and what speaks against it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, final

from kshot.errors import InputError, ModelError
from kshot.methods.cocktail import final_weights
from kshot.models.checkpoint import Member, MixPlan, Operation, estimate, plan_mix
from kshot.models.checkpoint.layer_weights import weights_by_tensor
from kshot.models.checkpoint.members import open_member
from kshot.models.checkpoint.operations import operation_of
from kshot.pipeline.mix.facts import member_row
from kshot.pipeline.mix.job import MixJob


@final
@dataclass(frozen=True, slots=True, eq=False)
class Planned:
    """What a mix would read and write, and what speaks against it.

    Attributes:
        plan: The mix without its weights.
        operation: How members become one.
    """

    plan: MixPlan
    operation: Operation

    def lines(self) -> list[str]:
        """For a terminal."""
        plan = self.plan
        kinds = ("adapter" if member.is_lora else "model" for member in plan.members)
        found = [f"{what} {member.name}" for what, member in zip(kinds, plan.members, strict=True)]
        found.append(f"layout, tokenizer and dtype of {plan.members[plan.base].name}; kind {plan.kind}")
        mixed_count = sum(tensor.copied is None for tensor in plan.tensors)
        found.append(f"{mixed_count} tensors are mixed, {len(plan.tensors) - mixed_count} copied")
        often = " twice" if self.operation.passes == 2 else ""
        found.append(f"reads {told_size(plan.read_bytes)}{often}, writes {told_size(plan.write_bytes)}")
        found.append(f"about {self._seconds:.0f} s on this machine, roughly")
        found += [f"warning: {sentence}" for sentence in plan.warnings]
        return found + [f"refused: {sentence}" for sentence in plan.refusals]

    def to_json(self) -> dict[str, Any]:
        """For programs."""
        plan = self.plan
        return {
            "members": [member_row(member) for member in plan.members],
            "base": plan.members[plan.base].name,
            "kind": plan.kind,
            "tensors": len(plan.tensors),
            "files": [{"path": file.path, "bytes": file.size} for file in plan.files],
            "read_bytes": plan.read_bytes,
            "write_bytes": plan.write_bytes,
            "passes": self.operation.passes,
            "seconds": self._seconds,
            "warnings": list(plan.warnings),
            "refusals": list(plan.refusals),
        }

    @property
    def _seconds(self) -> float:
        return estimate(self.plan, passes=self.operation.passes)


def planned(job: MixJob) -> Planned:
    """The plan of a mix into a full model; of weights, samples are read, and nothing is written.

    Options and weights by hand are checked too; weights from examples are not looked for.

    Raises:
        InputError: The job is of one LoRA, or weights do not fit the models.
        ModelError: A folder cannot be read at all; an operation or a pattern of layers is unknown.
    """
    if job.adapter:
        raise InputError(
            "--dry-run is for full models: one LoRA is checked and written within seconds; leave it out"
        )
    members = tuple(open_member(name, revision=job.revision) for name in job.named)
    base = base_of(job, members)
    how = operation_of(job.operation, density=job.density, scale=job.scale, seed=job.weighing.seed, base=base)
    plan = plan_mix(members, base=base, kind=job.kind, dtype=job.dtype)
    if not plan.refusals:
        weights_by_tensor(plan, _known_weights(job, base), operation=how, layer_weights=job.layer_weights)
    return Planned(plan, how)


def _known_weights(job: MixJob, base: int) -> Sequence[float]:
    """The weights as far as they are known now; the base alone where examples will tell."""
    if job.weighs:
        return [float(at == base) for at in range(len(job.named))]
    peers = job.by_hand()
    if job.alpha is None:
        return peers
    alpha = 0.0 if job.alpha == "auto" else job.alpha
    weights: list[float] = final_weights(peers, alpha).tolist()
    return weights


def base_of(job: MixJob, members: Sequence[Member]) -> int:
    """Position of the member that gives layout, dtype and side files.

    Raises:
        ModelError: All are adapters and no base is named.
    """
    if job.base is not None:
        return job.named.index(job.base)
    full = [at for at, member in enumerate(members) if not member.is_lora]
    if not full:
        names = ", ".join(member.name for member in members[:3])
        more = " to score them on" if job.adapter else ", or give --adapter for one LoRA"
        raise ModelError(f"{names}: all are LoRA adapters; name their base with --base{more}")
    return full[0]


def told_size(count: int) -> str:
    """Bytes in words.

    >>> told_size(2_500_000), told_size(2_500_000_000)
    ('2.5 MB', '2.50 GB')
    """
    return f"{count / 1e9:.2f} GB" if count >= 1e8 else f"{count / 1e6:.1f} MB"
