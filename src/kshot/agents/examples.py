"""The one solved example of a prompt: a gold path of a train variation, in the loop's own format."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from kshot.agents.episode import SOLVED
from kshot.agents.learning import Trajectory
from kshot.agents.prompt import (
    ACKNOWLEDGED,
    THOUGHT,
    Count,
    Turn,
    estimated_tokens,
    fitted,
    thoughts_prompt,
)
from kshot.models.asking import Decoding, Question, replies
from kshot.models.base import LanguageModel, Reply

THOUGHT_TOKENS = 300
EXAMPLE_BUDGET = 1200
_MOST_THOUGHTS = 5
_LINE = re.compile(r"^\s*(\d{1,3})\s*[.:)]\s*(?:think:\s*)?(\S.*)$", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Solved:
    """An example as prompts show it.

    Attributes:
        text: The transcript, with thoughts where there are any.
        label: Which trajectory: task and variation.
        thoughts: How many were added.
        left_out: Oldest steps that did not fit.
        reply: The model's, where thoughts were asked for.
    """

    text: str = ""
    label: str = ""
    thoughts: int = 0
    left_out: int = 0
    reply: Reply | None = None


def solved_example(
    trajectories: Sequence[Trajectory],
    *,
    thinker: LanguageModel | None = None,
    budget: int = EXAMPLE_BUDGET,
    count: Count = estimated_tokens,
) -> Solved:
    """The shortest solved trajectory (of equals the first); nothing where none was solved.

    With a ``thinker``, up to five thoughts are added: one request, greedy, so that a journal answers it from
    then on. Lines that name no step are dropped, and ``thoughts`` counts what was added. Over the budget the
    oldest steps go, whole.
    """
    solved = [one for one in trajectories if one.scores[-1] >= SOLVED and one.turns]
    if not solved:
        return Solved()
    chosen = min(solved, key=lambda one: len(one.turns))
    thoughts: dict[int, str] = {}
    reply = None
    if thinker is not None:
        conversation = thoughts_prompt(chosen.first, chosen.turns)
        question = Question(conversation, Decoding(THOUGHT_TOKENS), step="thoughts")
        reply = replies(thinker, [question])[0]
        thoughts = thoughts_in(reply.text, steps=len(chosen.turns))
    turns: list[Turn] = []
    for number, turn in enumerate(chosen.turns, 1):
        if number in thoughts:
            turns.append(Turn(f"{THOUGHT} {thoughts[number]}", ACKNOWLEDGED))
        turns.append(turn)
    text, left_out = fitted(chosen.first, turns, budget=budget, count=count)
    return Solved(text, chosen.label, len(thoughts), left_out, reply)


def thoughts_in(reply: str, *, steps: int) -> dict[int, str]:
    r"""Step number to thought, from lines like ``3: thought``; the first five of existing steps.

    >>> thoughts_in("1: find it\nand so on\n99: no\n2) bring it", steps=5)
    {1: 'find it', 2: 'bring it'}
    """
    found: dict[int, str] = {}
    for line in reply.split("\n"):
        if match := _LINE.match(line):
            number, thought = int(match[1]), match[2].strip()
            if 1 <= number <= steps and len(found) < _MOST_THOUGHTS:
                found.setdefault(number, thought)
    return found
