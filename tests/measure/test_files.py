"""Predictions files: rows paired by place or by id, and the figures of a report computed anew."""

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from kshot.errors import DataError, MetricError
from kshot.measure.files import compare_files, read_predictions
from kshot.measure.metrics import evaluate
from kshot.measure.statistics import compare_predictions, score_interval

EMOJI = [f"_{i}_" for i in range(20)]


def write(path: Path, rows: list[Any]) -> Path:
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    return path


def row(at: int, *, prediction: str | None = "a", answer: str = "a", **more: Any) -> dict[str, Any]:
    return {"id": f"r{at}", "prediction": prediction, "answer": answer, **more}


def placed(at: int, **more: Any) -> dict[str, Any]:
    return row(at, **more) | {"row": at}


def test_rows_without_places_are_paired_by_id(tmp_path: Path) -> None:
    one = write(tmp_path / "one.jsonl", [row(0), row(1, prediction=None), row(2, prediction="b")])
    other = write(tmp_path / "other.jsonl", [row(2), row(0, prediction="b"), row(1)])
    found = read_predictions(one)
    assert found.ids == ("r0", "r1", "r2")
    assert found.rows is None
    assert found.predictions == (("a", None, "b"),)
    compared = compare_files([one, other], metric="accuracy")
    assert [line["value"] for line in compared] == [pytest.approx(1 / 3), pytest.approx(2 / 3)]
    assert compared[1]["difference"] == pytest.approx(1 / 3)


def test_the_same_row_at_two_places_is_two_rows(tmp_path: Path) -> None:
    """A test file may hold a row twice; the id, a hash of its content, is then there twice."""
    twice = [placed(0), placed(1) | {"id": "r0", "prediction": "b"}, placed(2)]
    found = read_predictions(write(tmp_path / "a.jsonl", twice[::-1]))
    assert found.rows == (0, 1, 2)
    assert found.ids == ("r0", "r0", "r2")
    assert found.predictions == (("a", "b", "a"),)
    assert compare_files([tmp_path / "a.jsonl"] * 2, metric="accuracy")[1]["difference"] == 0


def test_the_same_id_twice_needs_places(tmp_path: Path) -> None:
    path = write(tmp_path / "a.jsonl", [row(0), row(1), row(0)])
    with pytest.raises(DataError, match=r"a\.jsonl:3: id 'r0' is there twice in one repeat") as said:
        read_predictions(path)
    assert "'row'" in str(said.value)  # what to do
    some = write(tmp_path / "some.jsonl", [placed(0), placed(1) | {"id": "r0"}, row(2)])
    with pytest.raises(DataError, match=r"some\.jsonl:2: id 'r0' is there twice"):
        read_predictions(some)


def test_the_same_place_twice_in_one_repeat(tmp_path: Path) -> None:
    rows = [placed(0), placed(0, repeat=1), placed(0, repeat=1)]
    with pytest.raises(DataError, match=r"a\.jsonl:3: row 0 is there twice in one repeat"):
        read_predictions(write(tmp_path / "a.jsonl", rows))


@pytest.mark.parametrize("name", ["row", "repeat"])
@pytest.mark.parametrize("wrong", [-1, 1.0, 0.5, "0", True, None, [0], {}])
def test_places_and_repeats_are_whole_numbers(name: str, wrong: Any, tmp_path: Path) -> None:
    path = write(tmp_path / "a.jsonl", [placed(0), placed(1) | {name: wrong}])
    with pytest.raises(DataError, match=rf"a\.jsonl:2: field '{name}' is .*, expected a whole number from 0"):
        read_predictions(path)


@pytest.mark.parametrize(
    ("line", "says"),
    [
        ("[1]", "expected an object with id, prediction and answer"),
        ("{", "expected an object with id, prediction and answer"),
        ("[" * 100_000, "expected an object with id, prediction and answer"),
        ('{"id": "x", "answer": "a"}', "expected an object with id, prediction and answer"),
        ('{"id": ["x"], "prediction": "a", "answer": "a"}', "field 'id' is [\"x\"], expected text"),
        ('{"id": "x", "prediction": {}, "answer": "a"}', "field 'prediction' is {}, expected text or null"),
        (
            '{"id": "x", "prediction": true, "answer": "a"}',
            "field 'prediction' is true, expected text or null",
        ),
        ('{"id": null, "prediction": "a", "answer": "a"}', "field 'id' is null, expected text"),
        ('{"id": "x", "prediction": "a", "answer": null}', "field 'answer' is null, expected text"),
    ],
)
def test_wrong_lines(line: str, says: str, tmp_path: Path) -> None:
    path = tmp_path / "a.jsonl"
    path.write_text(json.dumps(row(0)) + "\n\n" + line + "\n")
    with pytest.raises(DataError) as said:
        read_predictions(path)
    assert str(said.value) == f"{path}:3: {says}"


def test_numbers_stand_for_their_text(tmp_path: Path) -> None:
    found = read_predictions(write(tmp_path / "a.jsonl", [{"id": 7, "prediction": 0.5, "answer": 42}]))
    assert (found.ids, found.predictions, found.answers) == (("7",), (("0.5",),), ("42",))


def test_no_rows_and_no_file(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="there is no such file"):
        read_predictions(tmp_path / "a.jsonl")
    with pytest.raises(DataError, match="the file has no rows"):
        read_predictions(write(tmp_path / "a.jsonl", []))
    with pytest.raises(DataError, match="cannot be read"):
        read_predictions(tmp_path)
    (tmp_path / "b.jsonl").write_bytes(b"\xff\n")
    with pytest.raises(DataError, match="cannot be read"):
        read_predictions(tmp_path / "b.jsonl")


def test_repeats_hold_the_same_rows(tmp_path: Path) -> None:
    lacking = [placed(0), placed(1), placed(0, repeat=1)]
    with pytest.raises(DataError, match="repeat 1 lacks 1 rows that others have"):
        read_predictions(write(tmp_path / "a.jsonl", lacking))
    renamed = [placed(0), placed(0, repeat=1) | {"id": "other"}]
    with pytest.raises(DataError, match=r"b\.jsonl:2: row 0 has id 'other', and 'r0' in another repeat"):
        read_predictions(write(tmp_path / "b.jsonl", renamed))
    for rows in ([placed(0), placed(0, repeat=1, answer="b")], [row(0), row(0, repeat=1, answer="b")]):
        with pytest.raises(DataError, match=r"c\.jsonl:2: .* has answer 'b', and 'a' in another repeat"):
            read_predictions(write(tmp_path / "c.jsonl", rows))


def test_ids_at_equal_places_must_agree(tmp_path: Path) -> None:
    one = write(tmp_path / "one.jsonl", [placed(0), placed(1)])
    swapped = write(tmp_path / "other.jsonl", [placed(0) | {"id": "r1"}, placed(1) | {"id": "r0"}])
    with pytest.raises(DataError, match=r"other\.jsonl: row 0 has id 'r1', and 'r0' in .*one\.jsonl"):
        compare_files([one, swapped], metric="accuracy")


def test_files_of_other_rows_or_answers(tmp_path: Path) -> None:
    one = write(tmp_path / "one.jsonl", [placed(0), placed(1)])
    more = write(tmp_path / "more.jsonl", [placed(0), placed(1), placed(10), placed(9)])
    with pytest.raises(DataError, match=r"more\.jsonl: not the same rows as .*; 2 differ, such as row 9"):
        compare_files([one, more], metric="accuracy")
    plain = write(tmp_path / "plain.jsonl", [row(0), row(5)])
    with pytest.raises(DataError, match=r"plain\.jsonl: not the same rows as .*; 2 differ, such as id 'r1'"):
        compare_files([one, plain], metric="accuracy")
    other = write(tmp_path / "other.jsonl", [placed(0), placed(1, answer="b")])
    with pytest.raises(DataError, match="the answers differ"):
        compare_files([one, other], metric="accuracy")
    with pytest.raises(DataError, match="at least two"):
        compare_files([one], metric="accuracy")


def test_a_file_with_places_and_one_without_are_paired_by_id(tmp_path: Path) -> None:
    with_places = write(tmp_path / "one.jsonl", [placed(0, prediction="b"), placed(1)])
    without = write(tmp_path / "two.jsonl", [row(1, prediction="b"), row(0)])
    for files in ([with_places, without], [without, with_places]):
        assert [line["value"] for line in compare_files(files, metric="accuracy")] == [0.5, 0.5]
    twice = write(tmp_path / "twice.jsonl", [placed(0), placed(1) | {"id": "r0"}])
    same = write(tmp_path / "same.jsonl", [row(0)])
    with pytest.raises(
        DataError, match=r"twice\.jsonl: id 'r0' stands at several rows, and .*same\.jsonl has"
    ):
        compare_files([same, twice], metric="accuracy")
    with pytest.raises(DataError, match=r"twice\.jsonl: id 'r0' stands at several rows"):
        compare_files([twice, same], metric="accuracy")


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data(), n=st.integers(2, 6), repeats=st.integers(1, 3), with_places=st.booleans())
def test_the_order_of_lines_does_not_count(
    data: st.DataObject, n: int, repeats: int, with_places: bool, tmp_path: Path
) -> None:
    labels = st.sampled_from(["a", "b", None])
    make = placed if with_places else row
    rows = [
        make(at, repeat=r, prediction=data.draw(labels), answer="ab"[at % 2])
        for r in range(repeats)
        for at in range(n)
    ]
    one = write(tmp_path / "one.jsonl", rows)
    other = write(tmp_path / "other.jsonl", data.draw(st.permutations(rows)))
    found = read_predictions(one)
    assert found.predictions == tuple(
        tuple(line["prediction"] for line in rows if line["repeat"] == r) for r in range(repeats)
    )
    if with_places:
        again = read_predictions(other)
        assert (again.ids, again.answers, again.predictions) == (found.ids, found.answers, found.predictions)
    first, second = compare_files([one, other], metric="accuracy")
    assert first["value"] == second["value"]
    assert second["difference"] == 0


def test_labels_that_no_row_has_count_in_macro_f1(tmp_path: Path) -> None:
    answers, said = list("aabb"), list("abbb")
    one = write(tmp_path / "one.jsonl", [placed(i, prediction="a", answer=a) for i, a in enumerate(answers)])
    other = write(
        tmp_path / "other.jsonl",
        [placed(i, prediction=p, answer=a) for i, (p, a) in enumerate(zip(said, answers, strict=True))],
    )
    labels = ["a", "b", "c"]
    first, second = compare_files([one, other], metric="macro_f1", labels=labels)
    assert second["value"] == evaluate("macro_f1", said, answers, labels=labels)
    assert second["value"] < compare_files([one, other], metric="macro_f1")[1]["value"]
    assert (first["value"], first["interval"]) == score_interval(
        "macro_f1", ["a"] * 4, answers, labels=labels
    )
    duel = compare_predictions("macro_f1", said, ["a"] * 4, answers, labels=labels)
    assert (second["difference"], second["difference_interval"]) == (duel.difference, duel.interval)


def test_emoji_needs_its_labels(tmp_path: Path) -> None:
    one = write(tmp_path / "one.jsonl", [placed(i, answer=e, prediction=e) for i, e in enumerate(EMOJI)])
    other = write(
        tmp_path / "other.jsonl", [placed(i, answer=e, prediction=EMOJI[0]) for i, e in enumerate(EMOJI)]
    )
    with pytest.raises(MetricError, match="20 class names"):
        compare_files([one, other], metric="tweeteval:emoji")
    values = [line["value"] for line in compare_files([one, other], metric="tweeteval:emoji", labels=EMOJI)]
    assert values[0] == 1
    assert values[1] == pytest.approx(2 / 21 / 20)  # F1 of one class in twenty: precision 1/20, recall 1
