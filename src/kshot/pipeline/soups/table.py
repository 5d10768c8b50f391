"""The systems that are one model mixed from many by the shots; one row each.

Source: LM-Cocktail (arXiv 2311.13534) for the softmax of losses, Model soups (arXiv 2203.05482) for the
greedy one.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, TypeAlias

WeightRule: TypeAlias = Literal["softmax", "uniform", "greedy", "search"]
COCKTAIL = "cocktail"


@dataclass(frozen=True, slots=True)
class Soup:
    """How the weights of one system come about.

    Attributes:
        name: As on the leaderboard.
        rule: Softmax of the negative losses on the shots, equal weights, models added one by one, or weights
            searched on the mixed model's own loss.
        note: One line for the report.
        temperature: Of the softmax, in place of the task file's; None as the task file says.
        ablation: Whether it is built only where it is asked for.
        weight: Rough share of time.
    """

    name: str
    rule: WeightRule
    note: str
    temperature: float | None = None
    ablation: bool = False
    weight: float = 1.0


SOUPS: tuple[Soup, ...] = (
    Soup(COCKTAIL, "softmax", "base, models and adapters in one, weighted by their losses on the shots"),
    Soup("uniform soup", "uniform", "the same members, equal weights", weight=0.5),
    Soup("greedy soup", "greedy", "members added one by one while the mix's loss on the shots falls"),
    Soup(
        "searched soup",
        "search",
        "weights searched on the mix's own loss on the shots",
        ablation=True,
        weight=4.0,
    ),
    Soup(
        "cocktail, temperature 5",
        "softmax",
        "weights by the losses at the paper's temperature, which is nearly uniform",
        temperature=5.0,
        ablation=True,
        weight=0.5,
    ),
)
