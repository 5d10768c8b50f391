"""The agent's prompt: example · insights · memory · task · history, within a budget of tokens."""

from __future__ import annotations

import math
from bisect import bisect_left
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TypeAlias

from kshot.agents.strategies import Strategy
from kshot.data.example import Conversation, Message
from kshot.methods.panda.records import Insight, content_id
from kshot.methods.panda.seams import Render

Count: TypeAlias = Callable[[str], int]
THOUGHT, ACKNOWLEDGED = "think:", "OK."
LEFT_OUT = "(earlier steps are left out)"
_ROLE = "You are an agent in a text world. Each of your lines is one action, a short command such as"
_ROLE_END = (
    "'open door to hall', 'look around' or 'pick up cup'; the world answers. Reach the goal of the task."
)
_THOUGHTS = f"A line that begins with '{THOUGHT}' is a thought: it is not carried out."
_ONE_LINE = "Reply with the next line only."
_EXAMPLE = "Here is such a task, solved:"
_INSIGHTS = "What an expert would advise, learnt in situations like the present one:"
_MEMORY = "What you noted after earlier, failed attempts at the task:"
_TASK = "Here is your task:"
_REFLECT = (
    "The attempt above did not solve the task. In a few sentences, say where it went wrong and what you will "
    "do otherwise in the next attempt. Be specific: name places, things and actions."
)
_THINK_FIRST = (
    "Here is a task in a text world, solved. Its steps are numbered. For up to five steps where a new part "
    "of the plan begins, write the thought that the agent has before the step: one line each, as "
    "'NUMBER: thought'. Write nothing else."
)


@dataclass(frozen=True, slots=True)
class Turn:
    """One line of the agent and the world's answer."""

    said: str
    observation: str


def estimated_tokens(text: str) -> int:
    """Tokens of a text where no tokenizer is at hand: a token each four characters, rounded up.

    >>> estimated_tokens("open door to kitchen")
    5
    """
    return math.ceil(len(text) / 4)


def wording_id() -> str:
    """A hash of every sentence of the agent's prompts."""
    parts = (_ROLE, _ROLE_END, _THOUGHTS, _ONE_LINE, _EXAMPLE, _INSIGHTS, _MEMORY, _TASK, _REFLECT)
    return f"agent-prompt-{content_id(*parts, _THINK_FIRST, THOUGHT, ACKNOWLEDGED, LEFT_OUT)}"


def transcript(first: str, turns: Sequence[Turn], *, omitted: bool = False) -> str:
    r"""A trajectory as prompts show it; the first observation names the task.

    >>> print(transcript("A hall. Leave it.", [Turn("go to door", "You are outside.")]))
    A hall. Leave it.
    > go to door
    You are outside.
    """
    lines = [first, *([LEFT_OUT] if omitted else [])]
    for turn in turns:
        lines += [f"> {turn.said}", turn.observation]
    return "\n".join(lines)


def fitted(
    first: str, turns: Sequence[Turn], *, budget: int | None, count: Count = estimated_tokens
) -> tuple[str, int]:
    """The transcript within a budget, and how many of its oldest steps were dropped, always whole.

    The first observation, which holds the task, always stays, even where it alone is over the budget.

    >>> fitted("Task.", [Turn("a" * 40, "b"), Turn("c", "d")], budget=12)[1]
    1
    """
    text = transcript(first, turns)
    if not turns or budget is None or count(text) <= budget:
        return text, 0
    numbers = range(1, len(turns) + 1)

    def fits(dropped: int) -> bool:
        return count(transcript(first, turns[dropped:], omitted=True)) <= budget

    dropped = min(1 + bisect_left(numbers, True, key=fits), len(turns))
    return transcript(first, turns[dropped:], omitted=True), dropped


def shown_insight(insight: Insight, *, render: Render) -> str:
    """One entry of the insight block: the explanation, the expert's preference, or both."""
    ranked = insight.preference.candidates if insight.preference else ()
    preferred = ""
    if ranked:
        over = f" over {_quoted([candidate.shown for candidate in ranked[1:]])}" if len(ranked) > 1 else ""
        preferred = f'The expert preferred "{ranked[0].shown}"{over}.'
    parts = {"insight": (insight.explanation,), "preference": (preferred,)}.get(
        render, (preferred, insight.explanation)
    )
    return " ".join(" ".join(parts).split())  # one line an entry, whatever the text holds


def insight_text(insights: Sequence[Insight], *, render: Render = "insight") -> str:
    """The insight block, most similar first; empty where no insight has anything to show."""
    entries = [entry for insight in insights if (entry := shown_insight(insight, render=render))]
    return "\n".join([_INSIGHTS, *(f"- {entry}" for entry in entries)]) if entries else ""


def advice_in(prompt: str) -> tuple[str, ...]:
    r"""The entries of the insight block of a prompt, most similar first; none where there is no block.

    >>> advice_in("Rules.\n\n" + _INSIGHTS + "\n- Go out.\n\nmore")
    ('Go out.',)
    """
    _, found, rest = prompt.partition(f"{_INSIGHTS}\n")
    block = rest.partition("\n\n")[0] if found else ""
    return tuple(line.removeprefix("- ") for line in block.split("\n") if line)


@dataclass(frozen=True, slots=True)
class Situation:
    """What one prompt is made of.

    Attributes:
        example: A solved task as a transcript; empty for none.
        insights: The insight block, or nothing.
        reflections: Notes after failed trials, oldest first.
        first: The first observation, with the task.
        turns: What happened since.
    """

    first: str
    turns: tuple[Turn, ...] = ()
    example: str = ""
    insights: str = ""
    reflections: tuple[str, ...] = ()


def action_prompt(
    situation: Situation, strategy: Strategy, *, budget: int | None = None, count: Count = estimated_tokens
) -> Conversation:
    """The request for the next action: one user message.

    Where it is over the budget the oldest steps of the history go, whole; the task, the insights, the example
    and the notes stay. Without insights it is the same text as if the agent had no pool.
    """
    rules = [_ROLE, _ROLE_END, *([_THOUGHTS] if strategy.thoughts else []), _ONE_LINE]
    blocks = [" ".join(rules)]
    if situation.example:
        blocks.append(f"{_EXAMPLE}\n{situation.example}")
    if situation.insights:
        blocks.append(situation.insights)
    if notes := situation.reflections[-strategy.reflections :]:
        blocks.append("\n".join([_MEMORY, *(f"- {' '.join(note.split())}" for note in notes)]))
    head = "\n\n".join([*blocks, f"{_TASK}\n"])
    left = None if budget is None else budget - count(head) - count("\n> ")
    history, _ = fitted(situation.first, situation.turns, budget=left, count=count)
    return (Message("user", f"{head}{history}\n>"),)


def reflection_prompt(
    situation: Situation, *, budget: int | None = None, count: Count = estimated_tokens
) -> Conversation:
    """The request for a note after a failed trial."""
    left = None if budget is None else budget - count(_REFLECT)
    history, _ = fitted(situation.first, situation.turns, budget=left, count=count)
    return (Message("user", f"{history}\n\n{_REFLECT}"),)


def thoughts_prompt(first: str, turns: Sequence[Turn]) -> Conversation:
    """The request for the thoughts of a solved example."""
    steps = "\n".join(f"{number}. {turn.said}" for number, turn in enumerate(turns, 1))
    return (Message("user", f"{_THINK_FIRST}\n\n{first}\n{steps}"),)


def _quoted(names: Sequence[str]) -> str:
    return " and ".join(f'"{name}"' for name in names)
