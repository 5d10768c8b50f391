"""The report's cascade: its threshold is chosen on labelled rows, each left out of its own prompt."""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import final

from kshot.data.example import Example
from kshot.measure.metrics import row_scores
from kshot.measure.predict import unanswered
from kshot.methods.panda.cascade import ALWAYS, NEVER, draw_answers, threshold_from_shots
from kshot.pipeline.panda.conditions import Extras
from kshot.pipeline.panda.parts import Parts, reader_of

FEWEST, MOST = 8, 64  # labelled rows that a threshold is chosen on


@final
@dataclass(frozen=True, slots=True)
class Choice:
    """When the report's cascade asks the expert.

    Attributes:
        threshold: Rows whose draws agree by less go to the expert; 1: all that are not unanimous.
        note: The condition's, with how the threshold came about.
    """

    threshold: float
    note: str


def chosen_threshold(parts: Parts, extras: Extras, metric: str) -> Choice:
    """The threshold under which most of the labelled rows come out right; 1 where it cannot be chosen.

    At most ``MOST`` rows are drawn on, by the seed. The insight that was learned from a row is out of its
    prompt, and so is the row among the shots. What the expert says of the rows is taken as it is: a head
    speaks out of fold, a classifier that was trained on them elsewhere looks surer than it is.

    Args:
        parts: Without the judged rows, and with an expert.
        extras: Draws and temperature.
        metric: One by which single rows are judged, or none is chosen.

    Example::

        threshold = chosen_threshold(parts, Extras(), "accuracy").threshold
    """
    rows = _drawn_on(parts)
    if parts.expert is None or len(rows) < FEWEST:
        return _unanimous(f"a threshold takes {FEWEST} labelled rows or more, and {len(rows)} are there")
    gold, said = parts.gold(rows), parts.expert([unanswered(row) for row in rows])
    expert_scores = row_scores(metric, said, gold)
    if expert_scores is None:
        return _unanimous("a threshold takes a metric that is a mean of rows")
    retrieval = replace(parts.retrieval, leave_one_out=True)
    reader = reader_of(parts, parts.pool.insights, retrieval=retrieval)
    drawn = draw_answers(parts.model, rows, reader, draws=extras.draws, temperature=extras.temperature)
    own_scores = row_scores(metric, drawn.answers, gold)
    assert own_scores is not None  # the same metric as the expert's
    found = threshold_from_shots(drawn.agreement, own_scores.tolist(), expert_scores.tolist())
    how = f"chosen on {len(rows)} labelled rows by {extras.draws * len(rows)} further draws"
    return Choice(found.value, f"insights; {_when(found.value)} ({how})")


def _unanimous(why: str) -> Choice:
    return Choice(1.0, f"insights; the expert where the LLM's draws disagree ({why})")


def _when(threshold: float) -> str:
    if threshold == NEVER:
        return "the expert is never asked"
    if threshold == ALWAYS:
        return "the expert is always asked"
    return f"the expert where less than {threshold:.0%} of the LLM's draws agree"


def _drawn_on(parts: Parts) -> Sequence[Example]:
    rows = [row for row in parts.labelled if row.answer]
    return rows if len(rows) <= MOST else random.Random(parts.seed).sample(rows, MOST)
