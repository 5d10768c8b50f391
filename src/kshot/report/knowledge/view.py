"""What the page's templates show of open knowledge: rows in order, sentences, and where bars stand."""

from __future__ import annotations

import math
from typing import Any

from kshot.report.forest import axis_over
from kshot.report.knowledge import sentences
from kshot.report.knowledge.choice import DataFacts, ExpertFacts
from kshot.report.knowledge.facts import AgreementFacts, Interval, OpenKnowledge
from kshot.report.knowledge.letters import colour, letter
from kshot.report.knowledge.mixture import RouterFacts
from kshot.report.knowledge.router_plot import figure_width
from kshot.report.knowledge.tables import fates, figure, group_columns, ordered
from kshot.report.knowledge.tokens import direction, mean_gates, token_views
from kshot.report.knowledge.visible import visible
from kshot.report.wording import Scale

OPEN_GROUPS, MOST_GROUPS = 6, 200
_MEANING = {
    "shot": "the shots themselves, each among the rows to learn from",
    "kept": "learned from, beside the shots",
    "near-duplicate": "too close to a kept row",
    "guard": "repeats a test row or a shot; removed first",
    "not chosen": "not among the rows nearest to the shots",
}


def knowledge_view(knowledge: OpenKnowledge, scale: Scale) -> dict[str, Any]:
    """The parts that are there, by name; a part that is absent is None."""
    training = [(facts, visible(sentences.training_sentence(facts))) for facts in knowledge.training]
    return {
        "note": knowledge.note,
        "experts": experts_view(knowledge.experts) if knowledge.experts else None,
        "data": data_view(knowledge.data) if knowledge.data else None,
        "router": router_view(knowledge.router) if knowledge.router else None,
        "agreement": agreement_view(knowledge.agreement, scale) if knowledge.agreement else None,
        "training": training, "parity": knowledge.parity, "figure": figure,
    }  # fmt: skip


def experts_view(facts: ExpertFacts) -> dict[str, Any]:
    """Experts from chosen to left; the first groups open, further ones folded, as many as a page bears."""
    considered = len(facts.groups) if facts.groups_considered is None else facts.groups_considered
    shown = facts.groups[:MOST_GROUPS]
    names, cells = group_columns(shown)
    groups = list(zip(shown, cells, strict=True))
    return {
        "facts": facts, "lead": visible(sentences.experts_sentence(facts)), "rows": ordered(facts.experts),
        "columns": names, "groups": groups[:OPEN_GROUPS], "more_groups": groups[OPEN_GROUPS:],
        "hidden_groups": considered - min(len(facts.groups), MOST_GROUPS),
    }  # fmt: skip


def data_view(facts: DataFacts) -> dict[str, Any]:
    """Fates with counts and shares of all open rows; shots are no part of that sum."""
    rows = fates(facts)
    total = sum(number for fate, number in rows if fate != "shot")
    shares = [None if fate == "shot" or not total else number / total for fate, number in rows]
    shown = [
        (fate, number, share, _MEANING.get(fate, ""))
        for (fate, number), share in zip(rows, shares, strict=True)
    ]
    return {"facts": facts, "lead": visible(sentences.data_sentence(facts)), "rows": shown}


def router_view(facts: RouterFacts) -> dict[str, Any]:
    """Experts with letter, colour and mean shares; the coloured text with its legend."""
    loads = sentences.expert_loads(facts)
    picked = sentences.expert_loads(facts, "chosen") if facts.chosen else [None] * len(loads)
    leads = _modules_led(facts)
    rows = [
        {"letter": letter(place), "tone": colour(place), "name": name, "load": loads[place],
         "chosen": picked[place], "leads": leads[place]}
        for place, name in enumerate(facts.experts)
    ]  # fmt: skip
    tokens = facts.tokens
    means = mean_gates(tokens, len(facts.experts)) if tokens else ()
    legend = sorted(zip(rows, means, strict=bool(tokens)), key=lambda pair: -pair[1])
    views = token_views(facts)
    return {
        "facts": facts, "lead": visible(sentences.router_sentence(facts)), "rows": rows, "tokens": views,
        "cut": len(tokens.pieces) - len(views) if tokens else 0, "legend": legend,
        "direction": direction(tokens.pieces) if tokens else "ltr", "width": figure_width(facts),
    }  # fmt: skip


def _modules_led(facts: RouterFacts) -> list[int]:
    """For each expert the number of modules in which it has the largest share, the first of equals."""
    led = [0] * len(facts.experts)
    for row in facts.load:
        known = [place for place, share in enumerate(row) if math.isfinite(share)]
        if known:
            led[max(known, key=lambda place: (row[place], -place))] += 1
    return led


def agreement_view(facts: AgreementFacts, scale: Scale) -> dict[str, Any]:
    """Rows with their share of all, and bars on an axis from 0 to 1; parts on an axis of their own."""
    total = sum(row.n for row in facts.rows)
    rows = [(row, row.n / total if total else 0.0) for row in facts.rows]
    pairs = [
        (value, interval)
        for part in facts.parts
        for value, interval in (
            (part.mixture, part.mixture_interval), (part.best_single, part.best_single_interval),
        )
    ]  # fmt: skip
    values = [bound for value, interval in pairs for bound in (value, *(interval or ())) if bound is not None]
    axis = axis_over([0.0, *values], share=scale.percent)
    return {
        "facts": facts, "lead": visible(sentences.agreement_sentence(facts)), "rows": rows, "total": total,
        "full": axis_over([0.0, 1.0], share=True), "axis": axis, "place": place_on,
    }  # fmt: skip


def place_on(axis: Any, value: float | None, interval: Interval | None) -> tuple[float, float, float] | None:
    """Left end, width and point in percent; None where there is no figure."""
    if value is None or not math.isfinite(value):
        return None
    low, high = interval if interval and all(map(math.isfinite, interval)) else (value, value)
    left = axis.place(low)
    return left, round(axis.place(high) - left, 3), axis.place(value)
