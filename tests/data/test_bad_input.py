# ruff: noqa: E501 - tables of cases, one case a line
"""Every kind of bad input ends in one clear sentence that names the place, and leaves no file behind."""

import os
import re
from pathlib import Path

import pytest

from kshot.data.formats.read import iter_examples, read_examples
from kshot.data.task import Task
from kshot.errors import DataError, InputError, TaskError

GOOD = '{"prompt": "2 + 2?", "answer": "4"}\n'
GZIP = b"\x1f\x8b\x08\x00" + b"\0" * 20


def parquet(cut: int) -> bytes:
    pa = pytest.importorskip("pyarrow")
    pq = pytest.importorskip("pyarrow.parquet")
    sink = pa.BufferOutputStream()
    rows = [{"prompt": f"question {i}", "answer": str(i)} for i in range(500)]
    pq.write_table(pa.Table.from_pylist(rows), sink)
    data: bytes = sink.getvalue().to_pybytes()
    return data[:-cut] if cut else data


# what it is, the file's name, its bytes, the sentence
FILES: list[tuple[str, str, bytes | str, str]] = [
    ("empty", "rows.jsonl", "", "rows.jsonl: the file is empty; expected rows"),
    ("white space only", "rows.jsonl", " \n\n\t\n", "rows.jsonl: the file holds no rows"),
    ("white space only, no suffix", "rows", " \n\n", "rows: the file holds white space only"),
    ("a mark of UTF-8 only", "rows.jsonl", b"\xef\xbb\xbf", "rows.jsonl: the file holds no rows"),
    ("binary", "rows.jsonl", bytes(range(256)), "rows.jsonl: this is a binary file"),
    ("binary, called CSV", "rows.csv", b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR", "rows.csv: this is a binary file"),
    ("packed", "rows.jsonl", GZIP, "rows.jsonl: the file is packed (gzip); unpack it first"),
    ("a spreadsheet", "rows.csv", b"PK\x03\x04" + b"\0" * 30, "rows.csv: the file is packed (zip)"),
    ("UTF-16", "rows.csv", "prompt,answer\na,b\n".encode("utf-16"), "rows.csv: the file is UTF-16; save it as UTF-8"),
    ("Latin-1", "rows.jsonl", (GOOD + '{"prompt": "caf\xe9", "answer": "x"}\n').encode("latin-1"), "rows.jsonl:2: the bytes are no UTF-8"),
    ("Latin-1 in CSV", "rows.csv", "prompt,answer\na,b\ncaf\xe9,b\n".encode("latin-1"), "rows.csv:3: the bytes are no UTF-8"),
    ("Latin-1 in an array", "rows.json", '[\n{"prompt": "caf\xe9"}]'.encode("latin-1"), "rows.json:2: the bytes are no UTF-8"),
    ("unknown type", "rows.txt", "hello\n", "rows.txt: cannot tell what this file is; name it .jsonl"),
    ("cut off", "rows.jsonl", GOOD + '{"prompt": "3 + 3?", "ans', "rows.jsonl:2: this is no valid JSON (Unterminated string starting at, column 22); expected one JSON object a line; the file ends here"),
    ("cut off array", "rows.json", f"[{GOOD},\n{GOOD}", "rows.json:4: the file ends where ',' or ']' was expected"),
    ("array with a tail", "rows.json", f"[{GOOD}]\n[]", "rows.json:2: something stands after the end of the array"),
    ("array with a comma too many", "rows.json", f"[{GOOD},]", "rows.json:2: this is no valid JSON"),
    ("empty array", "rows.json", "[ ]", "rows.json: the file holds no rows"),
    ("array of numbers", "rows.json", "[1, 2]", "rows.json:1: found a number, expected an array of JSON objects"),
    ("no JSON", "rows.jsonl", GOOD + "prompt: x\n", "rows.jsonl:2: this is no valid JSON"),
    ("one object over several lines", "rows.json", '{\n "prompt": "x"\n}\n', "rows.json:1: an object begins here and goes on over several lines"),
    ("no object", "rows.jsonl", GOOD + '"text"\n', "rows.jsonl:2: found a text, expected one JSON object a line"),
    ("a list as row", "rows.jsonl", GOOD + "[1]\n", "rows.jsonl:2: found a list, expected one JSON object a line"),
    ("a key twice", "rows.jsonl", '{"prompt": "a", "prompt": "b", "answer": "c"}\n', "rows.jsonl:1: key 'prompt' stands twice"),
    ("NaN", "rows.jsonl", '{"prompt": "a", "answer": NaN}\n', "rows.jsonl:1: NaN is no JSON value"),
    ("infinity", "rows.jsonl", '{"prompt": "a", "answer": -Infinity}\n', "rows.jsonl:1: -Infinity is no JSON value"),
    ("half a character", "rows.jsonl", '{"prompt": "\\ud83d", "answer": "x"}\n', "rows.jsonl:1: a text holds half a character"),
    ("nested too deep", "rows.jsonl", '{"prompt": ' + "[" * 100_000 + "\n", "rows.jsonl:1: lists or objects are nested too deep"),
    ("nested too deep in an array", "rows.json", "[" * 100_000, "rows.json:1: lists or objects are nested too deep"),
    ("a number without end", "rows.jsonl", '{"prompt": "a", "answer": ' + "9" * 5000 + "}\n", "rows.jsonl:1: this is no valid JSON"),
    ("unknown keys", "rows.jsonl", '{"promt": "a", "reply": "b"}\n', "rows.jsonl: no row format fits; columns found: promt, reply; expected messages; or prompt + completion"),
    ("a field missing", "rows.jsonl", GOOD * 2 + '{"prompt": "a"}\n', "rows.jsonl:3: field 'answer' is missing; every row needs prompt and answer"),
    ("an empty answer", "rows.jsonl", GOOD + '{"prompt": "a", "answer": ""}\n', "rows.jsonl:2: field 'answer' is empty"),
    ("an empty prompt", "rows.jsonl", GOOD + '{"prompt": " ", "answer": "b"}\n', "rows.jsonl:2: field 'prompt' is empty"),
    ("a number as prompt", "rows.jsonl", '{"prompt": 5, "answer": "b"}\n', "rows.jsonl:1: field 'prompt' is a number, expected text"),
    ("null as prompt", "rows.jsonl", '{"prompt": null, "answer": "b"}\n', "rows.jsonl:1: field 'prompt' is null, expected text"),
    ("a fraction as answer", "rows.jsonl", '{"prompt": "a", "answer": 0.5}\n', "rows.jsonl:1: field 'answer' is a number with a fraction (0.5), expected text or a whole number; put it in quotes"),
    ("a truth value as answer", "rows.jsonl", '{"prompt": "a", "answer": true}\n', "rows.jsonl:1: field 'answer' is true or false, expected text"),
    ("a list as answer", "rows.jsonl", '{"prompt": "a", "answer": ["b"]}\n', "rows.jsonl:1: field 'answer' is a list, expected text"),
    ("an object as reasoning", "rows.jsonl", '{"prompt": "a", "answer": "b", "cot": {}}\n', "rows.jsonl:1: field 'cot' is an object, expected text"),
    ("history of numbers", "rows.jsonl", '{"prompt": "a", "answer": "b", "history": [1]}\n', "rows.jsonl:1: field 'history[0]' is a number, expected an object"),
    ("messages as text", "rows.jsonl", '{"messages": "hi"}\n', "rows.jsonl:1: field 'messages' is text, expected a list of turns"),
    ("no turns", "rows.jsonl", '{"messages": []}\n', "rows.jsonl:1: field 'messages' does not end with an assistant turn"),
    ("an unknown role", "rows.jsonl", '{"messages": [{"role": "tool", "content": "x"}]}\n', "rows.jsonl:1: field 'messages[0]' has the role 'tool', expected one of system, user, assistant"),
    ("a turn without text", "rows.jsonl", '{"messages": [{"role": "user", "content": null}]}\n', "rows.jsonl:1: field 'messages[0]' has no text"),
    ("no user before the answer", "rows.jsonl", '{"messages": [{"role": "assistant", "content": "x"}]}\n', "rows.jsonl:1: field 'messages' has no user turn before the answer"),
    ("a late system turn", "rows.jsonl", '{"messages": [{"role": "user", "content": "x"}, {"role": "system", "content": "x"}, {"role": "assistant", "content": "x"}]}\n', "has a system turn that is not the first one"),
    ("one choice", "rows.jsonl", '{"question": "a", "choices": ["x"], "answer": "A"}\n', "rows.jsonl:1: field 'choices' has 1 entries, expected 2 to 26"),
    ("a choice twice", "rows.jsonl", '{"question": "a", "choices": ["x", "x"], "answer": "A"}\n', "rows.jsonl:1: field 'choices' names the same choice twice"),
    ("an answer beyond the choices", "rows.jsonl", '{"question": "a", "choices": ["x", "y"], "answer": "C"}\n', "rows.jsonl:1: field 'answer' is 'C', which names none of the 2 choices"),
    ("choices and labels of two lengths", "rows.jsonl", '{"question": "a", "choices": {"text": ["x", "y"], "label": ["A"]}, "answerKey": "B"}\n', "rows.jsonl:1: field 'choices' has 2 texts and 1 labels"),
    ("a field too many", "rows.csv", "prompt,answer\na,b\nc,d,e\n", "rows.csv:3: found 3 fields, the header has 2"),
    ("a field too few", "rows.csv", "prompt,answer\na\n", "rows.csv:2: found 1 field, the header has 2"),
    ("a quotation without end", "rows.csv", 'prompt,answer\na,b\n"c,d\ne,f\n', "rows.csv:3: the quotes do not match"),
    ("a column twice", "rows.csv", "prompt,answer,prompt\na,b,c\n", "rows.csv:1: the header names column 'prompt' twice"),
    ("semicolons", "rows.csv", "prompt;answer\na;b\n", "rows.csv:1: the columns seem to be parted by ';'"),
    ("a header alone", "rows.csv", "prompt,answer\n", "rows.csv: the file holds no rows"),
    ("no Parquet", "rows.parquet", GOOD, "rows.parquet: this is no Parquet file"),
    ("four bytes of Parquet", "rows.parquet", b"PAR1", "rows.parquet: the Parquet file is cut off or damaged"),
]  # fmt: skip


@pytest.mark.parametrize(
    ("name", "content", "sentence"), [row[1:] for row in FILES], ids=[row[0] for row in FILES]
)
def test_a_bad_file(tmp_path: Path, name: str, content: bytes | str, sentence: str) -> None:
    path = tmp_path / name
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    for read in (read_examples, lambda given: list(iter_examples(given))):
        with pytest.raises(DataError) as error:
            read(path)
        message = str(error.value)
        assert sentence in message
        assert message.startswith((str(path), name))  # the place comes first
        assert len(message.split("\n")) <= 4
        assert max(map(len, message.split("\n"))) < 700
    assert os.listdir(tmp_path) == [name]  # noqa: PTH208


@pytest.mark.parametrize("cut", [1, 8, 200, 3000])
def test_a_parquet_file_that_is_cut_off(tmp_path: Path, cut: int) -> None:
    path = tmp_path / "rows.parquet"
    path.write_bytes(parquet(cut))
    with pytest.raises(DataError, match=r"is cut off or damaged .*; write it again"):
        read_examples(path)


def test_a_parquet_file_with_damaged_pages(tmp_path: Path) -> None:
    data = bytearray(parquet(0))
    data[10:400] = bytes(390)
    path = tmp_path / "rows.parquet"
    path.write_bytes(data)
    with pytest.raises(DataError, match=re.escape("rows.parquet")):
        read_examples(path)


def test_no_file_at_all(tmp_path: Path) -> None:
    (tmp_path / "shots.jsonl").write_text(GOOD, encoding="utf-8")
    with pytest.raises(
        DataError, match=r"shot\.jsonl: there is no such file or folder; did you mean 'shots\.jsonl'\?"
    ):
        read_examples(tmp_path / "shot.jsonl")
    with pytest.raises(DataError, match="this is a folder"):
        read_examples(tmp_path)
    with pytest.raises(DataError, match="as there is no folder"):
        read_examples(tmp_path / "no" / "such" / "rows.jsonl")
    with pytest.raises(DataError, match=r"shots\.jsonl is no folder"):
        read_examples(tmp_path / "shots.jsonl" / "rows.jsonl")
    with pytest.raises(DataError):
        read_examples(tmp_path / ("x" * 5000))
    with pytest.raises(DataError):
        read_examples(tmp_path / "a\0b")


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="no such files here")
def test_a_pipe_is_not_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "rows.jsonl")
    with pytest.raises(DataError, match="this is no regular file"):
        read_examples(tmp_path / "rows.jsonl")
    os.mkfifo(tmp_path / "task.yaml")
    with pytest.raises(TaskError, match="this is no regular file"):
        Task.load(tmp_path / "task.yaml")


TASK = "version: 1\ntask: {type: TYPE}\nexamples: {path: shots.jsonl}\ntest: test.jsonl\n"
BAD_TASKS = [
    ("empty task file", "", None, None, "task.yaml: the file is empty"),
    ("aliases in a loop", "a: &a [*a]\n", None, None, "task.yaml:1: anchors (&) and aliases (*)"),
    ("aliases that grow", "a: &a [x, x]\nb: [*a, *a]\n", None, None, "task.yaml:1: anchors (&) and aliases (*)"),
    ("a tag that runs code", "a: !!python/object/apply:os.abort []\n", None, None, "task.yaml:1: tags (!)"),
    ("no YAML", "version: [1\n", None, None, "this is no valid YAML"),
    ("Latin-1", TASK.encode() + "# caf\xe9\n".encode("latin-1"), None, None, "task.yaml:5: the bytes are no UTF-8"),
    ("above 1 MB", TASK + "#" * 1_000_001, None, None, "task.yaml: the file has more than 1 MB"),
    ("an unknown key", TASK + "metrc: accuracy\n", None, None, "task.yaml:5: unknown key 'metrc'; did you mean 'metric'?"),
    ("a key twice", TASK + "version: 1\n", None, None, "task.yaml:5: key 'version' stands twice (first in line 1)"),
    ("a wrong type", TASK + "report: {seed: first}\n", None, None, "task.yaml:5: report.seed is 'first', expected a whole number"),
    ("a missing rows file", TASK, GOOD, None, "'test.jsonl': there is no such file or folder"),
    ("labels that do not match", TASK.replace("TYPE", "classification, labels: [three, four]"), GOOD, GOOD, "label '4' is none of three, four"),
    ("shots of one class", TASK.replace("TYPE", "classification"), GOOD * 2 + GOOD.replace("2", "1"), GOOD, "have the label '4'"),
    ("test rows without answers", TASK, GOOD, '{"prompt": "3 + 3?"}\n', "test.jsonl:1: the row has no answer"),
    ("shots among the test rows", TASK, GOOD, GOOD, "shots.jsonl:1 asks the same as test.jsonl:1"),
    ("no choices", TASK.replace("TYPE", "choice"), GOOD, GOOD, "the row has no choices"),
    ("k beyond the rows", TASK.replace("shots.jsonl", "shots.jsonl, k: 9"), GOOD, GOOD, "k is 9, but the file has 1 different rows"),
    ("too few rows to fold", TASK.replace("test: test.jsonl\n", ""), GOOD, None, "5 folds of 1 different rows"),
]  # fmt: skip


@pytest.mark.parametrize(
    ("text", "shots", "test", "sentence"), [row[1:] for row in BAD_TASKS], ids=[row[0] for row in BAD_TASKS]
)
def test_a_bad_task(
    tmp_path: Path, text: str | bytes, shots: str | None, test: str | None, sentence: str
) -> None:
    data = (
        text.replace("TYPE", "generation").encode()
        if isinstance(text, str)
        else text.replace(b"TYPE", b"generation")
    )
    (tmp_path / "task.yaml").write_bytes(data)
    for name, rows in (("shots", shots), ("test", test)):
        if rows is not None:
            (tmp_path / f"{name}.jsonl").write_text(rows, encoding="utf-8")
    before = sorted(os.listdir(tmp_path))  # noqa: PTH208
    with pytest.raises(InputError) as error:
        Task.load(tmp_path / "task.yaml")
    assert sentence in str(error.value)
    assert len(str(error.value).split("\n")) <= 4
    assert sorted(os.listdir(tmp_path)) == before  # noqa: PTH208


def test_no_task_file(tmp_path: Path) -> None:
    (tmp_path / "task.yaml").write_text(TASK, encoding="utf-8")
    with pytest.raises(
        TaskError, match=r"task\.yml: there is no such file or folder; did you mean 'task\.yaml'\?"
    ):
        Task.load(tmp_path / "task.yml")
    with pytest.raises(TaskError, match="this is a folder; give the task file in it"):
        Task.load(tmp_path)


def test_the_table_has_kinds_enough() -> None:
    assert len({row[0] for row in FILES} | {row[0] for row in BAD_TASKS}) >= 60
