"""The PANDA systems of a run: one row each, controls included.

Source: arXiv 2402.12835; the controls are ours: whoever gains from insights must gain from their content.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Literal, TypeAlias

from kshot.methods.panda.seams import Render

Control: TypeAlias = Literal["none", "empty", "shuffled", "irrelevant", "corrupted"]
REAL: Final = "panda: insights"


@dataclass(frozen=True, slots=True)
class Dish:
    """One PANDA system.

    Attributes:
        name: As on the leaderboard.
        render: What of an insight stands in the prompt.
        note: One line for the report.
        control: What is wrong with the insights on purpose.
    """

    name: str
    render: Render
    note: str
    control: Control = "none"


DISHES: tuple[Dish, ...] = (
    Dish(REAL, "insight", "the nearest insights in the prompt: text and explanation"),
    Dish("panda: preferences", "preference", "the nearest rows with the expert's answers, no explanation"),
    Dish("panda: insights and preferences", "both", "text, the expert's answer and the explanation"),
    Dish("panda: no insights", "insight", "control: the same prompt without insights", "empty"),
    Dish("panda: shuffled insights", "insight", "control: each text with another's explanation", "shuffled"),
    Dish(
        "panda: irrelevant insights",
        "insight",
        "control: the least similar insights in place of the nearest",
        "irrelevant",
    ),
    Dish(
        "panda: corrupted insights",
        "insight",
        "control: explanations of the reversed preference",
        "corrupted",
    ),
)
