"""What a stand-alone mix tells of itself: the content of ``kshot_mix.json``."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

from kshot.methods.cocktail import uniform
from kshot.models.checkpoint import Member
from kshot.models.checkpoint.lineage import lineage
from kshot.pipeline.mix.found import Found, alpha_curve
from kshot.pipeline.mix.job import MixJob

FACTS = "kshot_mix.json"
_OF_WEIGHTS = ("low", "high", "change")


def mix_facts(
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
        if told.get("loss") is not None:
            facts["notes"].append("the loss told is of base and peers, without the fine-tuned model")
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
        told.append(member_row(member) | {"weight": weight, "loss": loss, "uniform": equal} | numbers)
    return told


def member_row(member: Member) -> dict[str, Any]:
    """A member by name, form and revision."""
    form = "adapter" if member.is_lora else "model"
    return {"name": member.name, "form": form, "revision": member.revision}


def kinship_rows(members: Sequence[Member], *, base: int) -> list[dict[str, Any]]:
    """How near each full model is to the base on sampled weights; None where nothing could be compared."""

    def known(number: float) -> float | None:
        return number if math.isfinite(number) else None

    return [
        {
            "name": kin.name,
            "distance": known(kin.distance),
            "cosine": known(kin.cosine),
            "delta_cosines": [known(cosine) for cosine in kin.delta_cosines],
        }
        for kin in lineage(members, base=base)
    ]


def escaped(text: str) -> str:
    r"""Text that can be written: half a character, as in a name that is no UTF-8, as JSON spells it.

    >>> escaped('{"name": "caf\udce9"}')
    '{"name": "caf\\udce9"}'
    """
    return text.encode("utf-8", "backslashreplace").decode()
