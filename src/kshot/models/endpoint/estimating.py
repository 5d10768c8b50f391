"""What questions would cost, before any is asked."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import islice

from kshot.models.asking import Question
from kshot.models.endpoint.meter import Spent
from kshot.models.endpoint.options import Estimate
from kshot.models.endpoint.request import need_of
from kshot.models.journal import Journal
from kshot.models.journal.call import Prices

PART = 500


def estimated(
    keyed: Iterable[tuple[str, Question]], *, journal: Journal | None, prices: Prices | None
) -> Estimate:
    """Counts, tokens and money of the questions that the journal does not hold.

    Args:
        keyed: Each question with the key of its request. Equal ones count once where a journal is kept.
        journal: Where replies are looked for.
        prices: USD per million tokens.
    """
    total, count, calls = Spent(0), 0, 0
    seen: set[str] = set()
    for part in _parts(iter(keyed)):
        found = journal.find_many([key for key, _ in part], is_hit=False) if journal is not None else {}
        for key, question in part:
            count += 1
            if key in found or key in seen:
                continue
            if journal is not None and journal.mode != "off":
                seen.add(key)
            need = need_of(question)
            calls += 1
            total = Spent(
                calls,
                total.prompt_tokens + need.prompt_tokens,
                total.completion_tokens + need.completion_tokens,
            )
    usd = None if prices is None else total.usd(prices)
    return Estimate(count, count - calls, calls, total.prompt_tokens, total.completion_tokens, usd)


def _parts(keyed: Iterator[tuple[str, Question]]) -> Iterator[list[tuple[str, Question]]]:
    while part := list(islice(keyed, PART)):
        yield part
