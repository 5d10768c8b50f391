"""One lane: requests for rows of one task, one after the other, each seeing the replies before it."""

from __future__ import annotations

from collections.abc import Callable, Generator
from dataclasses import dataclass, field
from math import ceil
from typing import TypeAlias, final

from kshot.methods.explore.fill.allot import LanePlan
from kshot.methods.explore.fill.commit import Arrived, Judged
from kshot.methods.explore.records import Item
from kshot.methods.explore.seams import FillRequest, RowsReply
from kshot.methods.explore.spending import Spent
from kshot.models.asking import Question, joined, repair, wrong_with
from kshot.models.base import Reply
from kshot.models.endpoint import tokens_of
from kshot.models.lanes import Lane

_FAILED_AT_MOST = 2  # requests in a row that failed; then the lane ends

Compose: TypeAlias = Callable[[LanePlan, int, int, list[Item]], FillRequest]


@dataclass(frozen=True, slots=True)
class Asking:
    """What a lane needs to ask and to read.

    Attributes:
        compose: Plan, ordinal, rows wanted and the lane's own rows to the request.
        question: Of a request.
        read: Of a reply's text.
        judge: Task and row to what can be said of it at once.
        batch: Most rows in one request.
    """

    compose: Compose
    question: Callable[[FillRequest], Question]
    read: Callable[[str], RowsReply]
    judge: Callable[[str, Item], Judged]
    batch: int


@final
@dataclass(slots=True)
class Purse:
    """What a lane may still spend; it never spends more.

    Attributes:
        calls: Requests and repairs.
        tokens: Of prompts and replies; None: no limit.
        spent: So far.
    """

    calls: int
    tokens: int | None = None
    spent: Spent = field(default_factory=Spent)

    def allows(self, question: Question) -> bool:
        """Whether the question fits, its reply as long as it may be."""
        if self.spent.calls >= self.calls:
            return False
        if self.tokens is None:
            return True
        need = tokens_of(question.conversation) + question.decoding.max_new_tokens
        return self.spent.tokens + need <= self.tokens

    def pay(self, reply: Reply) -> Spent:
        """Counts one call."""
        paid = Spent(1, reply.prompt_tokens, reply.completion_tokens)
        self.spent = self.spent.plus(paid)
        return paid


def lane(plan: LanePlan, asking: Asking, purse: Purse, arrived: list[Arrived]) -> Lane[None]:
    """Asks until its rows, its requests or its purse are used up, or two requests in a row failed.

    What came is put into ``arrived`` at once: it is there even if the round ends in the middle.
    """
    own: list[Item] = []
    texts: set[tuple[str, str]] = set()
    failed = 0
    for ordinal in range(plan.first, plan.first + plan.requests):
        left = ceil(plan.target - len(own) * plan.task.share)
        if left < 1 or failed >= _FAILED_AT_MOST:
            return
        node = plan.task.node.id
        request = asking.compose(plan, ordinal, min(asking.batch, left), own)
        question = asking.question(request)
        if not purse.allows(question):
            return
        reply, spent = yield from settled(question, purse)
        is_failed = reply.finish_reason == "error"
        read = RowsReply() if is_failed else asking.read(reply.text)
        rows = tuple(asking.judge(node, item) for item in read.items)
        failed = 0 if rows else failed + 1
        arrived.append(
            Arrived(
                node, ordinal, request.id, rows, request.wanted, read.malformed, spent, is_failed or not rows
            )
        )
        for item in (judged.item for judged in rows if judged.is_fresh):
            if (key := (item.instruction, item.input)) not in texts:
                texts.add(key)
                own.append(item)


def settled(question: Question, purse: Purse) -> Generator[Question, Reply, tuple[Reply, Spent]]:
    """The reply, asked for once more where it is wrong and the purse allows it; and what both cost."""
    first = yield question
    spent = purse.pay(first)
    wrong = wrong_with(question, first)
    if not wrong:
        return first, spent
    again = repair(question, first, wrong)
    if not purse.allows(again):
        return Reply("", finish_reason="error", error=f"unusable: {wrong}"), spent
    second = yield again
    spent = spent.plus(purse.pay(second))
    return joined(first, second, wrong_with(question, second)), spent
