"""A bank of adapters built from a recipe: datasets in, PEFT folders with cards out."""

from kshot.pipeline.bank_build.build import BankBuilt, build_bank
from kshot.pipeline.bank_build.plan import dry
from kshot.pipeline.bank_build.recipe import BankRecipe, load_recipe, recipe_file

__all__ = ["BankBuilt", "BankRecipe", "build_bank", "dry", "load_recipe", "recipe_file"]
