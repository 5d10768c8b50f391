# ruff: noqa: E501 - tables of cases, one case a line
"""Files of rows: every row format in every type of file, and what is said about odd ones."""

import csv
import json
import os
import time
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kshot.data.example import Example, Message
from kshot.data.formats.read import ReadResult, iter_examples, read_examples, write_examples
from kshot.errors import DataError

SHARED = Path(__file__).parents[4] / "shared" / "data"


def jsonl(path: Path, *rows: object) -> Path:
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    return path


def read(tmp_path: Path, *rows: object, **options: object) -> ReadResult:
    return read_examples(jsonl(tmp_path / "rows.jsonl", *rows), **options)  # type: ignore[arg-type]


USER, ASSISTANT = {"role": "user", "content": "2 + 2?"}, {"role": "assistant", "content": "4"}
SYSTEM = {"role": "system", "content": "Add."}
ARC = {
    "question": "Which is hot?",
    "choices": {"text": ["ice", "fire", "snow"], "label": ["1", "2", "3"]},
    "answerKey": "2",
}
FIRE = Example("Which is hot?", "fire", choices=("ice", "fire", "snow"))
FOUR = Example("2 + 2?", "4")


@pytest.mark.parametrize(
    ("row", "name", "expected"),
    [
        ({"prompt": "2 + 2?", "completion": "4"}, "prompt_completion", FOUR),
        ({"prompt": "2 + 2?", "answer": "4"}, "prompt_completion", FOUR),
        ({"prompt": "2 + 2?", "response": "4"}, "prompt_completion", FOUR),
        ({"question": "2 + 2?", "answer": 4}, "prompt_completion", FOUR),
        ({"input": "2 + 2?", "output": "4"}, "prompt_completion", FOUR),
        ({"messages": [USER, ASSISTANT]}, "messages", FOUR),
        ({"messages": [SYSTEM, USER, ASSISTANT]}, "messages", Example("2 + 2?", "4", system="Add.")),
        ({"prompt": [SYSTEM, USER], "completion": [ASSISTANT]}, "messages", Example("2 + 2?", "4", system="Add.")),
        (
            {"messages": [USER, ASSISTANT, {"role": "user", "content": "And 3 + 3?"}, {"role": "assistant", "content": "6"}]},
            "messages",
            Example("And 3 + 3?", "6", history=(Message("user", "2 + 2?"), Message("assistant", "4"))),
        ),
        (
            {"conversations": [{"from": "human", "value": "2 + 2?"}, {"from": "gpt", "value": "4"}], "system": "Add."},
            "sharegpt",
            Example("2 + 2?", "4", system="Add."),
        ),
        ({"instruction": "2 + 2?", "input": "", "output": "4"}, "alpaca", FOUR),
        ({"instruction": "2 + 2?", "output": "4"}, "alpaca", FOUR),
        ({"instruction": "Add.", "input": "2 + 2?", "output": "4"}, "alpaca", Example("Add.\n2 + 2?", "4")),
        (
            {"instruction": "And 3?", "output": "6", "history": [["2 + 2?", "4"]], "system": "Add."},
            "alpaca",
            Example("And 3?", "6", system="Add.", history=(Message("user", "2 + 2?"), Message("assistant", "4"))),
        ),
        ({"text": "so good", "label": "pos"}, "text_label", Example("so good", "pos")),
        ({"sentence": "so good", "label": 1}, "text_label", Example("so good", "1")),
        ({"text": "so good", "label_text": "pos"}, "text_label", Example("so good", "pos")),
        (ARC, "multiple_choice", FIRE),
        ({"question": {"stem": "Which is hot?", "choices": [{"text": "ice", "label": "A"}, {"text": "fire", "label": "B"},
          {"text": "snow", "label": "C"}]}, "answerKey": "B"}, "multiple_choice", FIRE),
        ({"question": "Which is hot?", "choices": ["ice", "fire", "snow"], "answer": 1}, "multiple_choice", FIRE),
        ({"question": "Which is hot?", "options": ["ice", "fire", "snow"], "answer": "b"}, "multiple_choice", FIRE),
        ({"question": "Which is hot?", "choices": ["ice", "fire", "snow"], "answer": "fire"}, "multiple_choice", FIRE),
        ({"question": "Which is hot?", "A": "ice", "B": "fire", "C": "snow", "answer": "B"}, "multiple_choice", FIRE),
        ({"question": "Which is hot?", "option_a": "ice", "option_b": "fire", "option_c": "snow", "option_d": "",
          "answer": "1"}, "multiple_choice", FIRE),
        ({"question": "Which is hot?", "choices": ["ice", "fire", "snow"], "answerKey": 2}, "multiple_choice", FIRE),
        ({"prompt": "2 + 2?", "answer": "4", "cot": "Count."}, "prompt_completion", Example("2 + 2?", "4", reasoning="Count.")),
        ({"prompt": "2 + 2?", "answer": "4", "reasoning": None}, "prompt_completion", FOUR),
        ({"prompt": "f", "answer": "def f(): 0", "tests": "f()"}, "prompt_completion", Example("f", "def f(): 0", tests="f()")),
    ],
)  # fmt: skip
def test_every_row_format_is_found_and_read(
    tmp_path: Path, row: object, name: str, expected: Example
) -> None:
    found = read(tmp_path, row)
    assert (found.format, found.examples, found.notes) == (
        name,
        (replace(expected, source="rows.jsonl:1"),),
        (),
    )


@pytest.mark.parametrize("suffix", ["jsonl", "json", "csv", "tsv", "parquet"])
def test_every_file_type_gives_the_same_rows(tmp_path: Path, suffix: str) -> None:
    rows = [{"text": 'said "no",\nthen\tyes', "label": "a"}, {"text": "žluť \u2028 🐎", "label": "b"}]
    path = tmp_path / f"rows.{suffix}"
    if suffix == "jsonl":
        path.write_text("\n".join(json.dumps(row, ensure_ascii=False) for row in rows), encoding="utf-8")
    elif suffix == "json":
        path.write_text(json.dumps(rows, indent=2), encoding="utf-8")
    elif suffix == "parquet":
        pa = pytest.importorskip("pyarrow")
        pa.parquet = pytest.importorskip("pyarrow.parquet")
        pa.parquet.write_table(pa.Table.from_pylist(rows), path)
    else:
        with path.open("w", encoding="utf-8", newline="") as file:
            writer = csv.DictWriter(file, ["text", "label"], delimiter="," if suffix == "csv" else "\t")
            writer.writeheader()
            writer.writerows(rows)
    found = read_examples(path)
    assert (found.file_type, found.format) == (suffix, "text_label")
    assert [(row.prompt, row.answer) for row in found.examples] == [
        (row["text"], row["label"]) for row in rows
    ]
    lines = {"jsonl": [1, 2], "json": [2, 6], "csv": [2, 4], "tsv": [2, 4], "parquet": [1, 2]}[suffix]
    assert [row.source for row in found.examples] == [f"rows.{suffix}:{line}" for line in lines]
    assert list(iter_examples(path)) == list(found.examples)


texts = st.text(st.characters(codec="utf-8"), min_size=1).filter(str.strip)
optional = st.none() | texts
turns = st.lists(st.builds(Message, st.sampled_from(["user", "assistant"]), texts), max_size=3).map(tuple)


@st.composite
def examples(draw: st.DrawFn) -> Example:
    choices = draw(st.none() | st.lists(texts, min_size=2, max_size=5, unique=True).map(tuple))
    answer = draw(texts) if choices is None else draw(st.sampled_from(choices))
    fields = {name: draw(optional) for name in ("reasoning", "system", "tests")}
    return Example(draw(texts), answer, choices, history=draw(turns), **fields)


@settings(max_examples=60, deadline=None)
@given(rows=st.lists(examples(), min_size=1, max_size=4))
def test_what_is_written_is_read_back(tmp_path_factory: pytest.TempPathFactory, rows: list[Example]) -> None:
    path = tmp_path_factory.mktemp("rows") / "rows.jsonl"
    write_examples(path, rows)
    assert [row.id for row in read_examples(path).examples] == [row.id for row in rows]


def test_the_format_of_most_rows_counts_and_the_others_are_errors(tmp_path: Path) -> None:
    rows = [{"question": "a", "response": "b"}] * 3 + [{"question": "a", "answer": "b"}]
    with pytest.raises(DataError) as error:
        read(tmp_path, *rows)
    assert (
        str(error.value) == "rows.jsonl:4: field 'response' is missing; every row needs question and response"
    )


def test_a_given_format_is_not_guessed(tmp_path: Path) -> None:
    row = {"text": "t", "label": "l", "prompt": "p", "completion": "c"}
    assert read(tmp_path, row).examples[0].prompt == "t"
    assert read(tmp_path, row, format="prompt_completion").examples[0].prompt == "p"
    with pytest.raises(DataError, match="expected instruction \\+ output"):
        read(tmp_path, row, format="alpaca")


def test_columns_override_detection(tmp_path: Path) -> None:
    row = {"text": "t", "label": "l", "tweet": "p", "mood": "c", "id": 7}
    found = read(tmp_path, row, columns={"prompt": "tweet", "answer": "mood"})
    assert (found.examples[0].prompt, found.examples[0].answer) == ("p", "c")
    assert found.notes == ("rows.jsonl: columns not used: id, label, text",)
    answer_only = read(tmp_path, {"question": "q", "std_answer": "s"}, columns={"answer": "std_answer"})
    assert answer_only.examples[0].answer == "s"
    choices = {"ctx": "q", "endings": ["a", "b"], "label": "1"}
    named = {"prompt": "ctx", "choices": "endings", "answer": "label"}
    assert read(tmp_path, choices, columns=named).examples[0].answer == "b"


@pytest.mark.parametrize(
    ("columns", "message"),
    [
        ({"prompt": "twet", "answer": "mood"}, "did you mean 'tweet'?"),
        ({"promt": "tweet"}, "'promt' is no field of an example; .*did you mean 'prompt'?"),
    ],
)
def test_columns_that_do_not_exist(tmp_path: Path, columns: dict[str, str], message: str) -> None:
    with pytest.raises(DataError, match=message):
        read(tmp_path, {"tweet": "p", "mood": "c"}, columns=columns)


def test_the_name_of_a_label_counts_more_than_its_number(tmp_path: Path) -> None:
    found = read(tmp_path, {"text": "so good", "label": 1, "label_text": "pos"})
    assert (found.examples[0].answer, found.notes) == ("pos", ("rows.jsonl: columns not used: label",))


def test_rows_without_answers_need_to_be_asked_for(tmp_path: Path) -> None:
    for row in (
        {"prompt": "p"},
        {"prompt": "p", "answer": ""},
        {"prompt": "p", "answer": None},
        {"messages": [USER]},
    ):
        with pytest.raises(DataError):
            read(tmp_path, row)
        assert read(tmp_path, row, labelled=False).examples[0].answer == ""
    assert read(tmp_path, {"question": "q", "choices": ["a", "b"]}, labelled=False).examples[0].choices == (
        "a",
        "b",
    )


def test_empty_lines_and_unused_columns_are_told(tmp_path: Path) -> None:
    path = tmp_path / "rows.jsonl"
    path.write_text('\ufeff{"prompt": "p", "answer": "a", "id": 1}\r\n\n  \n', encoding="utf-8")
    found = read_examples(path)
    assert len(found.examples) == 1
    assert found.notes == ("rows.jsonl: columns not used: id", "rows.jsonl: 2 empty lines skipped")


def test_three_errors_are_shown_and_all_counted(tmp_path: Path) -> None:
    path = tmp_path / "rows.jsonl"
    path.write_text('{"prompt": "p", "answer": "a"}\n' + '{"prompt": "p"}\n' * 5, encoding="utf-8")
    with pytest.raises(DataError) as error:
        read_examples(path)
    assert str(error.value).split("\n")[0].startswith("rows.jsonl:2: field 'answer' is missing")
    assert str(error.value).endswith("... and 2 more of 5")
    rows = iter_examples(path)
    assert next(rows).answer == "a"
    with pytest.raises(DataError, match=r"^rows\.jsonl:2: "):
        next(rows)


def test_class_labels_in_parquet_get_their_names(tmp_path: Path) -> None:
    pa = pytest.importorskip("pyarrow")
    pq = pytest.importorskip("pyarrow.parquet")
    features = {
        "label": {"names": ["neg", "pos"], "_type": "ClassLabel"},
        "text": {"dtype": "string", "_type": "Value"},
    }
    metadata = {"huggingface": json.dumps({"info": {"features": features}})}
    table = pa.table({"text": ["bad", "good"], "label": [0, 1]}).replace_schema_metadata(metadata)
    pq.write_table(table, tmp_path / "rows.parquet", row_group_size=1)
    found = read_examples(tmp_path / "rows.parquet")
    assert [row.answer for row in found.examples] == ["neg", "pos"]
    assert "named as the file itself names them: neg, pos" in found.notes[0]
    damaged = table.replace_schema_metadata({"huggingface": "{"})
    pq.write_table(damaged, tmp_path / "rows.parquet")
    assert [row.answer for row in read_examples(tmp_path / "rows.parquet").examples] == ["0", "1"]


def test_rows_are_streamed(tmp_path: Path) -> None:
    path = tmp_path / "rows.jsonl"
    path.write_text('{"prompt": "p", "answer": "a"}\n' * 5000 + "broken\n", encoding="utf-8")
    rows = iter_examples(path)
    assert sum(1 for _ in zip(range(4999), rows, strict=False)) == 4999  # the broken line is not yet read
    with pytest.raises(DataError, match=r"rows\.jsonl:5001"):
        list(rows)


def test_ten_thousand_rows_are_read_at_once(tmp_path: Path) -> None:
    path = jsonl(
        tmp_path / "rows.jsonl",
        *[{"prompt": f"question {i} " + "word " * 30, "answer": i} for i in range(10_000)],
    )
    begun = time.process_time()
    assert len(read_examples(path).examples) == 10_000
    assert time.process_time() - begun < 1.0


def test_a_field_of_a_megabyte_in_csv(tmp_path: Path) -> None:
    path = tmp_path / "rows.csv"
    path.write_text(f"prompt,answer\n{'x' * 1_000_000},y\n", encoding="utf-8")
    assert len(read_examples(path).examples[0].prompt) == 1_000_000


def test_nothing_is_left_of_a_write_that_fails(tmp_path: Path) -> None:
    path = tmp_path / "rows.jsonl"
    write_examples(path, [FOUR])
    with pytest.raises(DataError, match="half a character"):
        write_examples(path, [FIRE, Example("\ud800", "x")])
    with pytest.raises(DataError, match="cannot be written"):
        write_examples(tmp_path / "absent" / "rows.jsonl", [FOUR])
    assert os.listdir(tmp_path) == ["rows.jsonl"]  # noqa: PTH208
    assert read_examples(path).examples[0].id == FOUR.id


@pytest.mark.skipif(not SHARED.is_dir(), reason="the development data is absent")
@pytest.mark.parametrize(
    ("name", "row_format", "count"),
    [
        ("tweeteval/emotion/train.jsonl", "text_label", 3257),
        ("tweeteval/offensive/test.jsonl", "text_label", 860),
        ("gsm8k/train.jsonl", "prompt_completion", 2000),
        ("arc_challenge_shots/shots_50_reasoned.jsonl", "alpaca", 50),
    ],
)
def test_real_files(name: str, row_format: str, count: int) -> None:
    found = read_examples(SHARED / name)
    assert (found.format, len(found.examples), found.notes) == (row_format, count, ())
