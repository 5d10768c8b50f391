"""ScienceWorld behind the seam: one task, its variations as episodes."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, final

from kshot.agents.base import Split, State, WorldError
from kshot.agents.scienceworld.simulator import Simulator
from kshot.agents.scienceworld.tasks import task_named
from kshot.errors import InputError

SIMPLIFICATION, MOVE_LIMIT = "easy", 100
REFUSALS = ("No known action matches that input", "Unknown action.")
_QUESTION = "Ambiguous request"


@dataclass(frozen=True, slots=True)
class ScienceWorldMaker:
    """Opens a ``ScienceWorld``; small enough to send to another process."""

    task: str
    move_limit: int = MOVE_LIMIT

    def __call__(self) -> ScienceWorld:
        """A running environment, to be closed by whoever asked for it."""
        return ScienceWorld(self.task, move_limit=self.move_limit)


@final
class ScienceWorld:
    """One task of ScienceWorld, simplification ``easy``; see ``Environment``.

    An episode ends at a score of 100, below 0 (a wrong focus gives -100), or when moves exceed the limit.
    Looking around, the inventory and refused actions cost no move; waiting costs several.

    The simulator has chances of its own where plants are pollinated: the gold path of grow-fruit, variation
    30, takes 57 or 58 steps to 100 from one replay to the next, in the raw environment too.

    A question back ("which of these?") takes the next input, whatever it is, and one that is no number
    of its list is lost and costs a move. Where the next action is none, the question is cancelled first,
    for the same move, and the action is then carried out.

    Example::

        with closing(ScienceWorld("find-living-thing")) as world:
            state = world.reset(world.variations("train")[0])
            state = world.step("open door to kitchen")
    """

    def __init__(self, task: str | int, *, move_limit: int = MOVE_LIMIT) -> None:
        self._number, self._task = task_named(task)
        self._move_limit = move_limit
        self._simulator = Simulator()
        self._episode: int | None = None
        self._gold: dict[int, tuple[str, ...]] = {}
        self._question = ""
        self._task_text = ""

    @property
    def name(self) -> str:
        """``scienceworld:`` and the task's name."""
        return f"scienceworld:{self._task}"

    @property
    def move_limit(self) -> int:
        """An episode ends when its moves exceed this."""
        return self._move_limit

    def variations(self, split: Split) -> tuple[int, ...]:
        """The task's variations as the simulator splits them. The running episode may end by this."""
        if self._episode is None:
            self._load(0)
        with self._asked() as server:
            ask = {
                "train": server.getVariationsTrain,
                "dev": server.getVariationsDev,
                "test": server.getVariationsTest,
            }[split]
            return tuple(int(variation) for variation in ask())

    def label(self, episode: int) -> str:
        """Task and variation as the released pools name a trajectory: ``6-120``."""
        return f"{self._number}-{episode}"

    def reset(self, episode: int) -> State:
        """Loads a variation, where it is another than before, and looks around."""
        if episode != self._episode:
            self._load(episode)
        with self._asked() as server:
            server.reset()
            self._task_text = str(server.getTaskDescription())
        self._question = ""
        return self.step("look around")

    def step(self, action: str) -> State:
        """One input."""
        if self._episode is None:
            raise WorldError(f"{self.name}: a step before the first reset; call reset(variation) first")
        with self._asked() as server:
            if self._question and not _chooses(action, self._question):
                server.step("")
            observation = str(server.step(action))
            score = round(100 * float(server.getScore()))
            moves = int(server.getNumMoves())
            done = bool(server.getCompleted()) or score < 0 or moves > self._move_limit
            look, inventory = str(server.freeActionLook()), str(server.freeActionInventory())
        self._question = observation if observation.startswith(_QUESTION) else ""
        return State(
            observation, look, inventory, self._task_text, score=score, done=done, moves=moves,
            accepted=not observation.startswith(REFUSALS), asks_back=bool(self._question),
        )  # fmt: skip

    def valid_actions(self) -> list[str]:
        """All actions that would be accepted, sorted: 150 to 1,270 of them, 20 to 150 ms."""
        with self._asked() as server:
            return sorted(str(action) for action in server.getValidActionObjectCombinations())

    def gold_actions(self, episode: int) -> tuple[str, ...]:
        """The simulator's own solution of a variation. The running episode ends by this."""
        if episode not in self._gold:
            self._load(episode, gold=True)
            with self._asked() as server:
                self._gold[episode] = tuple(str(action) for action in server.getGoldActionSequence())
        return self._gold[episode]

    def close(self) -> None:
        """Ends the Java machine."""
        self._simulator.close()

    def _load(self, episode: int, *, gold: bool = False) -> None:
        with self._asked() as server:
            variations = int(server.getTaskMaxVariations(self._task))
            if not 0 <= episode < variations:
                raise InputError(f"{self.name}: variation {episode}; expected 0 to {variations - 1}")
            server.load(self._task, episode, SIMPLIFICATION, gold)
        self._episode = episode

    @contextlib.contextmanager
    def _asked(self) -> Iterator[Any]:
        """The simulator's interface; what goes wrong there is a ``WorldError`` that names the task."""
        from py4j.protocol import Py4JError, Py4JJavaError

        try:
            yield self._simulator.server
        except Py4JJavaError as error:
            raise WorldError(f"{self.name}: the simulator failed ({error.java_exception})") from error
        except (Py4JError, OSError) as error:
            raise WorldError(f"{self.name}: the simulator's process is gone ({error})") from error


def _chooses(action: str, question: str) -> bool:
    """Whether an input is a number of the question's list."""
    number = action.strip()
    return number.isdecimal() and any(line.startswith(f"{number}:") for line in question.split("\n"))
