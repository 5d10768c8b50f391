"""From predictions to the leaderboard: families of Holm, the oracle, invalid replies, the recommendation."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pytest

from kshot.data.example import Example
from kshot.data.task import Task
from kshot.errors import TaskError
from kshot.measure.predict import Prediction
from kshot.measure.statistics import holm
from kshot.models.base import System
from kshot.pipeline.answers import Outcome, judged_rows
from kshot.pipeline.evaluate import ORACLE, answers_of, judge, per_row, versus
from kshot.pipeline.recipes import Recipe, chosen
from kshot.pipeline.recommend import recommend
from kshot.pipeline.workbench import Workbench

N = 40
TASK = Task.from_examples(
    {"task": {"name": "t", "type": "generation"}, "metric": "exact_match"},
    [Example("s1", "x"), Example("s2", "x")],
    [Example(f"q{i}", "x") for i in range(N)],
)


def never(bench: Workbench, shots: tuple[Example, ...], artifact: Path) -> System:
    raise AssertionError


def outcome(name: str, right: int, *, invalid: int = 0, kind: str = "baseline", first: int = 0) -> Outcome:
    """``right`` rows right from row ``first`` on, then ``invalid`` replies without answer, the rest wrong."""
    stated: list[str | None] = ["wrong"] * N
    stated[first : first + right] = ["x"] * right
    stated[N - invalid :] = [None] * invalid
    rows = tuple(Prediction(row.id, said, said or "") for row, said in zip(TASK.test, stated, strict=True))
    recipe = Recipe(name, kind, never, single_adapter=name.startswith("adapter: "))
    return Outcome(recipe, "", (rows,), rows, 1.0, 0.5, 0, None, (0, 0, 0.0), ())


def names(results: Sequence[object]) -> list[str]:
    return [result.name for result in results]  # type: ignore[attr-defined]


def test_order_reference_and_differences() -> None:
    results = judge(TASK, [outcome("zero-shot", 10), outcome("good", 35), outcome("bad", 2)])
    assert names(results) == ["good", "zero-shot", "bad"]
    assert [r.verdict for r in results] == ["better", "reference", "worse"]
    assert results[0].difference == pytest.approx(25 / N)
    assert results[1].difference is None
    assert results[0].latency == pytest.approx(0.5 / N)


def test_holm_runs_over_systems_and_over_single_adapters_apart() -> None:
    bank = [outcome(f"adapter: a{i}", 16 + i, kind="adapter") for i in range(9)]
    systems = [outcome("zero-shot", 10), outcome("one", 17), outcome("two", 19)]
    alone = {r.name: r.p_holm for r in judge(TASK, systems)}
    together = {r.name: r for r in judge(TASK, systems + bank)}
    assert {name: together[name].p_holm for name in alone} == alone
    raw = [versus(TASK, member, systems[0]).p for member in systems[1:]]
    assert [together["one"].p_holm, together["two"].p_holm] == holm(raw)
    raw = [versus(TASK, member, systems[0]).p for member in bank]
    assert [together[member.recipe.name].p_holm for member in bank] == holm(raw)


def test_the_oracle_is_the_best_adapter_and_never_recommended() -> None:
    members = [
        outcome("zero-shot", 1),
        outcome("adapter: b", 30, kind="adapter"),
        outcome("adapter: a", 30, kind="adapter"),
        outcome("best adapter on the shots", 20, kind="adapter"),
    ]
    results = judge(TASK, members)
    oracle = next(r for r in results if r.name == ORACLE)
    assert (oracle.value, oracle.p, oracle.verdict) == (0.75, None, "oracle, for orientation only")
    assert "adapter: a" in oracle.note
    assert recommend(TASK, members, results)[0] == "best adapter on the shots"


def test_the_oracle_is_an_upper_reference_for_what_was_chosen() -> None:
    members = [
        outcome("adapter: a", 5, kind="adapter"),
        outcome("best adapter on the shots", 9, kind="adapter"),
    ]
    assert next(r for r in judge(TASK, members) if r.name == ORACLE).value == 9 / N


def test_without_reference_nothing_is_compared() -> None:
    results = judge(TASK, [outcome("one", 10), outcome("two", 30)])
    assert {r.verdict for r in results} == {"not compared"}
    assert recommend(TASK, [outcome("one", 10)], results)[0] is None


def test_nothing_better_is_said_plainly() -> None:
    members = [outcome("zero-shot", 20), outcome("other", 21)]
    name, why = recommend(TASK, members, judge(TASK, members))
    assert name is None
    assert "could have shown" in why


def test_invalid_replies_are_wrong_and_counted() -> None:
    result = judge(TASK, [outcome("zero-shot", 10, invalid=7)])[0]
    assert (result.value, result.invalid) == (0.25, 7)
    assert per_row(TASK, outcome("zero-shot", 10, invalid=7)).sum() == 10


def test_rows_without_a_number_are_invalid_under_number() -> None:
    task = replace(TASK, metric="number", test=tuple(replace(row, answer="3") for row in TASK.test))
    result = judge(task, [outcome("zero-shot", 10)])[0]
    assert result.invalid == N


def test_code_rows_need_tests() -> None:
    task = replace(TASK, metric="pass_at_1")
    with pytest.raises(TaskError, match="field 'tests' is missing"):
        answers_of(task, judged_rows(task))


def test_a_name_is_taken_to_the_letter_first() -> None:
    recipes = [Recipe(name, "x", never, single_adapter=True) for name in ("adapter: a-1", "adapter: a1")]
    assert [r.name for r in chosen(recipes, ["adapter: a1"])[0]] == ["adapter: a1"]
    assert len(chosen(recipes, ["Adapters"])[0]) == 2
    assert chosen(recipes, ["adapter b"]) == ((), ("adapter b",))
