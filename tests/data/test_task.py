# ruff: noqa: E501 - tables of cases, one case a line
"""Task: drawn shots, held-out rows that never overlap them, folds, and what the user is told."""

import json
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kshot.data.example import Example
from kshot.data.task import Task
from kshot.data.taskfile.file import TaskFile
from kshot.errors import DataError, InputError, TaskError

SHARED = Path(__file__).parents[3] / "shared" / "data"
Rows = list[dict[str, Any]]


def moods(count: int, *, start: int = 0) -> Rows:
    return [
        {"text": f"message {i}", "label": ["good", "bad", "bad"][i % 3]} for i in range(start, start + count)
    ]


def sums(count: int, *, start: int = 0) -> Rows:
    return [{"prompt": f"{i} + {i}?", "answer": str(2 * i)} for i in range(start, start + count)]


def write(folder: Path, keys: dict[str, Any], shots: Rows, test: Rows | None = None) -> Path:
    """A task folder; a task file in JSON is YAML, too."""
    data: dict[str, Any] = {"version": 1, "examples": {"path": "shots.jsonl"}}
    for name, rows in (("shots", shots), ("test", test)):
        if rows is not None:
            lines = "".join(json.dumps(row) + "\n" for row in rows)
            (folder / f"{name}.jsonl").write_text(lines, encoding="utf-8")
    if test is not None:
        data["test"] = "test.jsonl"
    data |= keys
    data["examples"] = {"path": "shots.jsonl"} | keys.get("examples", {})
    (folder / "task.yaml").write_text(json.dumps(data, indent=1), encoding="utf-8")
    return folder / "task.yaml"


MOOD = {"task": {"type": "classification"}}
SUM = {"task": {"type": "generation", "instruction": "Add."}}


def test_a_task_with_a_test_file(tmp_path: Path) -> None:
    task = Task.load(write(tmp_path, MOOD, moods(9), moods(6, start=9)), k=6, seed=1)
    assert (task.name, task.metric, task.labels, task.folder) == (
        "task",
        "macro_f1",
        ("bad", "good"),
        tmp_path,
    )
    assert Counter(shot.answer for shot in task.shots) == {"bad": 4, "good": 2}
    assert [row.prompt for row in task.test] == [f"message {i}" for i in range(9, 15)]
    assert (task.settings.examples.k, task.settings.examples.seed) == (6, 1)
    assert task.template.labels == task.labels == task.settings.task.labels
    assert [(split.name, split.shots, split.test) for split in task.splits()] == [
        ("test", task.shots, task.test)
    ]
    assert task.notes == ()


def test_a_relative_path_is_relative_to_the_working_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "sub").mkdir()
    write(tmp_path / "sub", SUM, sums(6), sums(2, start=6))
    monkeypatch.chdir(tmp_path)
    task = Task.load("sub/task.yaml")
    assert (task.folder, len(task.shots), len(task.test)) == (Path("sub"), 6, 2)
    assert task.settings.absolute()["examples"]["path"] == str(tmp_path / "sub" / "shots.jsonl")
    monkeypatch.chdir(tmp_path / "sub")
    assert Task.load("task.yaml").shots == task.shots


def test_all_rows_are_shots_where_k_is_absent(tmp_path: Path) -> None:
    task = Task.load(write(tmp_path, SUM, sums(7), sums(2, start=7)))
    assert {shot.prompt for shot in task.shots} == {row["prompt"] for row in sums(7)}
    assert task.labels == ()


@settings(max_examples=20, deadline=None)
@given(st.permutations(moods(12)), st.integers(0, 20), st.integers(2, 12))
def test_a_draw_depends_on_rows_k_and_seed_alone(
    tmp_path_factory: pytest.TempPathFactory, moved: Rows, seed: int, k: int
) -> None:
    test = moods(3, start=12)
    one = Task.load(write(tmp_path_factory.mktemp("one"), MOOD, moods(12), test), k=k, seed=seed)
    other = Task.load(write(tmp_path_factory.mktemp("two"), MOOD, moved, test), k=k, seed=seed)
    assert [shot.id for shot in one.shots] == [shot.id for shot in other.shots]
    assert set(Counter(shot.answer for shot in one.shots)) == {"good", "bad"}


def test_seeds_draw_different_shots(tmp_path: Path) -> None:
    path = write(tmp_path, SUM, sums(40), sums(1, start=40))
    drawn = {tuple(shot.id for shot in Task.load(path, k=5, seed=seed).shots) for seed in range(10)}
    assert len(drawn) == 10


@pytest.mark.parametrize("count", [4, 51])
def test_a_k_outside_the_usual_range_is_told_and_goes_on(tmp_path: Path, count: int) -> None:
    task = Task.load(write(tmp_path, SUM, sums(60), sums(2, start=60)), k=count)
    assert len(task.shots) == count
    assert task.notes == (f"{count} shots: outside 5 to 50, the range that kshot is made for",)
    for fine in (5, 50):
        assert Task.load(tmp_path / "task.yaml", k=fine).notes == ()


def test_a_limit_draws_test_rows_by_seed_and_never_the_first(tmp_path: Path) -> None:
    keys = SUM | {"test": {"path": "test.jsonl", "limit": 5, "seed": 2}}
    path = write(tmp_path, keys, sums(6), sums(50, start=6))
    kept = [row.prompt for row in Task.load(path).test]
    everything = [row["prompt"] for row in sums(50, start=6)]
    assert kept == [prompt for prompt in everything if prompt in kept]  # in file order
    assert len(kept) == 5
    assert kept != everything[:5]
    assert Task.load(path).notes == ("test: 5 of 50 rows are judged, drawn with seed 2",)


def test_without_a_test_file_every_row_is_judged_once_a_repeat(tmp_path: Path) -> None:
    keys = MOOD | {"folds": {"count": 3, "repeats": 2, "seed": 4}}
    task = Task.load(write(tmp_path, keys, moods(10)))
    splits = task.splits()
    assert [(split.name, split.repeat) for split in splits[:4]] == [
        ("repeat 1, fold 1", 0), ("repeat 1, fold 2", 0), ("repeat 1, fold 3", 0), ("repeat 2, fold 1", 1),
    ]  # fmt: skip
    for repeat in (0, 1):
        judged = [row.id for split in splits if split.repeat == repeat for row in split.test]
        assert sorted(judged) == sorted(shot.id for shot in task.shots)
    for split in splits:
        assert not {row.question for row in split.test} & {shot.question for shot in split.shots}
        assert len(split.shots) + len(split.test) == 10
    assert task.splits() == splits


def test_folds_are_stratified_in_classification(tmp_path: Path) -> None:
    task = Task.load(write(tmp_path, MOOD, moods(30)))
    for split in task.splits():
        assert Counter(row.answer for row in split.test) == {"good": 2, "bad": 4}


def test_rows_that_ask_the_same_stand_in_one_fold(tmp_path: Path) -> None:
    rows = sums(6) + [{"prompt": f"  {i} + {i}?".upper(), "answer": "0"} for i in range(1, 6)]
    task = Task.load(write(tmp_path, SUM | {"folds": {"count": 3, "repeats": 4}}, rows))
    for split in task.splits():
        assert not {row.question for row in split.test} & {shot.question for shot in split.shots}


def test_k_of_many_rows_without_a_test_file(tmp_path: Path) -> None:
    task = Task.load(write(tmp_path, SUM, sums(12)), k=10)
    assert {row.id for split in task.splits() for row in split.test} == {shot.id for shot in task.shots}
    assert "2 of 12 labelled rows are not drawn and not judged on" in task.notes[0]


def test_repeats_and_contradictions_are_told(tmp_path: Path) -> None:
    shots = [*sums(6), sums(6)[0], {"prompt": "1 + 1?", "answer": "3"}]
    test = [*sums(2, start=6), sums(1, start=6)[0]]
    task = Task.load(write(tmp_path, SUM, shots, test))
    assert len(task.shots) == 7
    assert task.notes == (
        "1 exact repeat left out before the draw: shots.jsonl:7 = shots.jsonl:1",
        "shots.jsonl:2, shots.jsonl:8: the same question has different answers ('2', '3'); check the labels",
        "1 repeated question among the test rows (kept): test.jsonl:3 = test.jsonl:1",
    )


def test_shots_and_test_rows_never_overlap(tmp_path: Path) -> None:
    test = [{"prompt": " 3  +  3? ", "answer": "six"}, *sums(1, start=30)]
    path = write(tmp_path, SUM, sums(6), test)
    with pytest.raises(TaskError) as error:
        Task.load(path)
    assert str(error.value) == (
        "shots.jsonl:4 asks the same as test.jsonl:1; shots and test must not overlap: remove one of them"
    )
    for seed in range(20):  # only the shots that are drawn count; the others are told
        try:
            task = Task.load(path, k=5, seed=seed)
        except TaskError:
            continue
        assert "1 undrawn labelled row found in the test file, too" in task.notes[-1]
        assert "3 + 3?" not in {shot.prompt for shot in task.shots}
        break
    else:
        pytest.fail("no seed leaves the row out")


def test_labels_come_from_the_labelled_rows_or_the_file(tmp_path: Path) -> None:
    test = [{"text": "hm", "label": "bda"}]
    with pytest.raises(TaskError) as error:
        Task.load(write(tmp_path, MOOD, moods(6), test))
    assert str(error.value).startswith("test.jsonl:1: label 'bda' is none of bad, good; did you mean 'bad'?")
    listed = {"task": {"type": "classification", "labels": ["good", "bad", "mixed"]}}
    task = Task.load(write(tmp_path, listed, moods(6), moods(1, start=6)))
    assert task.labels == ("good", "bad", "mixed")
    assert task.notes == ("no shot has the label 'mixed'; systems that learn from shots cannot learn it",)
    fewer = {"task": {"type": "classification", "labels": ["good", "fine"]}}
    with pytest.raises(TaskError, match=r"shots\.jsonl:2: label 'bad' is none of good, fine"):
        Task.load(write(tmp_path, fewer, moods(6), moods(1, start=6)))


def test_numbers_are_places_in_the_listed_labels(tmp_path: Path) -> None:
    numbered = [{"text": row["text"], "label": ["good", "bad"].index(row["label"])} for row in moods(12)]
    listed = {"task": {"type": "classification", "labels": ["good", "bad"]}}
    task = Task.load(write(tmp_path, listed, numbered[:6], moods(6, start=6)))
    assert [shot.answer for shot in sorted(task.shots, key=lambda s: s.prompt)] == [
        row["label"] for row in moods(6)
    ]
    assert task.notes == (
        "shots.jsonl: answers are numbers, read as places in the labels: 0 = good, 1 = bad",
    )
    plain = {"task": {"type": "classification", "labels": ["0", "1"]}}
    assert Task.load(write(tmp_path, plain, numbered[:6], numbered[6:])).notes == ()
    with pytest.raises(TaskError, match="label '0' is none of good, bad"):
        Task.load(write(tmp_path, listed, [*numbered[:6], {"text": "x", "label": 2}], moods(6, start=6)))


def test_rare_labels_are_drawn_too(tmp_path: Path) -> None:
    rows = [*moods(30), {"text": "odd", "label": "rare"}]
    task = Task.load(write(tmp_path, MOOD, rows, moods(3, start=30)), k=5)
    assert Counter(shot.answer for shot in task.shots) == {"bad": 3, "good": 1, "rare": 1}


@pytest.mark.parametrize(
    ("keys", "shots", "test", "message"),
    [
        (MOOD, [{"text": f"m{i}", "label": "good"} for i in range(6)], moods(3), "shots of 'good'|all 6 shots have the label 'good'"),
        (MOOD | {"examples": {"k": 1}}, moods(6), moods(3, start=6), "all 1 shots have the label"),
        (MOOD, [*moods(6), {"text": "x", "label": "bad "}], moods(3, start=7), "shots.jsonl:7: label 'bad ' has white space"),
        (MOOD | {"folds": {"count": 2}}, [{"text": "a", "label": "x"}, {"text": "b", "label": "y"}], None, "leaves shots of one label"),
        (SUM, sums(6), [{"prompt": "p"}], "test.jsonl:1: the row has no answer"),
        (SUM, sums(6), [{"prompt": "p", "answer": None}], "test.jsonl:1: the row has no answer"),
        (SUM, [*sums(6), {"prompt": "p", "answer": " "}], sums(1, start=9), "shots.jsonl:7: the row has no answer"),
        (SUM | {"examples": {"k": 9}}, sums(6), sums(1, start=9), "k is 9, but the file has 6 different rows"),
        (SUM, sums(4), None, "5 folds of 4 different rows"),
        ({"task": {"type": "choice"}}, sums(6), sums(1, start=9), "shots.jsonl:1: the row has no choices; type choice needs them"),
        (MOOD, [{"question": f"q{i}", "choices": ["a", "b"], "answer": "AB"[i % 2]} for i in range(6)], moods(3), "use type: choice"),
    ],
)  # fmt: skip
def test_rows_that_do_not_fit_the_task(
    tmp_path: Path, keys: dict[str, Any], shots: Rows, test: Rows | None, message: str
) -> None:
    with pytest.raises(TaskError) as error:
        Task.load(write(tmp_path, keys, shots, test))
    assert any(part in str(error.value) for part in message.split("|"))


def test_many_labels_of_one_row_each_are_told(tmp_path: Path) -> None:
    rows = [{"text": f"m{i}", "label": f"l{i}"} for i in range(6)]
    task = Task.load(write(tmp_path, MOOD, rows, [{"text": "x", "label": "l0"}]))
    assert "each of the 6 labelled rows has a label of its own" in task.notes[0]


def test_choice_tasks(tmp_path: Path) -> None:
    rows = [{"question": f"q{i}", "choices": ["a", "b"], "answer": "AB"[i % 2]} for i in range(8)]
    task = Task.load(write(tmp_path, {"task": {"type": "choice"}}, rows[:6], rows[6:]))
    assert task.metric == "choice"
    assert [task.template.gold(row) for row in task.test] == ["A", "B"]


@pytest.mark.parametrize(
    ("asked", "has_reasoning", "expected"),
    [("auto", True, "answer_first"), ("auto", False, "none"), ("answer_last", True, "answer_last"), ("none", True, "none")],
)  # fmt: skip
def test_where_reasoning_stands(tmp_path: Path, asked: str, has_reasoning: bool, expected: str) -> None:
    shots = [row | ({"reasoning": "count"} if has_reasoning else {}) for row in sums(6)]
    keys = {"task": {"type": "generation", "reasoning": asked}}
    assert Task.load(write(tmp_path, keys, shots, sums(1, start=6))).template.reasoning == expected


def test_reasoning_that_no_shot_has_is_told(tmp_path: Path) -> None:
    keys = {"task": {"type": "generation", "reasoning": "answer_last"}}
    assert Task.load(write(tmp_path, keys, sums(6), sums(1, start=6))).notes == (
        "reasoning is answer_last, but no shot has reasoning",
    )


def test_code_rows_are_judged_by_their_tests(tmp_path: Path) -> None:
    test = [{"prompt": "write g", "answer": "", "tests": "g()"}]
    assert Task.load(write(tmp_path, SUM | {"metric": "pass_at_1"}, sums(6), test)).test[0].tests == "g()"
    with pytest.raises(TaskError, match="has no answer"):
        Task.load(write(tmp_path, SUM, sums(6), test))


def test_a_task_from_rows_at_hand() -> None:
    shots = [Example(f"m{i}", "good" if i % 2 else "bad") for i in range(6)]
    task = Task.from_examples(MOOD | {"metric": "accuracy"}, shots, [Example("new", "bad")])
    assert ([shot.id for shot in task.shots], task.metric) == ([shot.id for shot in shots], "accuracy")
    assert [row.source for row in (*task.shots, *task.test)][-2:] == ["shots:6", "test:1"]
    folds = Task.from_examples(MOOD, shots)
    assert len(folds.splits()) == 15
    with pytest.raises(TaskError, match="shots:1 asks the same as test:1"):
        Task.from_examples(MOOD, shots, [Example("M0 ", "bad")])
    for wrong in ({}, {"task": "x"}, {"task": {"type": "x"}}, MOOD | {"zzz": 1}):
        with pytest.raises(TaskError):
            Task.from_examples(wrong, shots)


@pytest.mark.parametrize("test", [None, moods(3, start=12)])
def test_a_run_can_be_reopened_from_its_settings_and_shots(tmp_path: Path, test: Rows | None) -> None:
    task = Task.load(write(tmp_path, MOOD, moods(12), test), k=8)
    learned = list({row.id: row for split in task.splits() for row in split.shots}.values())
    again = Task.from_examples(
        TaskFile.from_absolute(json.loads(json.dumps(task.settings.absolute()))), learned
    )
    assert (again.name, again.labels, again.metric, again.template) == (
        task.name, task.labels, task.metric, task.template,
    )  # fmt: skip
    relearned = list({row.id: row for split in again.splits() for row in split.shots}.values())
    assert [row.id for row in relearned] == [row.id for row in learned]


def test_files_that_cannot_be_read_are_named(tmp_path: Path) -> None:
    path = write(tmp_path, SUM, sums(6), sums(1, start=6))
    (tmp_path / "shots.jsonl").write_bytes(b"")
    with pytest.raises(DataError, match=r"shots\.jsonl: the file is empty"):
        Task.load(path)
    (tmp_path / "shots.jsonl").unlink()
    with pytest.raises(InputError, match="there is no such file"):
        Task.load(path)


@pytest.mark.skipif(not SHARED.is_dir(), reason="the development data is absent")
@pytest.mark.parametrize("name", ["emotion", "irony", "offensive", "stance_climate"])
@pytest.mark.parametrize("k", [16, 64])
def test_real_tweets(tmp_path: Path, name: str, k: int) -> None:
    folder = SHARED / "tweeteval" / name
    keys = {
        "version": 1,
        "task": {"type": "classification", "labels": (folder / "labels.txt").read_text().split()},
        "examples": {"path": str(folder / "train.jsonl"), "k": k},
        "test": {"path": str(folder / "test.jsonl"), "limit": 100},
    }
    (tmp_path / "task.yaml").write_text(json.dumps(keys), encoding="utf-8")
    task = Task.load(tmp_path / "task.yaml")
    assert (len(task.shots), len(task.test)) == (k, 100)
    assert {shot.answer for shot in task.shots} == set(task.labels)
