"""What the mixture does and how it was trained, as plain values."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeAlias

from kshot.errors import DataError
from kshot.report.knowledge.checks import each_once, fits

Table: TypeAlias = tuple[tuple[float, ...], ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class TokenFacts:
    """The gates of one text, token by token.

    Attributes:
        pieces: The text cut into its T tokens; joined they are the text.
        gates: (T, E), each row sums to 1.
        target_from: Place of the first token of the answer, or None.
    """

    pieces: tuple[str, ...]
    gates: Table
    target_from: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class RouterFacts:
    """What the routers of one mixture do.

    Attributes:
        system: Name of the system on the leaderboard; ``over`` what was observed, such as ``the 20 shots``.
        load: (M, E) share of the gate weight, each row sums to 1; NaN where a module lacks the expert.
        chosen: (M, E) share of tokens for which the expert is among the top k; empty where not counted.
        warnings: Signs of collapse, one sentence each.
    """

    modules: tuple[str, ...]
    experts: tuple[str, ...]
    load: Table
    chosen: Table = ()
    top_k: int | None = None
    system: str = ""
    over: str = ""
    warnings: tuple[str, ...] = ()
    tokens: TokenFacts | None = None

    def __post_init__(self) -> None:
        each_once("router.modules", self.modules)
        each_once("router.experts", self.experts)
        shape = (len(self.modules), len(self.experts))
        fits("router.load", self.load, shape)
        if self.chosen:
            fits("router.chosen", self.chosen, shape)
        if self.tokens:
            fits("router.tokens.gates", self.tokens.gates, (len(self.tokens.pieces), shape[1]))


@dataclass(frozen=True, slots=True, kw_only=True)
class TrainingFacts:
    """One training: losses in nats per target token over optimiser steps.

    Attributes:
        trained: What had a gradient, such as ``routers and experts``; ``parameters`` how many numbers.
        held_steps: Steps at which the held-back rows were asked, with ``held_losses``.
        kept_step: The step whose weights were kept, or None where that is the last.
    """

    system: str
    trained: str
    steps: tuple[int, ...] = ()
    losses: tuple[float, ...] = ()
    held_steps: tuple[int, ...] = ()
    held_losses: tuple[float, ...] = ()
    kept_step: int | None = None
    parameters: int | None = None

    def __post_init__(self) -> None:
        for name in ("", "held_"):
            steps, losses = getattr(self, f"{name}steps"), getattr(self, f"{name}losses")
            if len(steps) != len(losses):
                raise DataError(
                    f"training {self.system!r}: {len(losses)} {name}losses for {len(steps)} {name}steps; "
                    "expected one for each"
                )


@dataclass(frozen=True, slots=True, kw_only=True)
class ParityRow:
    """An export against what was measured.

    Attributes:
        exact: Whether the form loses nothing by construction.
        mean_difference: Of log-probabilities, in nats per token, over ``n`` rows; ``max_difference`` is
            the largest.
        same_replies: Share of rows with the same greedy reply.
        kept_energy: Share of the squared weights that a truncation kept.
    """

    name: str
    exact: bool
    n: int | None = None
    max_difference: float | None = None
    mean_difference: float | None = None
    same_replies: float | None = None
    kept_energy: float | None = None
