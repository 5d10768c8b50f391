"""The seam for interactive tasks: what an agent loop asks of a text environment."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, Protocol, TypeAlias, runtime_checkable

from kshot.errors import RunError

Split: TypeAlias = Literal["train", "dev", "test"]


class WorldError(RunError):
    """An environment failed: its process died or hung, or it broke down inside. The next episode may do."""


@dataclass(frozen=True, slots=True)
class State:
    """What an environment shows after one input.

    Attributes:
        observation: Its reply to the input.
        look: The surroundings; empty where the environment has no such thing.
        inventory: What the agent carries.
        task: What is to be done; the same through an episode.
        score: So far, up to 100; below 0 the episode is lost.
        done: Whether the episode has ended.
        moves: How many moves were counted; some inputs count none, waiting may count several.
        accepted: Whether the input was understood. A refused one leaves the world as it was.
        asks_back: Whether the reply is a question (which of several was meant), to be answered next.
    """

    observation: str
    look: str = ""
    inventory: str = ""
    task: str = ""
    score: int = 0
    done: bool = False
    moves: int = 0
    accepted: bool = True
    asks_back: bool = False


@runtime_checkable
class Environment(Protocol):
    """A text world in which an agent acts. One user at a time.

    ``episode`` is the index of a variation of the task. An environment may have
    chances of its own: equal inputs need not give equal states.
    """

    @property
    def name(self) -> str:
        """What this is and which task: ``scienceworld:find-living-thing``."""
        ...

    @property
    def move_limit(self) -> int:
        """An episode ends when its moves exceed this."""
        ...

    def variations(self, split: Split) -> Sequence[int]:
        """The episodes of a split; none is in two. The running episode may end by this."""
        ...

    def reset(self, episode: int) -> State:
        """Begins an episode; the state after the first look around."""
        ...

    def step(self, action: str) -> State:
        """One input, as it is."""
        ...

    def valid_actions(self) -> Sequence[str]:
        """What would be accepted now, sorted. May be slow: asked for only where an action was refused."""
        ...

    def gold_actions(self, episode: int) -> Sequence[str]:
        """A sequence of actions that solves the episode, from its beginning; empty where there is none.

        The running episode ends by this: ``reset`` comes next.
        """
        ...

    def close(self) -> None:
        """Ends every process behind it; more than once does no harm."""
        ...
