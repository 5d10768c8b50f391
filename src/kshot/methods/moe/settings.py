"""How a mixture routes, what of it trains, and how it starts: every setting, checked when it is given."""

from __future__ import annotations

import math
from dataclasses import dataclass, fields
from typing import Literal, TypeAlias, get_args

from kshot.errors import ModelError

Gates: TypeAlias = Literal["token", "static"]
Train: TypeAlias = Literal["joint", "router", "static"]
Scores: TypeAlias = Literal["linear", "absolute"]
Balance: TypeAlias = Literal["switch", "mole"]
Dispatch: TypeAlias = Literal["auto", "stacked", "sparse"]


@dataclass(frozen=True, slots=True)
class MixtureSettings:
    """How a mixture of LoRA experts routes and trains; the defaults are the paper's.

    Attributes:
        top_k: Experts that a token uses; fewer where a layer has fewer.
        gates: ``token``: a router chooses for each token; ``static``: one learned scalar an expert and layer.
            None: ``static`` where that is what trains, else ``token``.
        train: ``joint``: routers and experts; ``router``: routers (or scalars) alone; ``static``: the scalars
            alone of static gates.
        normalise: Whether gates sum to 1 over the chosen experts: token gates are else the plain
            probabilities, static gates the free scalars. None: yes, but for a router with ``top_k=1``, whose
            weight would always be 1, so that it would learn nothing.
        scores: Router logits are ``linear``, w·x, or ``absolute``, |w·x| (Arrow).
        scaled: Whether each expert's alpha / r is applied; False (as in the released code) takes 1.
        balance: Weight of the balance loss; 0 is none, as in the paper.
        balance_kind: ``switch``, E Σ (share of tokens × mean probability), or ``mole``, -Σ log mean
            probability; both as the mean over layers.
        noise: Standard deviation of what is added to the logits while training.
        dropout: On the experts' input while training; the router sees all of it.
        dispatch: ``stacked`` computes all experts in one product, ``sparse`` the chosen ones alone, ``auto``
            the one that was measured to be faster for such sizes.
        seed: Of random routers.

    >>> MixtureSettings(train="static").gates, MixtureSettings(top_k=1).normalise
    ('static', False)
    """

    top_k: int = 2
    gates: Gates | None = None
    train: Train = "joint"
    normalise: bool | None = None
    scores: Scores = "linear"
    scaled: bool = True
    balance: float = 0.0
    balance_kind: Balance = "switch"
    noise: float = 0.0
    dropout: float = 0.05
    dispatch: Dispatch = "auto"
    seed: int = 0

    def __post_init__(self) -> None:
        if self.gates is None:
            object.__setattr__(self, "gates", "static" if self.train == "static" else "token")
        if self.normalise is None:
            object.__setattr__(self, "normalise", self.gates == "static" or self.top_k != 1)
        self._check_words()
        self._check_numbers()
        if self.train == "static" and self.gates == "token":
            raise ModelError(
                "mixture setting train is 'static' with token gates; give gates='static', or train='router'"
            )

    def _check_words(self) -> None:
        known = {
            "gates": get_args(Gates), "train": get_args(Train), "scores": get_args(Scores),
            "balance_kind": get_args(Balance), "dispatch": get_args(Dispatch),
        }  # fmt: skip
        for name, words in known.items():
            if getattr(self, name) not in words:
                raise ModelError(
                    f"mixture setting {name} is {getattr(self, name)!r}, expected one of {', '.join(words)}"
                )

    def _check_numbers(self) -> None:
        if isinstance(self.top_k, bool) or not isinstance(self.top_k, int) or self.top_k < 1:
            raise ModelError(f"mixture setting top_k is {self.top_k!r}, expected a whole number from 1")
        if isinstance(self.seed, bool) or not isinstance(self.seed, int) or self.seed < 0:
            raise ModelError(f"mixture setting seed is {self.seed!r}, expected a whole number from 0")
        for name, end, told in (
            ("balance", math.inf, "a number from 0"),
            ("noise", math.inf, "a number from 0"),
            ("dropout", 1, "a share below 1"),
        ):
            value = getattr(self, name)
            if not isinstance(value, int | float) or not 0 <= value < end:
                raise ModelError(f"mixture setting {name} is {value!r}, expected {told}")
        for name in ("normalise", "scaled"):
            value = getattr(self, name)
            if not isinstance(value, bool):
                raise ModelError(f"mixture setting {name} is {value!r}, expected true or false")


# those that stand in a folder: scalings are folded in and routers drawn when it is made
STORED = tuple(each.name for each in fields(MixtureSettings) if each.name not in ("scaled", "seed"))
