"""Mixes of models seen: losses, weights and how sure they are; the curve of alpha."""

from kshot.report.cocktail.facts import CocktailFacts, MemberRow, MixFacts, StepRow, TemperatureRow
from kshot.report.cocktail.pages import alpha_page, mix_page
from kshot.report.cocktail.read import mix_from

__all__ = [
    "CocktailFacts",
    "MemberRow",
    "MixFacts",
    "StepRow",
    "TemperatureRow",
    "alpha_page",
    "mix_from",
    "mix_page",
]
