"""What a state looks like as one line of text: in the prompt, and as the key of an insight."""

from __future__ import annotations

from kshot.agents.base import State
from kshot.methods.panda.records import OBSERVATION

_ONE_LINE = str.maketrans("\n\t\r", "   ")


def observation_text(state: State, *, first: bool = False) -> str:
    r"""Observation, inventory and look, joined by ``"; "``; of the first state the look, then the task.

    Line breaks and tabs become blanks, one for one, as in the released pools. The observation of a refused
    action, and a question back, stand alone: the world is as it was.

    Source: spec of PANDA, section 9, read off the released pools.

    >>> observation_text(State("Taken.", "A room\n\twith a door\n", "a key\n"))
    'Taken.; a key ; A room  with a door '
    >>> observation_text(State("A room", "A room\n", task="Leave."), first=True)
    'A room   Leave.'
    """
    if first:
        text = f"{state.look or state.observation}\n\n{state.task}" if state.task else state.look
    elif not state.accepted or state.asks_back:
        text = state.observation
    else:
        text = "; ".join(part for part in (state.observation, state.inventory, state.look) if part)
    return text.translate(_ONE_LINE)


def query_key(observation: str) -> str:
    """The text by which insights are looked up, in the form of a pool's keys.

    >>> query_key("A room.")
    '[observation]: A room.'
    """
    return f"{OBSERVATION}: {observation}"
