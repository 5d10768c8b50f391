"""How many insights are retrieved, and which are passed over."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final

from kshot.errors import DataError
from kshot.methods.panda.pool import approximate_tokens
from kshot.methods.panda.records import Insight

ITSELF: Final = "is the query itself"
SAME_KEY: Final = "its key repeats a chosen one"
OVERLAPS: Final = "its text repeats a chosen one"
TOO_LONG: Final = "does not fit the token budget"
FAR: Final = "lies below the floor"
PASSED_OVER: Final = "passed over for a more different one"


def entry_text(insight: Insight) -> str:
    r"""What is counted of an insight: key, the expert's answer and explanation, as the fullest prompt has it.

    >>> entry_text(Insight(0, "a text", "because"))
    'a text\nbecause'
    """
    answer = insight.preference.top.shown if insight.preference else ""
    return "\n".join(part for part in (insight.key, answer, insight.explanation) if part)


@dataclass(frozen=True, slots=True)
class Retrieval:
    """Which insights of a pool a query gets. Everything beyond ``k`` is off by default.

    Attributes:
        k: How many at most: 6 for classification, 1 a step for agents (released).
        floor: The least cosine.
        leave_one_out: The query itself (its id or source, or an equal key, white space and case aside) is
            never returned: for shots that are queries.
        distinct_keys: Of equal keys only the first.
        overlap: Insights whose explanation has a higher ROUGE-L F with a chosen one are passed over; 0.7.
        mmr: Maximal marginal relevance: the next is argmax of λ · its cosine with the query − (1 − λ) · its
            highest cosine with one that is chosen (0 for the first). Ties: the higher cosine with the query,
            then pool order. λ = 1 is the plain order.
        token_budget: What all chosen ones take together; one that does not fit is skipped for the next.
        count: Text to tokens, for the budget; see ``entry_text`` for the text.
        reach: How many are looked at, at most (or k): nothing from far away gets in because it is short.

    Raises:
        DataError: A value lies outside what it can be.
    """

    k: int = 6
    floor: float | None = None
    leave_one_out: bool = False
    distinct_keys: bool = False
    overlap: float | None = None
    mmr: float | None = None
    token_budget: int | None = None
    count: Callable[[str], int] = field(default=approximate_tokens, compare=False)
    reach: int = 200

    def __post_init__(self) -> None:
        _whole("k", self.k, least=0)
        _whole("reach", self.reach, least=1)
        if self.token_budget is not None:
            _whole("token_budget", self.token_budget, least=0)
        _between("floor", self.floor, -1.0)
        _between("overlap", self.overlap, 0.0)
        _between("mmr", self.mmr, 0.0)


def _whole(name: str, value: object, *, least: int) -> None:
    if not isinstance(value, int) or isinstance(value, bool) or value < least:
        raise DataError(f"retrieval: {name} is {value!r}, expected a whole number, {least} or more")


def _between(name: str, value: object, least: float) -> None:
    if value is None:
        return
    if not isinstance(value, int | float) or isinstance(value, bool) or not least <= value <= 1:
        raise DataError(f"retrieval: {name} is {value!r}, expected a number from {least:g} to 1, or none")


PLAIN: Final = Retrieval()
