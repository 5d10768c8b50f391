"""Conversations in several steps, many side by side: each step waits for its own lane's reply alone.

``asked`` puts questions that are all known beforehand. A lane's next question depends on the replies before
it; lanes depend on nothing of one another, so the order in which replies arrive changes no lane.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Generator, Iterable, Iterator
from contextlib import closing
from typing import TypeAlias, TypeVar

from kshot.models.asking import Question, joined, repair, replies_as_they_come, wrong_with
from kshot.models.base import LanguageModel, Reply

T = TypeVar("T")
Lane: TypeAlias = Generator[Question, Reply, T]


def run_lanes(model: LanguageModel, lanes: Iterable[Lane[T]]) -> list[T]:
    """Runs all lanes to their end; what each returned, in the order of the lanes.

    Lanes are started in order as places become free, and a started lane's next question waits behind those
    that are there already: lanes advance evenly, so none is long alone at the end.

    Raises:
        KshotError: The model cannot be asked on. Lanes that were under way are closed; what they wrote
            down themselves until then stays.

    >>> from kshot.data.example import Message
    >>> from kshot.models.fake import ScriptedModel
    >>> def twice(text):
    ...     first = yield Question((Message("user", text),))
    ...     second = yield Question((Message("user", first.text),))
    ...     return second.text
    >>> model = ScriptedModel(lambda turns: turns[-1].content + "!")
    >>> run_lanes(model, [twice("a"), twice("b")])
    ['a!!', 'b!!']
    """
    found: dict[int, T] = {}
    waiting: deque[tuple[int, Lane[T], Question]] = deque()
    asked: dict[int, tuple[int, Lane[T]]] = {}
    fresh = enumerate(lanes)

    def step(place: int, lane: Lane[T], reply: Reply | None) -> None:
        try:
            question = next(lane) if reply is None else lane.send(reply)
        except StopIteration as end:
            found[place] = end.value
            return
        waiting.append((place, lane, question))

    def questions() -> Iterator[Question | None]:
        position = 0
        while True:
            for place, lane in fresh:
                step(place, lane, None)
                if waiting:
                    break
            if not waiting and not asked:
                return
            if not waiting:
                yield None
                continue
            place, lane, question = waiting.popleft()
            asked[position] = (place, lane)
            position += 1
            yield question

    try:
        with closing(replies_as_they_come(model, questions())) as arriving:
            for position, reply in arriving:
                place, lane = asked.pop(position)
                step(place, lane, reply)
    finally:
        for _, lane in (*asked.values(), *((place, lane) for place, lane, _ in waiting)):
            lane.close()
    return [found[place] for place in sorted(found)]


def checked(question: Question) -> Generator[Question, Reply, tuple[Reply, int]]:
    """Within a lane: the question, asked once more where its check fails; the reply, and how many calls.

    The second request holds the first reply and the check's words. A reply that is wrong twice has
    ``finish_reason`` ``error``. Tokens are those of both.

    Example::

        reply, calls = yield from checked(question)
    """
    first = yield question
    wrong = wrong_with(question, first)
    if not wrong:
        return first, 1
    second = yield repair(question, first, wrong)
    return joined(first, second, wrong_with(question, second)), 2
