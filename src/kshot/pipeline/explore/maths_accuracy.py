"""How many answers of a file of replies are right, joined with the right answers by id."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from kshot.errors import DataError
from kshot.measure.judge import join_answers, read_answers
from kshot.measure.maths import Mode, answers_equal, gold_answer, stated
from kshot.measure.statistics import wilson
from kshot.measure.statistics.proportions import Interval


@dataclass(frozen=True, slots=True)
class MathsAccuracy:
    """Right answers counted.

    Attributes:
        n: Rows whose right answer is known; a missing reply is a wrong one.
        right: Of these.
        interval: Wilson's 95 % interval of the share.
        missing: Rows without a reply.
        unstated: Replies in which no answer can be found.
        without_gold: Rows left out, as their right answer is empty or cannot be found.
        extra: Replies to no row.
        by: What the files were joined by.
        mode: How strictly spellings were compared.
        wrong: Ids of the rows with a wrong reply, in order; a row without an id by a hash of its question.
    """

    n: int
    right: int
    interval: Interval
    missing: int
    unstated: int
    without_gold: int
    extra: int
    by: str
    mode: Mode
    wrong: tuple[str, ...] = ()

    @property
    def share(self) -> float:
        """Right of n."""
        return self.right / self.n


def maths_accuracy(gold: Path, replies: Path, *, mode: Mode = "lenient") -> MathsAccuracy:
    """Replies against right answers, both as solutions with a box or as bare answers.

    Raises:
        DataError: A file cannot be read, no right answer is known, or the files do not go together.

    Example::

        maths_accuracy(Path("gold.jsonl"), Path("replies.jsonl")).share
    """
    all_rows = read_answers(gold)
    rows = [row for row in all_rows if gold_answer(row.text) is not None and row.text.strip()]
    if not rows:
        raise DataError(f"{gold}: no row has a right answer, boxed or on one line; is this the file of gold?")
    joined = join_answers(rows, read_answers(replies))
    fits = {pair.id: answers_equal(pair.b, pair.a, mode=mode) for pair in joined.pairs}
    return MathsAccuracy(
        n=len(rows),
        right=sum(fits.values()),
        interval=wilson(sum(fits.values()), len(rows)),
        missing=joined.only_a,
        unstated=sum(stated(pair.b) is None for pair in joined.pairs),
        without_gold=len(all_rows) - len(rows),
        extra=joined.only_b,
        by=joined.by,
        mode=mode,
        wrong=tuple(name for name, fit in fits.items() if not fit),
    )
