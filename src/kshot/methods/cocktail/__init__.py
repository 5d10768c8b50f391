"""LM-Cocktail: how much of each model goes into the mix, by losses on the shots (arXiv 2311.13534)."""

from kshot.methods.cocktail.alpha import AlphaChoice, recommend_alpha
from kshot.methods.cocktail.chances import WeightChances, weight_chances
from kshot.methods.cocktail.cross_fit import CrossFit, Decision, crossfit, folds_of, settle
from kshot.methods.cocktail.objective import Objective, Remembered, mean_loss, remembered
from kshot.methods.cocktail.search import METHODS, SIMPLEX_MODELS, Method, Search, search_weights
from kshot.methods.cocktail.soup import GreedySoup, SoupStep, greedy_soup
from kshot.methods.cocktail.temperature import GRID, TemperatureChoice, choose_temperature, sweep_weights
from kshot.methods.cocktail.weights import (
    alone,
    final_weights,
    loss_table,
    mean_losses,
    mixing_weights,
    uniform,
)

__all__ = [
    "GRID",
    "METHODS",
    "SIMPLEX_MODELS",
    "AlphaChoice",
    "CrossFit",
    "Decision",
    "GreedySoup",
    "Method",
    "Objective",
    "Remembered",
    "Search",
    "SoupStep",
    "TemperatureChoice",
    "WeightChances",
    "alone",
    "choose_temperature",
    "crossfit",
    "final_weights",
    "folds_of",
    "greedy_soup",
    "loss_table",
    "mean_loss",
    "mean_losses",
    "mixing_weights",
    "recommend_alpha",
    "remembered",
    "search_weights",
    "settle",
    "sweep_weights",
    "uniform",
    "weight_chances",
]
