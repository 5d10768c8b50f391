"""Experts chosen for a task: what the audit bars, what is excluded, and that shots alone decide."""

import json
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from kshot import miniature
from kshot.data.task import Task
from kshot.errors import InputError
from kshot.measure.scores import BankScores
from kshot.pipeline.choose_experts import asked, choose_experts
from kshot.pipeline.workbench import Workbench
from kshot.runs import Run

NAMES = (
    "brewer-lora", "brewer-trade", "chandler-trade", "cooper-trade", "mason-lora", "smith-lora", "smith-pro",
)  # fmt: skip
Choose = Callable[..., Any]


@pytest.fixture(scope="module")
def seven(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Three experts, an exact duplicate, a near copy, one of NaN, one that changes nothing."""
    folder = tmp_path_factory.mktemp("seven")
    for name in NAMES:
        shutil.copytree(miniature.bank_folder() / name, folder / name)
    return folder


@pytest.fixture
def bench(write_task: Callable[..., Path], seven: Path, tmp_path: Path) -> Iterator[Workbench]:
    """A bench whose bank is scored already: brewer knows two shots, smith and its copy three, mason one."""
    task = Task.load(write_task(knowledge={"adapters": [str(seven)]}))
    run = Run(tmp_path / "run", listener=lambda event, **fields: None)
    found = Workbench(task, run)
    names = tuple(entry.name for entry in found.experts)
    assert names == tuple(name for name in NAMES if name != "chandler-trade")
    knows = {"brewer": {0, 1}, "smith": {2, 3, 4}, "mason": {5}, "cooper": set()}
    right = np.array([[at in knows[name.split("-")[0]] for at in range(6)] for name in names])
    loss = np.where(right, 0.01, 2.0 + 0.1 * np.arange(len(names))[:, None])
    loss[names.index("cooper-trade")] = 0.5  # vague on everything: the lowest perplexity of all
    ids = tuple(row.id for row in task.shots)
    vars(found)["scores"] = BankScores(names, ids, right, loss, loss * np.nan, loss)
    with run.open():
        yield found


@pytest.fixture
def choose(bench: Workbench) -> Choose:
    def call(**changes: Any) -> Any:
        settings = asked(bench.settings.experts, {"rule": "paper"} | changes)
        return choose_experts(bench, bench.labelled, settings=settings)

    return call


def test_the_audit_bars_what_adds_nothing(choose: Choose) -> None:
    choice = choose(rule="coverage", size=3)
    assert set(choice.barred) == {"brewer-trade", "chandler-trade", "cooper-trade"}
    assert "same file as brewer-lora" in choice.barred["brewer-trade"]
    assert "zero" in choice.barred["cooper-trade"]
    assert {name.removesuffix("-pro").removesuffix("-lora") for name in choice.names} == {
        "brewer", "mason", "smith",
    }  # fmt: skip
    assert all(entry.folder.is_dir() for entry in choice.entries)


def test_accuracy_takes_the_copy_instead(choose: Choose) -> None:
    assert choose(rule="accuracy", size=3).names == ("smith-lora", "smith-pro", "brewer-lora")


def test_every_adapter_of_the_bank_has_one_row_and_the_chosen_come_first(choose: Choose) -> None:
    choice = choose(size=2, pool=3)
    rows = choice.rows()
    assert sorted(row["name"] for row in rows) == sorted(NAMES)
    assert [row["chosen"] for row in rows] == [True] * 2 + [False] * 5
    assert [row["in_pool"] for row in rows] == [True] * 3 + [False] * 4
    assert all(bool(row["left"]) != row["chosen"] for row in rows)
    first = rows[0]
    assert first["accuracy_error"] == pytest.approx(
        np.std([1] * 3 + [0] * 3 if first["accuracy"] == 0.5 else [1] * 2 + [0] * 4, ddof=1) / 6**0.5
    )
    assert sum(row["chosen_chance"] for row in rows[:4]) == pytest.approx(2)


def test_json_holds_everything(choose: Choose) -> None:
    told = json.loads(json.dumps(choose(size=2, pool=3).to_json(), allow_nan=False))
    assert told["rule"] == "paper"
    assert told["shots"] == 6
    assert len(told["adapters"]) == len(NAMES)
    assert told["group_count"] == len(told["groups"]) == 3
    assert told["chosen_if_none_excluded"] is None


def test_excluding_shows_both_choices_and_warns_of_copies(choose: Choose) -> None:
    free, choice = choose(rule="accuracy", size=2), choose(rule="accuracy", size=2, exclude=["smith-lora"])
    assert choice.unrestricted == free.names == ("smith-lora", "smith-pro")
    assert choice.names == ("smith-pro", "brewer-lora")
    assert choice.barred["smith-lora"] == "excluded by name"
    assert choice.notes == ("smith-pro is not excluded, but nearly repeats smith-lora, which is",)


def test_an_expert_whose_loss_is_no_number_is_left(bench: Workbench, choose: Choose) -> None:
    bench.scores.target_loss[bench.scores.experts.index("mason-lora"), 2] = np.nan
    choice = choose(rule="coverage", size=3)
    assert choice.barred["mason-lora"] == "its loss is no number on 1 of 6 shots"
    assert "mason-lora" not in choice.names


def test_the_shots_of_a_split_alone_decide(bench: Workbench) -> None:
    settings = asked(bench.settings.experts, {"size": 1, "pool": 1})
    first = choose_experts(bench, bench.labelled[:2], settings=settings)
    last = choose_experts(bench, bench.labelled[5:], settings=settings)
    assert (first.names, last.names) == (("brewer-lora",), ("mason-lora",))
    assert last.rows()[0]["accuracy_error"] is None


@pytest.mark.parametrize("kind", ["delta", "ab_signed", "ab_abs"])
def test_likeness_is_computed_once(bench: Workbench, choose: Choose, kind: str) -> None:
    table = choose(similarity=kind).table
    step = list((bench.run.folder / "steps" / "expert-likeness").glob("*/similarity.safetensors"))
    assert len(step) == 1
    written = step[0].stat().st_mtime_ns
    again = choose(similarity=kind).table
    assert np.array_equal(again.similarity, table.similarity)
    assert step[0].stat().st_mtime_ns == written
    copies = [table.names.index(name) for name in ("smith-lora", "smith-pro")]
    assert table.similarity[*copies] > 0.99


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"exclude": ["smith-lara"]}, "no adapter 'smith-lara'; did you mean 'smith-lora'"),
        ({"exclude": [name for name in NAMES if "trade" not in name]}, "no adapter of the bank is left"),
        ({"rule": "best"}, "--rule: 'best' does not exist; expected one of coverage, paper"),
        ({"similarity": "cosine"}, "--similarity: 'cosine'"),
        ({"size": 9}, "a group of 9 cannot be made of a pool of 8"),
    ],
)
def test_what_cannot_be_is_refused(choose: Choose, changes: dict[str, Any], words: str) -> None:
    with pytest.raises(InputError, match=words):
        choose(**changes)


def test_shots_that_were_not_scored_are_refused(bench: Workbench) -> None:
    from kshot.data.example import Example

    with pytest.raises(InputError, match="not scored on this shot"):
        choose_experts(bench, [Example("new", "row")], settings=bench.settings.experts)
    with pytest.raises(InputError, match="no shot"):
        choose_experts(bench, [], settings=bench.settings.experts)


def test_a_task_without_a_bank_or_base_says_what_to_add(
    write_task: Callable[..., Path], write_colours: Callable[..., Path], tmp_path: Path, seven: Path
) -> None:
    for path, words in (
        (write_task(knowledge=None), "names no bank; add `knowledge"),
        (write_colours(knowledge={"adapters": [str(seven)]}), "names no base model; add `model"),
    ):
        task = Task.load(path)
        bench = Workbench(task, Run(tmp_path / "run", listener=lambda event, **fields: None))
        with pytest.raises(InputError, match=words):
            choose_experts(bench, task.shots, settings=task.settings.experts)


def test_the_right_experts_of_the_miniature(tmp_path: Path) -> None:
    """The whole bank, guessers and near copies in it, on 20 shots: each trade of the task has its expert."""
    task = Task.load(miniature.task_file("mixed"), k=20, seed=0)
    run = Run(tmp_path / "run", listener=lambda event, **fields: None)
    truth = miniature.truth()
    with run.open():
        choice = choose_experts(
            Workbench(task, run), task.shots, settings=asked(task.settings.experts, {"rule": "coverage"})
        )
    assert len(choice.rows()) == 27
    originals = {truth.adapters[name]["copy_of"] or name for name in choice.names}
    assert set(truth.tasks["mixed"]["helps"]) < originals
    assert all(truth.adapters[name]["kind"] != "defect" for name in choice.names)
