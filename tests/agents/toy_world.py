"""A text world of three rooms, to show that another environment enters by the protocol, and to be quick."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass

from kshot.agents.base import Split, State

DOORS = {"hall": ("kitchen",), "kitchen": ("hall", "garden"), "garden": ("kitchen",)}
THINGS = {"hall": ("crocodile", "red apple"), "kitchen": ("metal pot", "orange"), "garden": ("dove egg",)}
GOLD = ("look around", "go to kitchen", "look around", "go to garden", "focus on dove egg")


class ToyWorld:
    """Go to the garden and focus on the egg: 10 points a room, 100 for the egg, -100 for another focus."""

    name = "toy"

    def __init__(self, move_limit: int = 10) -> None:
        self.move_limit = move_limit
        self.sent: list[str] = []
        self.valid_lists = 0
        self.closed = False

    def variations(self, split: Split) -> Sequence[int]:
        return {"train": range(4), "dev": range(4, 6), "test": range(6, 10)}[split]

    def reset(self, episode: int) -> State:
        self.place, self.seen, self.score, self.moves = "hall", {"hall"}, 0, 0
        self.episode = episode
        return self._state("You are in the hall.")

    def step(self, action: str) -> State:
        self.sent.append(action)
        words = action.casefold()
        if words == "look around":
            return self._state(self._look())
        if words == "go":
            return self._state("Which door?", asks_back=True)
        if words not in {valid.casefold() for valid in self._valid()}:
            return self._state("I do not know that.", accepted=False)
        self.moves += 10 if words == "wait" else 1
        if words.startswith("go to "):
            self.place = words.removeprefix("go to ")
            self.score += 10 if self.place not in self.seen else 0
            self.seen.add(self.place)
            return self._state(f"You go to the {self.place}.")
        if words.startswith("focus on "):
            self.score = 100 if words.endswith("dove egg") else -100
            return self._state(f"You focus on the {words.removeprefix('focus on ')}.")
        return self._state(f"Done: {words}.")

    def valid_actions(self) -> list[str]:
        self.valid_lists += 1
        return self._valid()

    def gold_actions(self, episode: int) -> Sequence[str]:
        return () if episode == 3 else GOLD

    def close(self) -> None:
        self.closed = True

    def _valid(self) -> list[str]:
        actions = ["look around", "wait", *(f"go to {door}" for door in DOORS[self.place])]
        for thing in THINGS[self.place]:
            actions += [f"focus on {thing}", f"pick up {thing}", f"look at {thing}"]
        return sorted(actions)

    def _look(self) -> str:
        return f"Room {self.episode}: the {self.place}.\n\tdoors: {', '.join(DOORS[self.place])}\n"

    def _state(self, observation: str, *, accepted: bool = True, asks_back: bool = False) -> State:
        done = abs(self.score) == 100 or self.moves > self.move_limit
        return State(
            observation,
            self._look(),
            "nothing\n",
            "Focus on the egg.",
            self.score,
            done,
            self.moves,
            accepted,
            asks_back,
        )


class DyingWorld(ToyWorld):
    """Kills its own process in the garden of episode 7, and hangs in episode 8."""

    def step(self, action: str) -> State:
        if self.episode == 7 and action == "go to garden":
            os._exit(3)
        if self.episode == 8 and action == "go to garden":
            import time

            time.sleep(60)
        if self.episode == 9 and action == "go to garden":
            raise ValueError("a slip in the world")
        return super().step(action)


@dataclass(frozen=True)
class Maker:
    dying: bool = False

    def __call__(self) -> ToyWorld:
        return DyingWorld() if self.dying else ToyWorld()


def refuse() -> ToyWorld:
    from kshot.errors import InputError

    raise InputError("toy: not here")
