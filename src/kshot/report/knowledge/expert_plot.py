"""The scatter of experts: accuracy against perplexity on the shots, chosen and refused."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

from kshot.report.knowledge.choice import ExpertFacts, ExpertRow
from kshot.report.knowledge.visible import chart_text
from kshot.report.labels import label_sides
from kshot.report.wording import ABSENT, Scale, nats

STATES = {
    "chosen": ("circle", "--accent", 14),
    "in the pool": ("diamond", "--unsure", 10),
    "left": ("x-thin", "--muted", 8),
}
WIDE = 6.0  # largest over smallest perplexity from which on a log axis reads better
_TICKS = [float(f"{unit}e{power}") for power in range(-12, 300) for unit in (1, 2, 3, 5)]


def expert_figure(facts: ExpertFacts) -> dict[str, Any]:
    """One point an expert, with bars of one standard error; empty where nothing was measured.

    Names stand where they find room: those of chosen experts first, then the pool's, then the rest.
    """
    order = list(STATES)
    shown = sorted((row for row in facts.experts if _measured(row)), key=lambda row: order.index(row.state))
    if not shown:
        return {}
    perplexities = [row.perplexity or 0.0 for row in shown]
    log = max(perplexities) > WIDE * min(perplexities)
    sides = _sides(shown, log=log)
    traces = [
        _trace([(row, side) for row, side in zip(shown, sides, strict=True) if row.state == state], state)
        for state in STATES
        if any(row.state == state for row in shown)
    ]
    ticks = {"type": "log", **_ticks(perplexities)} if log else {}
    top = max(100 * ((row.accuracy or 0.0) + _finite(row.accuracy_se)) for row in shown)
    label = f"selection score: share of the {facts.k:,} shots right, %"
    across = "perplexity of answer and reasoning on the shots (lower is better)"
    layout = {
        "height": 460, "showlegend": len(traces) > 1,
        "xaxis": {"title": {"text": across}, **ticks},
        "yaxis": {"title": {"text": label}, "range": [-top * 0.06 - 1, top * 1.08 + 1]},
    }  # fmt: skip
    return {"data": traces, "layout": layout}


def _trace(rows: Sequence[tuple[ExpertRow, str | None]], state: str) -> dict[str, Any]:
    symbol, colour, size = STATES[state]
    bars = {"width": 0, "thickness": 1.5 if state == "left" else 5, "color": "--band"}
    outline = {"width": 2, "color": colour} if state == "left" else {"width": 1, "color": "--card"}
    font = {"size": 11, "color": "--muted"} if state == "left" else {"size": 12, "color": "--ink"}
    return {
        "type": "scatter", "mode": "markers+text", "name": f"{state} ({len(rows)})", "cliponaxis": False,
        "x": [row.perplexity for row, _ in rows], "y": [100 * (row.accuracy or 0.0) for row, _ in rows],
        "error_x": {"type": "data", "array": [_finite(row.perplexity_se) for row, _ in rows], **bars},
        "error_y": {"type": "data", "array": [100 * _finite(row.accuracy_se) for row, _ in rows], **bars},
        "text": [chart_text(row.name) if side else "" for row, side in rows],
        "textposition": [side or "middle right" for _, side in rows],
        "textfont": font,
        "hoverinfo": "text", "hovertext": [_hover(row) for row, _ in rows],
        "marker": {"symbol": symbol, "size": size, "color": colour, "line": outline},
    }  # fmt: skip


def _ticks(values: Sequence[float]) -> dict[str, Any]:
    """Round places around the values on a log axis, not more than about ten."""
    low = max((tick for tick in _TICKS if tick <= min(values)), default=_TICKS[0])
    high = min((tick for tick in _TICKS if tick >= max(values)), default=_TICKS[-1])
    inner = [tick for tick in _TICKS if low <= tick <= high]
    kept = inner[:: max(1, math.ceil(len(inner) / 10))]
    return {"tickvals": kept, "ticktext": [f"{tick:g}" for tick in kept]}


def _sides(rows: Sequence[ExpertRow], *, log: bool) -> list[str | None]:
    places = [
        (
            math.log10(row.perplexity or 1.0) if log else row.perplexity or 0.0,
            row.accuracy or 0.0,
            len(row.name[:28]),
        )
        for row in rows
    ]
    return label_sides(places)


def _hover(row: ExpertRow) -> str:
    share, ranks = Scale().score, (row.rank_accuracy, row.rank_perplexity, row.rank_sum)
    shown = [ABSENT if rank is None else f"{rank:g}" for rank in ranks]
    lines = [
        f"<b>{chart_text(row.name, kept=60)}</b>: {row.state}",
        f"selection score {share(row.accuracy)} ± {share(row.accuracy_se)}, rank {shown[0]}",
        f"perplexity {nats(row.perplexity)} ± {nats(row.perplexity_se)}, rank {shown[1]}",
        f"rank sum {shown[2]}",
    ]
    if row.chance_pool is not None:
        lines.append(f"chance to be in the pool {share(row.chance_pool)}, chosen {share(row.chance_chosen)}")
    return "<br>".join([*lines, *([chart_text(row.left, kept=90)] if row.left else [])])


def _measured(row: ExpertRow) -> bool:
    perplexity, accuracy = row.perplexity, row.accuracy
    return (
        accuracy is not None
        and perplexity is not None
        and math.isfinite(accuracy)
        and math.isfinite(perplexity)
        and perplexity > 0
    )


def _finite(value: float | None) -> float:
    return value if value is not None and math.isfinite(value) else 0.0
