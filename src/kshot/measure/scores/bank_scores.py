"""BankScores: every expert on every shot, measured once; what all methods that choose experts read.

A selection score is measured on the shots exactly as a test score is measured on the test rows (``predict``
and ``row_scores``), and never stands as evidence.
"""

from __future__ import annotations

import json
import math
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, Protocol, TypeAlias, TypedDict, Unpack, final

import numpy as np
from numpy.typing import NDArray

from kshot.data.example import Example
from kshot.data.template import Template
from kshot.errors import DataError, InputError
from kshot.measure.loss import shot_losses
from kshot.measure.metrics.scoring import row_scores
from kshot.measure.predict import Normalise, Prediction, predict
from kshot.measure.scores.cache import ScoreCache, ShotScore, score_key
from kshot.models.base import LanguageModel, LossModel, System
from kshot.models.lora.safetensor_files import write_bytes

Values: TypeAlias = NDArray[np.float64]
Progress: TypeAlias = Callable[[str, int, int], None]
_FORMAT = 1
_LOSSES = ("answer_loss", "reasoning_loss", "target_loss")


class Expert(LanguageModel, LossModel, Protocol):
    """A model that replies and whose likelihoods can be read."""


class Running(TypedDict, total=False):
    """What goes with a long scoring and changes no score.

    Attributes:
        cache: A file that grows by each expert's new scores, written once the expert is through. Its records
            are found by what they depend on: model id, row, template, metric, length, rule for stopping.
        on_progress: Called before each expert with its name, position and how many there are.
    """

    cache: Path | None
    on_progress: Progress | None


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
        _check_names(self.experts)

    def rows(self) -> list[dict[str, Any]]:
        """One JSON object an expert: means over the shots; ``perplexity`` is the mean of exp(target_loss).

        A mean over no value is None.
        """
        with np.errstate(over="ignore"):
            perplexity = np.exp(self.target_loss)
        return [
            {
                "name": name,
                "shots": len(self.shot_ids),
                "right": _mean(self.right[at]),
                **{loss: _mean(getattr(self, loss)[at]) for loss in _LOSSES},
                "perplexity": _mean(perplexity[at]),
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


def score_bank(
    experts: Iterable[tuple[str, Expert]],
    shots: Sequence[Example],
    template: Template,
    *,
    metric: str,
    max_new_tokens: int = 64,
    normalise: Normalise = "sum",
    **running: Unpack[Running],
) -> BankScores:
    """Ask every expert every shot, zero-shot, and read its losses; what the cache holds is not asked again.

    Replies are greedy; where the answers are a closed list, the likeliest counts (see ``predict``). For a
    metric that is no mean of rows, right means the right label.

    Args:
        experts: Names and models, each asked in turn.
        shots: K rows with answers.
        template: The task's words.
        metric: As in ``evaluate``.
        max_new_tokens: How long a reply may be; the limit of the test, so that both are measured alike.
        normalise: How closed answers are compared, as in ``predict``.
        **running: ``cache`` and ``on_progress``, both None unless given; see ``Running``.

    Raises:
        InputError: A name stands twice.
        DataError: There is no shot, or one has no answer.
        MetricError: The metric does not exist, or does not fit the rows.

    Example::

        scores = score_bank(experts, task.shots, task.template, metric=task.metric, cache=file)
    """
    if not shots:
        raise DataError("no shots to score experts on; expected at least one")
    listed = list(experts)
    _check_names([name for name, _ in listed])
    stored, tell = _running(**running)
    how = {"metric": metric, "max_new_tokens": max_new_tokens, "normalise": normalise}
    how |= {"stop": list(template.stop(shots))}
    ask = partial(predict, shots=shots, max_new_tokens=max_new_tokens, normalise=normalise)
    table: list[list[ShotScore]] = []
    for at, (name, model) in enumerate(listed):
        tell(name, at, len(listed))
        keys = [score_key(model.id, shot, template, how=how) for shot in shots]
        absent = [at for at, key in enumerate(keys) if key not in stored and key not in keys[:at]]
        if absent:
            new = _measured(model, [shots[i] for i in absent], template, metric=metric, ask=ask)
            stored.add({keys[i]: score for i, score in zip(absent, new, strict=True)})
        table.append([stored[key] for key in keys])
    return _assembled([name for name, _ in listed], shots, table)


def _running(
    *, cache: Path | None = None, on_progress: Progress | None = None
) -> tuple[ScoreCache, Progress]:
    """The cache opened, and whom to tell; Python refuses any other keyword here."""
    return ScoreCache(cache), on_progress or (lambda name, at, total: None)


def _measured(
    model: Expert,
    rows: Sequence[Example],
    template: Template,
    *,
    metric: str,
    ask: Callable[..., list[Prediction]],
) -> list[ShotScore]:
    losses = shot_losses(model, template, rows)
    system = System("expert", "adapter", model, template.conversation)
    predictions = ask(system, rows, template)
    replies = [row.prediction for row in predictions]
    gold = [row.tests or row.answer if metric == "pass_at_1" else template.gold(row) for row in rows]
    scores = row_scores(metric, replies, gold, labels=template.labels or None)
    if scores is None:
        scores = row_scores("accuracy", replies, gold)
    right = np.asarray(scores, dtype=np.float64) == 1
    columns = zip(right, losses.answer, losses.reasoning, losses.target, strict=True)
    return [ShotScore(bool(r), float(a), float(s), float(t)) for r, a, s, t in columns]


def _assembled(
    names: Sequence[str], shots: Sequence[Example], table: Sequence[Sequence[ShotScore]]
) -> BankScores:
    def column(name: str, kind: type) -> NDArray[Any]:
        values = [[getattr(score, name) for score in row] for row in table]
        return np.array(values, dtype=kind).reshape(len(names), len(shots))

    losses = (column(name, np.float64) for name in ("answer", "reasoning", "target"))
    return BankScores(tuple(names), tuple(shot.id for shot in shots), column("right", np.bool_), *losses)


def _check_names(names: Sequence[str]) -> None:
    if twice := [name for name, count in Counter(names).items() if count > 1]:
        raise InputError(f"two experts are called {twice[0]!r}; expected a name of its own for each")


def _mean(values: NDArray[Any]) -> float | None:
    known = values[~np.isnan(values)] if values.dtype != np.bool_ else values
    with np.errstate(invalid="ignore"):  # +inf and -inf together have no mean
        mean = float(known.mean()) if known.size else math.nan
    return None if math.isnan(mean) else mean


def _coded(value: float) -> float | str | None:
    """JSON has no NaN and no infinity."""
    return float(value) if math.isfinite(value) else None if math.isnan(value) else str(float(value))
