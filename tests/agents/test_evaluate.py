import pytest

from kshot.agents import Episode, Usage, evaluate_episodes, final_score, score_difference
from kshot.agents.episode import Step
from kshot.agents.scienceworld import evaluation_order, learning_order, task_named
from kshot.errors import InputError, MetricError


def episode(variation: int, *scores: int, repeat: int = 0, ended: str = "over") -> Episode:
    return Episode("toy", variation, "react", scores=scores, ended=ended, round=repeat, usage=Usage(asked=2))  # type: ignore[arg-type]


def test_rounds_and_variations() -> None:
    found = evaluate_episodes(
        [episode(1, 0, 100), episode(1, 0, 50, repeat=1), episode(0, 0, 20), episode(0, 0, 40, repeat=1)]
    )
    assert found.by_variation == ((0, 30.0), (1, 75.0))
    assert (found.score, found.best, found.success_share, found.rounds) == (52.5, 70.0, 0.25, 2)
    assert found.interval is not None
    assert found.interval[0] <= 52.5 <= found.interval[1]
    assert found.usage.asked == 8


def test_a_negative_score_counts_as_the_last_before_it_or_nothing() -> None:
    lost = episode(0, 8, 25, -100, ended="lost")
    assert evaluate_episodes([lost]).score == 25
    assert evaluate_episodes([lost], negative="zero").score == 0
    assert final_score(episode(0, -100)) == 0


def test_failed_episodes_are_counted_and_in_no_mean() -> None:
    failed = Episode("", 2, "react", ended="environment")
    found = evaluate_episodes([episode(0, 60), failed])
    assert (found.score, found.failed, found.episodes, found.environment) == (60, 1, 2, "toy")
    assert found.interval is None
    assert evaluate_episodes([failed]).score == 0


def test_the_order_of_episodes_does_not_matter() -> None:
    episodes = [episode(number, number * 7 % 50) for number in range(10)]
    assert evaluate_episodes(episodes) == evaluate_episodes(episodes[::-1])


def test_shares_of_refused_and_grounded_lines() -> None:
    steps = tuple(Step("a", "a", kind, "o", 0, 0) for kind in ("own", "refused", "grounded", "own"))  # type: ignore[arg-type]
    found = evaluate_episodes([Episode("toy", 0, "react", steps=steps, scores=(0,) * 5)])
    assert (found.refused_share, found.grounded_share, found.steps) == (0.25, 0.25, 4)


def test_two_agents_are_compared_variation_by_variation() -> None:
    one = evaluate_episodes([episode(number, 50 + number) for number in range(8)])
    other = evaluate_episodes([episode(number, 40 + number) for number in range(8)])
    found = score_difference(one, other)
    assert (found.value, found.variations) == (10, 8)
    assert found.interval == (10, 10)
    assert found.p <= 0.01
    with pytest.raises(MetricError, match="in common"):
        score_difference(one, evaluate_episodes([episode(99, 1)]))


def test_episodes_of_two_kinds_are_refused() -> None:
    with pytest.raises(MetricError):
        evaluate_episodes([episode(0, 1), Episode("other", 0, "react")])
    with pytest.raises(MetricError):
        evaluate_episodes([])


def test_released_orders() -> None:
    assert learning_order(6, range(150))[:3] == (120, 46, 77)
    assert len(learning_order("boil", range(14))) == 14
    assert max(learning_order(29, range(270))) < 135
    assert len(evaluation_order(range(261, 336))) == 10


def test_tasks_by_number_and_name() -> None:
    assert task_named(29) == task_named("use-thermometer") == (29, "use-thermometer")
    with pytest.raises(InputError, match="boil"):
        task_named("boill")
    with pytest.raises(InputError):
        task_named("30")
