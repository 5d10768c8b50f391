"""Losses over optimiser steps: of the rows trained on, and of rows held back."""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import pairwise
from typing import Any

from kshot.report.knowledge.letters import colour
from kshot.report.knowledge.mixture import TrainingFacts
from kshot.report.knowledge.visible import chart_text

MOST_POINTS = 400  # a line: more are not seen
_DASHES = ("solid", "dash", "dot", "dashdot")


def training_figure(trainings: Sequence[TrainingFacts]) -> dict[str, Any]:
    """A line for each training, thinned by means; held-back losses as points with the kept one filled."""
    traces: list[dict[str, Any]] = []
    for place, facts in enumerate(trainings):
        name = chart_text(facts.system, kept=40)
        dash = _DASHES[place // 8 % len(_DASHES)]
        if facts.steps:
            traces.append(_line(facts, name, colour(place), dash))
        if facts.held_steps:
            traces.append(_held(facts, name, colour(place)))
    if not traces:
        return {}
    layout = {
        "height": 380, "showlegend": True, "margin": {"r": 30}, "legend": {"y": 1.02, "yanchor": "bottom"},
        "xaxis": {"title": {"text": "optimiser step"}, "rangemode": "tozero"},
        "yaxis": {"title": {"text": "loss, nats per target token"}, "rangemode": "tozero"},
    }  # fmt: skip
    return {"data": traces, "layout": layout}


def thinned(steps: Sequence[int], losses: Sequence[float], *, most: int) -> list[tuple[float, float]]:
    """At most ``most`` points: means of equal stretches of (step, loss); all points where they are few.

    >>> thinned([1, 2, 3, 4], [4.0, 2.0, 1.0, 1.0], most=2)
    [(1.5, 3.0), (3.5, 1.0)]
    """
    pairs = [(float(step), loss) for step, loss in zip(steps, losses, strict=True) if math.isfinite(loss)]
    if len(pairs) <= most:
        return pairs
    ends = [place * len(pairs) // most for place in range(most + 1)]
    stretches = [pairs[start:end] for start, end in pairwise(ends)]
    return [
        (sum(step for step, _ in part) / len(part), sum(loss for _, loss in part) / len(part))
        for part in stretches
    ]


def _line(facts: TrainingFacts, name: str, tone: str, dash: str) -> dict[str, Any]:
    points = thinned(facts.steps, facts.losses, most=MOST_POINTS)
    return {
        "type": "scatter", "mode": "lines", "name": f"{name}: rows trained on",
        "x": [step for step, _ in points], "y": [loss for _, loss in points],
        "line": {"color": tone, "width": 1.6, "dash": dash}, "hoverinfo": "text",
        "hovertext": [f"{name}, step {step:g}: {loss:.3f}" for step, loss in points],
    }  # fmt: skip


def _held(facts: TrainingFacts, name: str, tone: str) -> dict[str, Any]:
    points = [
        pair for pair in zip(facts.held_steps, facts.held_losses, strict=True) if math.isfinite(pair[1])
    ]
    kept = [step == facts.kept_step for step, _ in points]
    return {
        "type": "scatter", "mode": "markers", "name": f"{name}: rows held back",
        "x": [step for step, _ in points], "y": [loss for _, loss in points], "hoverinfo": "text",
        "hovertext": [
            f"{name}, held back, step {step}: {loss:.3f}{' (kept)' if best else ''}"
            for (step, loss), best in zip(points, kept, strict=True)
        ],
        "marker": {"symbol": ["star" if best else "circle-open" for best in kept], "color": tone,
                   "size": [16 if best else 9 for best in kept], "line": {"width": 2, "color": tone}},
    }  # fmt: skip
