"""The second pass: the output of each kept row is asked for again, alone."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
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
class SecondPass:
    """Asks for outputs, and takes those that are usable; a row without one keeps its first.

    A row with a second output names its request in ``answer_request``; its id stays that of the row as it
    first came, since other rows may have been refused as its repeats.

    Args:
        rows: Kept by the filters.
        prompts: The wording.
        places: Of their tasks.
        broken: The first rule that a row breaks: a second output that breaks one is not taken.

    Attributes:
        rows: With the outputs that have come so far.
        spent: So far.
        stopped: Why it ended early; empty where it did not.
    """

    def __init__(
        self,
        rows: Sequence[Row],
        *,
        prompts: ExplorePrompts,
        places: Mapping[str, Place],
        broken: Callable[[Item], str],
    ) -> None:
        self.rows = list(rows)
        self.spent = Spent()
        self.stopped = ""
        self._prompts = prompts
        self._places = places
        self._broken = broken

    def run(self, model: LanguageModel, *, calls: int, tokens: int | None) -> None:
        """Asks within a limit; where it has too little for all, the first rows get theirs.

        Raises:
            KshotError: The model cannot be asked on, for another reason than its budget.
        """
        served = min(len(self.rows), calls)
        each = 2 if calls >= 2 * len(self.rows) else 1
        share = None if tokens is None else tokens // max(1, served)
        try:
            run_lanes(model, [self._lane(place, Purse(each, share)) for place in range(served)])
        except BudgetError as error:
            self.stopped = str(error)

    def _lane(self, place: int, purse: Purse) -> Lane[None]:
        row = self.rows[place]
        question = self._prompts.answer(row.item, self._places[row.node])
        if not purse.allows(question):
            return
        reply, spent = yield from settled(question, purse)
        self.spent = self.spent.plus(spent)
        text = "" if reply.finish_reason == "error" else self._prompts.read_answer(reply.text)
        item = replace(row.item, output=text)
        if text and not self._broken(item):
            self.rows[place] = replace(row, item=item, answer_request=request_id(KIND, row.id, 0))
