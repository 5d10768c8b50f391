"""The second pass: the output of each kept row is asked for again, alone."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import final

from kshot.errors import BudgetError
from kshot.methods.explore.fill.lane import Purse, settled
from kshot.methods.explore.records import Item, Row, request_id
from kshot.methods.explore.seams import ExplorePrompts, Place
from kshot.methods.explore.spending import Spent
from kshot.models.base import LanguageModel
from kshot.models.lanes import Lane, run_lanes

KIND = "answer"


@final
@dataclass(slots=True)
class Answers:
    """What the second pass gave so far.

    Attributes:
        rows: By place: rows with their new output.
        spent: What it cost.
        stopped: Why it ended early; empty where it did not.
    """

    rows: dict[int, Row] = field(default_factory=dict)
    spent: Spent = field(default_factory=Spent)
    stopped: str = ""


def second_answers(
    rows: Sequence[Row],
    model: LanguageModel,
    *,
    prompts: ExplorePrompts,
    places: Mapping[str, Place],
    broken: Callable[[Item], str],
    purse: Purse,
) -> tuple[tuple[Row, ...], Answers]:
    """The rows, with the second output where there is a usable one; the others keep their first.

    A row with a second output names its request in ``answer_request``; its id stays that of the row as it
    first came, since other rows may have been refused as its repeats.

    Args:
        rows: Kept by the filters.
        model: Who answers.
        prompts: The wording.
        places: Of their tasks.
        broken: The first rule that a row breaks: a second output that breaks one is not taken.
        purse: For all rows together, shared evenly; where it has too little for all, the first rows get theirs.

    Raises:
        KshotError: The model cannot be asked on, for another reason than its budget.
    """
    found = Answers()
    served = min(len(rows), purse.calls)
    calls = 2 if purse.calls >= 2 * len(rows) else 1
    tokens = None if purse.tokens is None else purse.tokens // max(1, served)
    lanes = [
        _answer(place, rows[place], found, prompts=prompts, places=places, broken=broken, purse=Purse(calls, tokens))
        for place in range(served)
    ]
    try:
        run_lanes(model, lanes)
    except BudgetError as error:
        found.stopped = str(error)
    return tuple(found.rows.get(place, row) for place, row in enumerate(rows)), found


def _answer(
    place: int,
    row: Row,
    found: Answers,
    *,
    prompts: ExplorePrompts,
    places: Mapping[str, Place],
    broken: Callable[[Item], str],
    purse: Purse,
) -> Lane[None]:
    question = prompts.answer(row.item, places[row.node])
    if not purse.allows(question):
        return
    reply, spent = yield from settled(question, purse)
    found.spent = found.spent.plus(spent)
    text = "" if reply.finish_reason == "error" else prompts.read_answer(reply.text)
    item = replace(row.item, output=text)
    if text and not broken(item):
        name = request_id(KIND, row.id, 0)
        found.rows[place] = replace(row, item=item, answer_request=name)
