"""CocktailFacts, what a run tells of its mixes: plain values, each measured on the shots."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeAlias

from kshot.errors import DataError

Interval: TypeAlias = tuple[float, float]


@dataclass(frozen=True, slots=True, kw_only=True)
class MemberRow:
    """One member of a mix.

    Attributes:
        form: ``base``, ``model`` or ``adapter``.
        loss: Of the member by itself on the shots, nats; a selection figure.
        interval: 95 % of the weight over draws of the shots; None where the weights are no softmax.
        change: By how much the weight moves, at most, when one shot is left out.
    """

    name: str
    weight: float
    form: str = ""
    loss: float | None = None
    interval: Interval | None = None
    change: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class TemperatureRow:
    """One temperature of the sweep.

    Attributes:
        lowest: Smallest weight; ``highest`` the largest.
        crossfit: Loss of the mix on shots that its weights did not see; None where it was no number.
        fitted: Loss on the shots that the weights are from.
    """

    temperature: float
    lowest: float
    highest: float
    crossfit: float | None = None
    fitted: float | None = None
    chosen: bool = False


@dataclass(frozen=True, slots=True)
class StepRow:
    """One member that a greedy soup tried: the loss of the average with it, and whether it stayed."""

    name: str
    loss: float | None
    accepted: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class MixFacts:
    """How the weights of one mix came about.

    Attributes:
        system: Name on the leaderboard, or of the mix.
        rule: ``softmax``, ``uniform``, ``greedy``, ``best``, ``simplex`` or ``cma``; ``given`` by hand.
        k: How many shots the figures rest on; 0: none were given.
        reason: Why these weights.
        loss: Of the mix on the shots, nats: a selection score.
        uniform_loss: The same with equal weights.
        temperature: Of the softmax; ``automatic`` whether it was chosen by cross-fit.
        temperatures: The sweep; ``uniform_crossfit`` the loss of equal weights on the same shots.
        tells_apart: Whether the weights can be told from equal ones; None where nothing says so.
        apart: The same as a sentence.
        steps: Of a greedy soup.
        crossfit: Loss of searched weights on shots they did not see.
        evaluations: Mixes that a search tried.
        left: Name to reason, of those that came into question and take no part.
        notes: What the reader should know, a sentence each.
    """

    system: str
    rule: str
    members: tuple[MemberRow, ...]
    k: int = 0
    reason: str = ""
    loss: float | None = None
    uniform_loss: float | None = None
    temperature: float | None = None
    automatic: bool = False
    temperatures: tuple[TemperatureRow, ...] = ()
    uniform_crossfit: float | None = None
    tells_apart: bool | None = None
    apart: str = ""
    steps: tuple[StepRow, ...] = ()
    crossfit: float | None = None
    evaluations: int | None = None
    left: dict[str, str] | None = None
    notes: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        if not self.members:
            raise DataError(f"cocktail: {self.system!r} has no member; expected one or more")

    @property
    def uniform(self) -> float:
        """What each member would have in the uniform soup."""
        return 1 / len(self.members)

    def weight_of(self, name: str) -> float | None:
        """The weight of a member; None where it takes no part."""
        return next((row.weight for row in self.members if row.name == name), None)


@dataclass(frozen=True, slots=True, kw_only=True)
class CocktailFacts:
    """The mixes of one run, the cocktail itself first.

    Attributes:
        note: What these facts cover where that is not the whole run, such as ``the first of 15 splits``.
    """

    mixes: tuple[MixFacts, ...]
    note: str = ""

    def __post_init__(self) -> None:
        if not self.mixes:
            raise DataError("cocktail: there is no mix; expected one or more")

    @property
    def main(self) -> MixFacts:
        """The mix whose members the table and the picture show."""
        return self.mixes[0]
