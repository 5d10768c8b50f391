"""BankScores: every expert on every shot, measured once; what all methods that choose experts read.

A selection score is measured on the shots exactly as a test score is measured on the test rows (``predict``
and ``row_scores``), and never stands as evidence.
"""

from __future__ import annotations

import json
import math
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeAlias, final

import numpy as np
from numpy.typing import NDArray

from kshot.errors import DataError, InputError
from kshot.measure.loss import perplexity
from kshot.models.safetensor_files import write_bytes

Values: TypeAlias = NDArray[np.float64]
_FORMAT = 1
_LOSSES = ("answer_loss", "reasoning_loss", "target_loss")


@final
@dataclass(frozen=True, slots=True, eq=False)
class BankScores:
    """E experts on K shots.

    Attributes:
        experts: (E,) names, in the order in which they were given.
        shot_ids: (K,) ids of the rows, in their order.
        right: (E, K) whether the metric gives the reply 1.
        answer_loss: (E, K) nats per token of the answer.
        reasoning_loss: (E, K) nats per token of the reasoning; NaN where a row has none.
        target_loss: (E, K) nats per token of the whole target, end token included.

    Raises:
        DataError: The shapes do not agree.
        InputError: A name stands twice.

    >>> one = np.ones((1, 2))
    >>> scores = BankScores(("smith",), ("a", "b"), one > 0, one, one * np.nan, one * 0)
    >>> scores.rows()[0]["right"], scores.rows()[0]["perplexity"], scores.rows()[0]["reasoning_loss"]
    (1.0, 1.0, None)
    """

    experts: tuple[str, ...]
    shot_ids: tuple[str, ...]
    right: NDArray[np.bool_]
    answer_loss: Values
    reasoning_loss: Values
    target_loss: Values

    def __post_init__(self) -> None:
        shape = (len(self.experts), len(self.shot_ids))
        for name in ("right", *_LOSSES):
            if getattr(self, name).shape != shape:
                raise DataError(f"bank scores: {name} is {getattr(self, name).shape}, expected {shape}")
        check_names(self.experts)

    def perplexity(self) -> Values:
        """(E,) reasoning perplexity: the mean over the shots of exp(target_loss).

        Source: arXiv 2408.15915v2, Eq. 1-4, per token; NaN without shots.

        >>> loss = np.log([[1.0, 3.0]])
        >>> BankScores(("smith",), ("a", "b"), loss > 0, loss, loss, loss).perplexity().round(6).tolist()
        [2.0]
        """
        with np.errstate(over="ignore"):
            return np.array([np.mean(perplexity(row)) if row.size else np.nan for row in self.target_loss])

    def accuracy(self) -> Values:
        """(E,) share of the shots that are right; NaN without shots."""
        return np.array([np.mean(row) if row.size else np.nan for row in self.right])

    def rows(self) -> list[dict[str, Any]]:
        """One JSON object an expert: means over the shots; ``perplexity`` is the mean of exp(target_loss).

        A mean over no value is None.
        """
        values = perplexity(self.target_loss)
        return [
            {
                "name": name,
                "shots": len(self.shot_ids),
                "right": _mean(self.right[at]),
                **{loss: _mean(getattr(self, loss)[at]) for loss in _LOSSES},
                "perplexity": _mean(values[at]),
            }
            for at, name in enumerate(self.experts)
        ]

    def save(self, file: str | Path) -> None:
        """Write JSON, all at once; every number is read back bit by bit.

        Raises:
            ModelError: The file cannot be written.
        """
        content: dict[str, Any] = {"format": _FORMAT, "experts": self.experts, "shot_ids": self.shot_ids}
        content["right"] = self.right.tolist()
        content |= {name: [[_coded(x) for x in row] for row in getattr(self, name)] for name in _LOSSES}
        write_bytes(Path(file), (json.dumps(content, ensure_ascii=False, allow_nan=False) + "\n").encode())

    @classmethod
    def load(cls, file: str | Path) -> BankScores:
        """What ``save`` wrote.

        Raises:
            DataError: The file is missing, damaged, or of another format.
        """
        try:
            content = json.loads(Path(file).read_text(encoding="utf-8"))
            if content["format"] != _FORMAT:
                raise DataError(
                    f"{file}: has format {content['format']!r}, expected {_FORMAT}; score the bank anew"
                )
            experts, shots = tuple(content["experts"]), tuple(content["shot_ids"])
            shape = (len(experts), len(shots))
            right = np.array(content["right"], dtype=np.bool_).reshape(shape)
            losses = (np.array(content[name], dtype=np.float64).reshape(shape) for name in _LOSSES)
            return cls(experts, shots, right, *losses)
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise DataError(f"{file}: holds no bank scores ({error}); score the bank anew") from error


def check_names(names: Sequence[str]) -> None:
    """Refuse names that stand twice.

    Raises:
        InputError: Names the first.
    """
    if twice := [name for name, count in Counter(names).items() if count > 1]:
        raise InputError(f"two experts are called {twice[0]!r}; expected a name of its own for each")


def _mean(values: NDArray[Any]) -> float | None:
    known = values[~np.isnan(values)] if values.dtype != np.bool_ else values
    with np.errstate(invalid="ignore", over="ignore"):  # +inf and -inf together have no mean
        mean = float(known.mean()) if known.size else math.nan
    return None if math.isnan(mean) else mean


def _coded(value: float) -> float | str | None:
    """JSON has no NaN and no infinity."""
    return float(value) if math.isfinite(value) else None if math.isnan(value) else str(float(value))
