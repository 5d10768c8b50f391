"""Facts from what a mix writes as JSON: ``cocktail.json`` of a run, ``kshot_mix.json`` of ``kshot mix``."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from kshot.errors import DataError
from kshot.report.cocktail.facts import MixFacts
from kshot.report.plain import from_plain


def mix_from(plain: Mapping[str, Any]) -> MixFacts:
    """From the JSON object of one mix; what is not there is not shown.

    Raises:
        DataError: A field is missing or has the wrong type.

    >>> told = {"system": "mix", "members": [{"name": "a", "weight": 1.0, "low": 0.5, "high": 1.0}]}
    >>> mix_from(told).members[0].interval
    (0.5, 1.0)
    """
    search, heat = plain.get("search") or {}, plain.get("temperature") or {}
    found: MixFacts = from_plain(
        MixFacts,
        {
            "system": plain.get("system") or "mix",
            "rule": plain.get("rule") or "given",
            "members": [_member(row) for row in _field(plain, "members")],
            "k": len(plain.get("examples") or ()),
            "reason": plain.get("reason") or "",
            "loss": plain.get("loss"),
            "uniform_loss": plain.get("uniform_loss"),
            "temperature": heat.get("chosen"),
            "automatic": heat.get("asked") == "auto",
            "temperatures": [_temperature(row) for row in heat.get("rows") or ()],
            "uniform_crossfit": _known(heat, search),
            "tells_apart": plain.get("tells_apart"),
            "apart": plain.get("apart") or "",
            "steps": [{key: row.get(key) for key in ("name", "loss", "accepted")} for row in _steps(plain)],
            "crossfit": search.get("crossfit"),
            "evaluations": search.get("evaluations"),
            "left": plain.get("left") or None,
            "notes": [*(plain.get("notes") or ()), *(plain.get("warnings") or ())],
        },
        where="cocktail",
    )
    return found


def _member(row: Mapping[str, Any]) -> dict[str, Any]:
    low, high = row.get("low"), row.get("high")
    return {
        "name": row.get("name"),
        "form": row.get("form") or "",
        "weight": row.get("weight"),
        "loss": row.get("loss"),
        "interval": None if low is None or high is None else (low, high),
        "change": row.get("change"),
    }


def _temperature(row: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "temperature": row.get("temperature"),
        "lowest": row.get("lowest_weight"),
        "highest": row.get("highest_weight"),
        "crossfit": row.get("crossfit"),
        "fitted": row.get("fitted"),
        "chosen": bool(row.get("chosen")),
    }


def _steps(plain: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    return list(plain.get("steps") or ())


def _known(heat: Mapping[str, Any], search: Mapping[str, Any]) -> Any:
    return heat.get("crossfit_uniform", search.get("crossfit_uniform"))


def _field(plain: Mapping[str, Any], name: str) -> Any:
    if name not in plain:
        raise DataError(f"cocktail: field {name!r} is missing")
    return plain[name]
