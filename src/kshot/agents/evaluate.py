"""Scores of episodes: the released mean, what stands beside it, and intervals by variation."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np

from kshot.agents.episode import NOTHING, SOLVED, Episode, Negative, Usage, final_score
from kshot.errors import MetricError
from kshot.measure.statistics.bootstrap import grouped, p_value, percentile_interval, resampled

Interval: TypeAlias = tuple[float, float]


@dataclass(frozen=True, slots=True)
class Evaluation:
    """What one agent reached in one environment.

    Attributes:
        score: Mean final score over variations, of each the mean over its rounds; 0 to 100.
        interval: 95 %, by bootstrap over variations; None with fewer than two.
        by_variation: Variation and its mean score, ascending.
        best: Mean of each variation's best round.
        success_share: Share of episodes that reached 100.
        steps: Mean lines of the agent, thoughts and refused actions among them.
        refused_share: Share of these that were refused.
        grounded_share: Share that was replaced by the nearest valid action.
        failed: Episodes in which model or environment failed; they are in no mean.
        ended: How many episodes ended in which way.
        usage: Of all episodes, failed ones too.
        peak_bytes: Most memory of one environment's processes.
    """

    environment: str
    strategy: str
    episodes: int
    rounds: int
    score: float
    interval: Interval | None
    by_variation: tuple[tuple[int, float], ...]
    best: float
    success_share: float
    steps: float
    refused_share: float
    grounded_share: float
    failed: int
    ended: dict[str, int]
    usage: Usage
    peak_bytes: int

    def rows(self) -> list[dict[str, Any]]:
        """One row a variation, for a report."""
        return [{"variation": variation, "score": score} for variation, score in self.by_variation]


def evaluate_episodes(
    episodes: Sequence[Episode], *, negative: Negative = "last_before", seed: int = 0
) -> Evaluation:
    """Sums up episodes of one agent in one environment; their order does not matter.

    Raises:
        MetricError: There is no episode, or they are of several environments or strategies.

    >>> done = [Episode("toy", v, "react", scores=(0, s), ended="over") for v, s in [(0, 100), (1, 50)]]
    >>> found = evaluate_episodes(done)
    >>> found.score, found.success_share, found.by_variation
    (75.0, 0.5, ((0, 100.0), (1, 50.0)))
    """
    kinds = {(episode.environment or None, episode.strategy) for episode in episodes}
    named = {kind for kind in kinds if kind[0] is not None} or kinds
    if len(named) != 1:
        raise MetricError(f"episodes of {len(named)} environments and strategies; expected one of each")
    ended = Counter(episode.ended for episode in episodes)
    finished = [episode for episode in episodes if not episode.failed]
    scores: dict[int, list[int]] = {}
    for episode in sorted(finished, key=lambda one: (one.variation, one.round)):
        scores.setdefault(episode.variation, []).append(final_score(episode, negative=negative))
    means = [(variation, float(np.mean(found))) for variation, found in sorted(scores.items())]
    values = np.array([mean for _, mean in means])
    lines = [step for episode in finished for step in episode.steps]
    environment, strategy = next(iter(named))
    return Evaluation(
        environment=environment or "",
        strategy=strategy,
        episodes=len(episodes),
        rounds=len({episode.round for episode in episodes}),
        score=_mean(values),
        interval=_interval(values, seed),
        by_variation=tuple(means),
        best=_mean([max(found) for found in scores.values()]),
        success_share=_mean([episode.score >= SOLVED for episode in finished]),
        steps=_mean([len(episode.steps) for episode in finished]),
        refused_share=_mean([step.kind == "refused" for step in lines]),
        grounded_share=_mean([step.kind == "grounded" for step in lines]),
        failed=len(episodes) - len(finished),
        ended=dict(sorted(ended.items())),
        usage=sum((episode.usage for episode in episodes), NOTHING),
        peak_bytes=max(episode.peak_bytes for episode in episodes),
    )


@dataclass(frozen=True, slots=True)
class Difference:
    """One agent's mean score less another's on the variations that both finished.

    Attributes:
        interval: 95 %, by bootstrap over variations; None with fewer than two.
        p: Two-sided, of no difference; 1 with fewer than two.
    """

    value: float
    interval: Interval | None
    p: float
    variations: int


def score_difference(with_insights: Evaluation, without: Evaluation, *, seed: int = 0) -> Difference:
    """The paired difference of two agents' scores, variation by variation.

    Raises:
        MetricError: They finished no variation in common.

    >>> one, other = (
    ...     evaluate_episodes([Episode("toy", v, "react", scores=(s,)) for v, s in [(0, a), (1, b)]])
    ...     for a, b in [(60, 40), (50, 30)])
    >>> score_difference(one, other).value
    10.0
    """
    ours, theirs = dict(with_insights.by_variation), dict(without.by_variation)
    common = sorted(set(ours) & set(theirs))
    if not common:
        raise MetricError("two agents that finished no variation in common cannot be compared")
    values = np.array([ours[variation] - theirs[variation] for variation in common])
    if len(values) < 2:
        return Difference(float(values.mean()), None, 1.0, len(values))
    drawn = _means(values, seed)
    observed = float(values.mean())
    p = p_value(drawn, observed, n=len(values))
    return Difference(observed, percentile_interval(drawn), p, len(values))


def _interval(values: np.ndarray[Any, np.dtype[np.float64]], seed: int) -> Interval | None:
    return percentile_interval(_means(values, seed)) if len(values) > 1 else None


def _means(values: np.ndarray[Any, np.dtype[np.float64]], seed: int) -> np.ndarray[Any, np.dtype[np.float64]]:
    distinct, counts = grouped(values[:, None])
    return resampled(counts, lambda weights: weights @ distinct[:, 0] / len(values), seed=seed)


def _mean(values: Any) -> float:
    """0 of nothing: the counts beside it tell that there was nothing."""
    return float(np.mean(values)) if len(values) else 0.0
