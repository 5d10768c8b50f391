"""Where the names of points stand in a scatter plot, so that none hides another."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypeAlias

Box: TypeAlias = tuple[float, float, float, float]  # left, right, bottom, top, as shares of the plot
LETTER, LINE, GAP = 0.0085, 0.05, 0.012


def label_sides(points: Sequence[tuple[float, float, int]]) -> list[str | None]:
    """For each point (x, y, letters of its name) the side where its name finds room, or None.

    Earlier points choose first; each takes the first free side of right, left, above, below.

    >>> label_sides([(0.0, 0.0, 9), (0.1, 0.0, 9), (1.0, 1.0, 9)])
    ['middle left', 'middle right', 'middle right']
    """
    across, up = _shares([x for x, _, _ in points]), _shares([y for _, y, _ in points])
    taken = [(x - GAP, x + GAP, y - GAP, y + GAP) for x, y in zip(across, up, strict=True)]
    sides: list[str | None] = []
    for own, (x, y, (_, _, letters)) in enumerate(zip(across, up, points, strict=True)):
        others = [box for place, box in enumerate(taken) if place != own]
        boxes = _boxes(x, y, letters * LETTER)
        side = next(
            (name for name, box in boxes.items() if not any(_meet(box, other) for other in others)), None
        )
        if side is not None:
            taken.append(boxes[side])
        sides.append(side)
    return sides


def _shares(values: Sequence[float]) -> list[float]:
    low, span = min(values, default=0.0), (max(values, default=0.0) - min(values, default=0.0)) or 1.0
    return [(value - low) / span for value in values]


def _boxes(x: float, y: float, width: float) -> dict[str, Box]:
    half = LINE / 2
    return {
        "middle right": (x + GAP, x + GAP + width, y - half, y + half),
        "middle left": (x - GAP - width, x - GAP, y - half, y + half),
        "top center": (x - width / 2, x + width / 2, y + GAP, y + GAP + LINE),
        "bottom center": (x - width / 2, x + width / 2, y - GAP - LINE, y - GAP),
    }


def _meet(one: Box, other: Box) -> bool:
    return one[0] < other[1] and other[0] < one[1] and one[2] < other[3] and other[2] < one[3]
