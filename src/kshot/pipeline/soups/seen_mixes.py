"""What the report shows of a run's mixes, gathered from what each system wrote beside its weights."""

from __future__ import annotations

import json
from collections.abc import Sequence

from kshot.errors import DataError, RunError
from kshot.pipeline.answers import Outcome
from kshot.pipeline.soups.system import FACTS
from kshot.pipeline.soups.table import COCKTAIL, SOUPS
from kshot.report.cocktail import CocktailFacts, MixFacts, mix_from


def seen_mixes(outcomes: Sequence[Outcome]) -> CocktailFacts | None:
    """The facts of all mixes, the cocktail first, then in the order of the table of soups; None without any.

    Raises:
        RunError: A file is damaged.
    """
    order = [soup.name for soup in SOUPS]
    mixed = sorted((o for o in outcomes if o.recipe.name in order), key=lambda o: order.index(o.recipe.name))
    if not mixed:
        return None
    folds = max(len(set(outcome.artifacts)) for outcome in mixed)
    note = f"the first of {folds} splits" if folds > 1 else ""
    if mixed[0].recipe.name != COCKTAIL:
        note = "; ".join(filter(None, [note, f"members as {mixed[0].recipe.name} weighs them"]))
    return CocktailFacts(mixes=tuple(map(_facts, mixed)), note=note)


def _facts(outcome: Outcome) -> MixFacts:
    file = outcome.artifacts[0] / FACTS
    try:
        return mix_from(json.loads(file.read_text(encoding="utf-8")))
    except (OSError, ValueError, AttributeError, DataError) as error:
        raise RunError(f"{file}: is damaged ({error}); delete the run folder and run again") from error
