"""Facts from what the steps write as JSON: the choice of experts, the choice of data, a training."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

from kshot.errors import DataError
from kshot.report.knowledge.choice import FATES, DataFacts, ExpertFacts
from kshot.report.knowledge.mixture import TrainingFacts
from kshot.report.plain import from_plain

_CALLED = {
    "rank_accuracy": "accuracy_rank",
    "rank_perplexity": "perplexity_rank",
    "accuracy_se": "accuracy_error",
    "perplexity_se": "perplexity_error",
    "chance_pool": "pool_chance",
    "chance_chosen": "chosen_chance",
}
_GROUP = ("rank_sum", "diversity_rank", "similarity", "total")


def experts_from(plain: Mapping[str, Any]) -> ExpertFacts:
    """From the JSON object of a choice of experts.

    A pool that holds every expert says nothing, so that only the chosen count as in it.

    Raises:
        DataError: A field is missing or has the wrong type.
    """
    adapters = _field(plain, "adapters", where="experts")
    ranked = [row for row in adapters if row.get("rank_sum") is not None]
    everybody = len(ranked) > sum(bool(row.get("chosen")) for row in ranked) and all(
        row.get("in_pool") for row in ranked
    )
    groups = [_group(row, chosen=place == 0) for place, row in enumerate(plain.get("groups") or ())]
    found: ExpertFacts = from_plain(
        ExpertFacts,
        {
            "experts": [_expert(row, everybody=everybody) for row in adapters],
            "rule": _field(plain, "rule", where="experts"),
            "k": _field(plain, "shots", where="experts"),
            "similarity": plain.get("similarity") or "",
            "exact": not plain.get("approximate"),
            "groups": groups,
            "groups_considered": plain.get("group_count"),
            "margin": _number(plain.get("margin")),
            "notes": plain.get("notes") or (),
        },
        where="experts",
    )
    return found


def data_from(plain: Mapping[str, Any]) -> DataFacts:
    """From the JSON object of a choice of data.

    Reasons of the guard, which name a group and what was repeated, are added up; other reasons stay words.

    Raises:
        DataError: A field is missing or has the wrong type.
    """
    asked = _field(plain, "asked", where="data")
    reasons = dict(_field(plain, "counts", where="data"))
    reasons.pop("read", None)
    counts = {"shot": len(plain.get("shots") or ()), "kept": reasons.pop("chosen", 0)}
    for reason, number in reasons.items():
        fate = _fate(reason)
        counts[fate] = counts.get(fate, 0) + number
    found: DataFacts = from_plain(
        DataFacts,
        {
            "counts": counts,
            "encoder": _field(plain, "encoder", where="data"),
            "selector": asked.get("name") or asked.get("similarity") or "max",
            "asked": _field(asked, "count", where="data.asked"),
            "threshold": _field(asked, "threshold", where="data.asked"),
            "points": plain.get("points") or (),
        },
        where="data",
    )
    return found


def training_from(
    system: str, trained: str, *, losses: Sequence[float], held: Sequence[tuple[int, float]] = (),
    best_step: int | None = None, parameters: int | None = None,
) -> TrainingFacts:  # fmt: skip
    """From the losses of each step, the first being step 1, and (step, loss) of each look at held-back rows.

    >>> training_from("mixture", "routers", losses=[2.0, 1.5], held=[(0, 2.5), (2, 1.8)], best_step=2).steps
    (1, 2)
    """
    return TrainingFacts(
        system=system,
        trained=trained,
        steps=tuple(range(1, len(losses) + 1)),
        losses=tuple(float(loss) for loss in losses),
        held_steps=tuple(step for step, _ in held),
        held_losses=tuple(float(loss) for _, loss in held),
        kept_step=best_step,
        parameters=parameters,
    )


def _expert(row: Mapping[str, Any], *, everybody: bool) -> dict[str, Any]:
    told = {ours: row.get(theirs) for ours, theirs in _CALLED.items()}
    told |= {name: _number(row.get(name)) for name in ("accuracy", "perplexity")}
    chosen = bool(row.get("chosen"))
    return told | {
        "name": row.get("name"),
        "rank_sum": row.get("rank_sum"),
        "chosen": chosen,
        "in_pool": chosen if everybody else bool(row.get("in_pool")),
        "left": row.get("left") or None,
    }


def _group(row: Mapping[str, Any], *, chosen: bool) -> dict[str, Any]:
    known = {name: _whole(row[name]) for name in _GROUP if row.get(name) is not None}
    more = {name: value for name, value in row.items() if name not in (*_GROUP, "members", "chosen")}
    return known | {"members": row.get("members"), "chosen": chosen, "more": more}


def _fate(reason: str) -> str:
    if reason in FATES:
        return reason
    if ": " in reason:
        return "guard"
    if reason.startswith("near-duplicate"):
        return "near-duplicate"
    return "not chosen" if reason.startswith("not among") else reason


def _number(value: Any) -> Any:
    """Numbers that JSON cannot hold were written as text."""
    return {"inf": math.inf, "-inf": -math.inf, "nan": math.nan}.get(value, value)


def _whole(value: Any) -> Any:
    return int(value) if isinstance(value, float) and value.is_integer() else value


def _field(plain: Mapping[str, Any], name: str, *, where: str) -> Any:
    if name not in plain:
        raise DataError(f"{where}: field {name!r} is missing")
    return plain[name]
