"""ReAct, SayCan and Reflexion as data: how an action is drawn, and what else each may do."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, TypeAlias

from kshot.errors import InputError
from kshot.models.asking import Decoding

StrategyName: TypeAlias = Literal["react", "saycan", "reflexion"]
ACTION_TOKENS, REFLECTION_TOKENS = 50, 256
LINE_END = ("\n",)


@dataclass(frozen=True, slots=True)
class Strategy:
    """One way of acting. Everything else of the loop is the same for all.

    Attributes:
        name: As it is given on the command line.
        thoughts: Whether a line may be a thought, which is not executed.
        samples: Actions drawn a step; with several, the most frequent one that is accepted is taken.
        temperatures: Of the tries at one reply: the next is made where a reply is shorter than
            ``shortest_reply`` characters.
        shortest_reply: See there; 0: one try.
        trials: How often an episode is begun, until it is solved. After a failed trial the model reflects.
        reflections: How many of the latest reflections stand in the prompt.
    """

    name: StrategyName
    thoughts: bool = True
    samples: int = 1
    temperatures: tuple[float, ...] = (0.0,)
    shortest_reply: int = 0
    trials: int = 1
    reflections: int = 3


STRATEGIES: dict[str, Strategy] = {
    "react": Strategy("react"),
    "saycan": Strategy("saycan", thoughts=False, samples=5, temperatures=(0.5,)),
    "reflexion": Strategy(
        "reflexion", temperatures=(0.0, 0.2, 0.4, 0.6, 0.8, 1.0), shortest_reply=5, trials=3
    ),
}


def strategy_named(name: str) -> Strategy:
    """The strategy of a name.

    Source: decoding of the release (spec of PANDA, sections 3 and 9).

    Raises:
        InputError: There is none of that name.

    >>> strategy_named("saycan").samples
    5
    """
    if name not in STRATEGIES:
        raise InputError(f"policy {name!r}; expected one of {', '.join(STRATEGIES)}")
    return STRATEGIES[name]


def action_decodings(strategy: Strategy, attempt: int, *, repeat: int = 0) -> tuple[Decoding, ...]:
    """How the replies of one try are drawn, one a sample; ``repeat`` tells rounds and trials apart.

    Equal requests of two rounds are two draws: a journal of calls keeps them apart by ``sample``.

    >>> [decoding.sample for decoding in action_decodings(STRATEGIES["saycan"], 0, repeat=1)]
    [5, 6, 7, 8, 9]
    """
    temperature = strategy.temperatures[min(attempt, len(strategy.temperatures) - 1)]
    return tuple(
        Decoding(ACTION_TOKENS, temperature, LINE_END, sample=repeat * strategy.samples + index)
        for index in range(strategy.samples)
    )
