# ruff: noqa: E501 - tables of cases, one case a line
"""The task file: what it may hold, and what is said of what it may not."""

import json
import os
from pathlib import Path

import pytest

from kshot.data.taskfile.file import TaskFile, json_schema, load_task_file, task_file_of
from kshot.data.taskfile.yaml_tree import parse_yaml
from kshot.errors import TaskError

MINIMAL = "version: 1\ntask: {type: generation}\nexamples: {path: shots.jsonl}\n"
FULL = """\
version: 1
task:
  name: moods
  type: classification
  instruction: What is the mood?
  labels: [yes, no, 3rd]
  reasoning: answer_last
examples: {path: shots.jsonl, k: 20, seed: 7, format: text_label, columns: {prompt: tweet}}
test: {path: data/test.csv, limit: 100, seed: 3}
metric: accuracy
model: {base: models/base, revision: main, dtype: bfloat16, device: cpu, template: plain, max_new_tokens: 8, batch_tokens: 512}
embedder: all-MiniLM-L6-v2
knowledge:
  adapters: [bank, owner/adapter]
  models: [owner/model]
  datasets: [open.jsonl]
  llm: {base_url: "http://localhost:8000/v1", model: big, api_key_env: BIG_KEY}
  expert: owner/expert
systems: [majority, zero-shot]
budget: {minutes: 10, calls: 100, tokens: 100000, usd: 0.5}
report: {margin: 0.01, seed: 5}
miniature: true
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for name in ("shots.jsonl", "open.jsonl", "data/test.csv", "models/base/config.json", "bank/a.json"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text("x", encoding="utf-8")
    return tmp_path


def load(folder: Path, text: str, name: str = "task.yaml") -> TaskFile:
    (folder / name).write_text(text, encoding="utf-8")
    return load_task_file(folder / name)


def fault(folder: Path, text: str) -> str:
    with pytest.raises(TaskError) as error:
        load(folder, text)
    return str(error.value)


def test_the_shortest_task_file_has_all_defaults(folder: Path) -> None:
    found = load(folder, MINIMAL, "sums.yaml")
    assert (found.name, found.chosen_metric, found.embedder, found.model, found.test) == (
        "sums", "exact_match", "hashing", None, None,
    )  # fmt: skip
    assert (found.folds.count, found.folds.repeats, found.report.margin, found.examples.k) == (
        5,
        3,
        0.02,
        None,
    )
    assert (found.systems, found.knowledge.adapters, found.budget.minutes, found.miniature) == (
        (),
        (),
        None,
        False,
    )


def test_every_key_is_read(folder: Path) -> None:
    found = load(folder, FULL)
    assert found.task.labels == ("yes", "no", "3rd")  # YAML 1.1 would read true and false
    assert found.test is not None
    assert (found.test.path, found.test.limit, found.examples.columns) == (
        "data/test.csv",
        100,
        {"prompt": "tweet"},
    )
    assert found.knowledge.llm is not None
    assert (found.knowledge.llm.api_key_env, found.budget.minutes) == ("BIG_KEY", 10.0)


def test_a_test_file_may_be_named_alone(folder: Path) -> None:
    found = load(folder, MINIMAL + "test: data/test.csv\n")
    assert found.test is not None
    assert (found.test.path, found.test.format, found.test.limit) == ("data/test.csv", "auto", None)


@pytest.mark.parametrize(
    ("type_", "metric"),
    [
        ("classification", "macro_f1"),
        ("choice", "choice"),
        ("generation", "exact_match"),
        ("extraction", "token_f1"),
    ],
)
def test_the_metric_follows_the_type(folder: Path, type_: str, metric: str) -> None:
    assert load(folder, MINIMAL.replace("generation", type_)).chosen_metric == metric


def test_a_metric_of_your_own_lies_beside_the_file(folder: Path) -> None:
    (folder / "judge.py").write_text("", encoding="utf-8")
    found = load(folder, MINIMAL + "metric: judge.py:score\n")
    assert found.chosen_metric == f"{folder.absolute() / 'judge.py'}:score"
    with pytest.raises(
        TaskError, match=r"task\.yaml:4: metric 'jugde\.py:score': .*did you mean 'judge\.py'"
    ):
        _ = load(folder, MINIMAL + "metric: jugde.py:score\n").chosen_metric


@pytest.mark.parametrize(
    ("name", "says"),
    [
        ("m.py", r"m\.py is a folder; expected file\.py:function$"),
        ("pipe.py", r"pipe\.py is no ordinary file; expected"),
        ("x" * 300 + ".py", "there is no such file or folder$"),
        ("~nobody-of-this-name/m.py", "there is no such file"),
    ],
)
def test_a_metric_that_is_no_file(folder: Path, name: str, says: str) -> None:
    (folder / "m.py").mkdir()
    os.mkfifo(folder / "pipe.py")
    with pytest.raises(TaskError, match=says):
        _ = load(folder, MINIMAL + f"metric: {name}:score\n").chosen_metric


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (MINIMAL + "exampels: 1\n", "task.yaml:4: unknown key 'exampels'; did you mean 'examples'?"),
        (MINIMAL + "model:\n  bsae: x\n", "task.yaml:5: unknown key 'bsae' under 'model'; did you mean 'base'?"),
        (MINIMAL + "labels: [a, b]\n", "task.yaml:4: unknown key 'labels'; it stands under 'task'"),
        (MINIMAL + "zzz: 1\n", "task.yaml:4: unknown key 'zzz'; known are version, task, examples"),
        ("task: {type: generation}\nexamples: {path: shots.jsonl}\n", "task.yaml:1: key 'version' is missing; every task file needs it: version: 1"),
        ("version: 1\ntask:\n  name: x\nexamples: {path: shots.jsonl}\n", "task.yaml:2: key 'task.type' is missing"),
        (MINIMAL.replace("version: 1", "version: 2"), "task.yaml:1: version is 2, expected 1"),
        (MINIMAL.replace("generation", "regression"), "task.yaml:2: task.type is 'regression', expected classification, choice, generation or extraction"),
        (MINIMAL.replace("}\n", ", k: ten}\n").replace("generation, k: ten", "generation"), "task.yaml:3: examples.k is 'ten', expected a whole number"),
        (MINIMAL.replace("shots.jsonl", "shots.jsonl, k: 0"), "task.yaml:3: examples.k is 0, expected a number greater than or equal to 1"),
        (MINIMAL.replace("shots.jsonl", "shots.jsonl, k: true"), "task.yaml:3: examples.k is true, expected a whole number"),
        (MINIMAL + "systems: majority\n", "task.yaml:4: systems is 'majority', expected a list"),
        (MINIMAL + "report:\n  margin: .inf\n", "task.yaml:5: report.margin is '.inf', expected a number"),
        (MINIMAL + "report:\n  margin: 1e999\n", "task.yaml:5: report.margin is inf, expected a finite number"),
        (MINIMAL + "test: data/test.csv\nfolds: {count: 3}\n", "both test and folds are given"),
        (MINIMAL.replace("generation}", "classification, labels: [a, b, a]}"), "label 'a' stands twice"),
        (MINIMAL.replace("generation}", 'classification, labels: ["a ", b]}'), "a label is empty or has white space"),
        (MINIMAL.replace("generation}", "classification, labels: [a]}"), "one label only"),
        (MINIMAL.replace("generation}", "classification, labels: [true, false]}"), "task.labels.0 is true, expected text (put it in quotes)"),
        (MINIMAL.replace("shots.jsonl", "shosts.jsonl"), "task.yaml:3: 'shosts.jsonl': there is no such file or folder; did you mean 'shots.jsonl'?"),
        (MINIMAL + "model: {base: ./models/bsae}\n", "task.yaml:4: './models/bsae': there is no such file or folder; did you mean 'base'?"),
        (MINIMAL + "model: {base: modles/deep/base}\n", "did you mean 'models'?"),
        (MINIMAL + "model: {base: two words}\n", "neither an existing path nor a hub id"),
        ("- a\n", "found no keys, expected version, task, examples"),
    ],
)  # fmt: skip
def test_a_wrong_file_is_told_with_its_line(folder: Path, text: str, message: str) -> None:
    assert message in fault(folder, text)


def test_findings_come_in_the_order_of_lines_and_are_counted(folder: Path) -> None:
    text = "version: 1\nzza: 1\nzzb: 1\ntask: {type: generation}\nzzc: 1\nexamples: {path: shots.jsonl}\nzzd: 1\n"
    lines = fault(folder, text).split("\n")
    assert [line.split(":")[1] for line in lines[:3]] == ["2", "3", "5"]
    assert lines[3] == "... and 1 more of 4"


SECRET = "sk-proj-" + "a1B2" * 8


@pytest.mark.parametrize(
    "text",
    [
        "knowledge: {llm: {base_url: http://x/v1, model: m, api_key: VALUE}}",
        "knowledge: {llm: {base_url: http://x/v1, model: m, api_key_env: VALUE}}",
        "knowledge: {llm: {base_url: http://x/v1, model: m, api_key_env: abcdefVALUE}}",
        "knowledge: {llm: {base_url: http://user:VALUE@x/v1, model: m}}",
        'knowledge: {llm: {base_url: "http://x/v1?key=VALUE", model: m}}',
        "knowledge: {llm: VALUE}",
        "hf_token: VALUE",
        "password: VALUE",
        "model: {base: VALUE/../..}",
        "metric: VALUE",
    ],
)
def test_secrets_are_refused_and_never_shown(folder: Path, text: str) -> None:
    message = fault(folder, MINIMAL + text.replace("VALUE", SECRET) + "\n")
    assert SECRET not in message
    assert SECRET[8:] not in message
    assert message.startswith("task.yaml:4: ")


@pytest.mark.parametrize(
    "value", ["tr0ub4dor-and-3", "hunter2", "AKIAIOSFODNN7EXAMPLE", "FA86D081884C7D659A2FEAA0C55AD015"]
)
def test_keys_of_other_forms_are_no_variable_names(folder: Path, value: str) -> None:
    line = f"knowledge: {{llm: {{base_url: http://x/v1, model: m, api_key_env: {value}}}}}"
    message = fault(folder, MINIMAL + line + "\n")
    assert value not in message


@pytest.mark.parametrize(
    "text",
    [
        "knowledge: {llm: {base_url: http://x/v1, model: m, api_key: hunter2}}",
        "knowledge: {llm: {base_url: http://user:hunter2@x/v1, model: m}}",
        "knowledge: {llm: {base_url: http://hunter2@x/v1, model: m}}",
        'knowledge: {llm: {base_url: "http://x/v1?key=hunter2", model: m}}',
        "token: hunter2",
        "hf_token: hunter2",
        "password: hunter2",
        "client_secret: hunter2",
    ],
)
def test_places_for_secrets_are_refused_whatever_stands_there(folder: Path, text: str) -> None:
    message = fault(folder, MINIMAL + text + "\n")
    assert "hunter2" not in message
    assert "not shown" in message


def test_words_about_tokens_are_no_secrets(folder: Path) -> None:
    message = fault(folder, MINIMAL + "model: {max_new_token: 3}\n")
    assert "did you mean 'max_new_tokens'?" in message


@pytest.mark.parametrize("url", ["localhost:8000", "file:///etc/passwd", "http://", "http://[", ""])
def test_an_endpoint_has_a_web_address(folder: Path, url: str) -> None:
    line = f'knowledge: {{llm: {{base_url: "{url}", model: m}}}}'
    assert "expected a URL that begins with http" in fault(folder, MINIMAL + line + "\n")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("a: &x [*x]", "task.yaml:1: anchors (&) and aliases (*)"),
        ("a: &x 1\nb: *x", "task.yaml:1: anchors (&) and aliases (*)"),
        ("b: *x", "task.yaml:1: anchors (&) and aliases (*)"),
        ("a: 1\nb: !!python/object/apply:os.getcwd []", "task.yaml:2: tags (!)"),
        ("a: ! 1", "task.yaml:1: tags (!)"),
        ("a: 1\nb:\n  c: 1\n  c: 2", "task.yaml:4: key 'c' stands twice (first in line 3)"),
        ("a: 1\n---\nb: 1", "task.yaml:2: a second document"),
        ("a: [1,\n  2", "this is no valid YAML"),
        ("[" * 100_000, "nested more than 32 deep"),
        ("- a\n" * 30_000, "more than 20000 keys and values"),
        ("? [a, b]\n: 1", "task.yaml:1: a key is a list or a mapping"),
        ("a: 1\nb: \0", "task.yaml:2: a control character"),
        ('a: "\\ud800"', "half a character"),
        ("", "the file is empty"),
        ("# nothing\n", "the file is empty"),
    ],
)
def test_yaml_is_read_strictly(text: str, message: str) -> None:
    with pytest.raises(TaskError) as error:
        parse_yaml(text, name="task.yaml")
    assert message in str(error.value)
    assert str(error.value).count("\n") == 0


def test_scalars_follow_yaml_1_2() -> None:
    text = (
        "a: no\nb: 010\nc: 1e-3\nd: 2024-01-01\ne: 12:30\nf: 'true'\ng: True\nh: ~\ni:\nj: 0x10\nk: -3\nl: .5"
    )
    assert parse_yaml(text, name="t").value == {
        "a": "no", "b": 10, "c": 0.001, "d": "2024-01-01", "e": "12:30", "f": "true", "g": True, "h": None,
        "i": None, "j": "0x10", "k": -3, "l": 0.5,
    }  # fmt: skip


def test_resolve_takes_what_exists_and_else_a_hub_id(folder: Path) -> None:
    found = load(folder, FULL)
    assert found.resolve("bank") == folder / "bank"
    assert found.resolve(str(folder / "bank")) == folder / "bank"
    assert found.resolve("owner/adapter") == "owner/adapter"
    assert found.resolve("gpt2") == "gpt2"
    for value in ("./bank2", "/no/such/place", "~/no-such-file-here", "a/b/c", "x" * 5000 + "/.."):
        with pytest.raises(TaskError, match=r"there is no such file|neither an existing path"):
            found.resolve(value)


def test_absolute_settings_come_back_wherever_they_lie(
    folder: Path, tmp_path_factory: pytest.TempPathFactory
) -> None:
    (folder / "judge.py").write_text("", encoding="utf-8")
    found = load(folder, FULL.replace("accuracy", "judge.py:score"))
    elsewhere = json.loads(json.dumps(found.absolute()))
    again = TaskFile.from_absolute(elsewhere)
    assert again.absolute() == elsewhere
    assert again.resolve(again.examples.path) == (folder / "shots.jsonl").absolute()
    assert (again.name, again.chosen_metric) == (found.name, found.chosen_metric)
    assert again.knowledge.adapters == (str((folder / "bank").absolute()), "owner/adapter")
    assert again.model_dump(exclude={"examples", "test", "model", "knowledge", "metric"}) == found.model_dump(
        exclude={"examples", "test", "model", "knowledge", "metric"}
    )
    unnamed = load(folder, MINIMAL, "sums.yaml")
    assert TaskFile.from_absolute(unnamed.absolute()).name == "sums"


def test_a_draw_may_be_overridden(folder: Path) -> None:
    found = load(folder, FULL)
    assert found.with_draw() is found
    other = found.with_draw(k=3, seed=9)
    assert (other.examples.k, other.examples.seed, other.folder) == (3, 9, found.folder)
    assert other.model_dump(exclude={"examples"}) == found.model_dump(exclude={"examples"})
    with pytest.raises(TaskError, match=r"examples\.k is 0"):
        found.with_draw(k=0)


def test_settings_never_change(folder: Path) -> None:
    found = load(folder, FULL)
    with pytest.raises(ValueError, match="frozen"):
        found.metric = "accuracy"


def test_python_mappings_are_checked_alike() -> None:
    with pytest.raises(TaskError, match="settings:1: unknown key 'taks'"):
        task_file_of({"version": 1, "examples": {"path": "x"}, "task": {"type": "choice"}, "taks": 1})


def test_the_schema_accepts_both_forms_of_test() -> None:
    schema = json_schema()
    assert schema["additionalProperties"] is False
    kinds = [entry.get("type") or entry["$ref"] for entry in schema["properties"]["test"]["anyOf"]]
    assert kinds == ["string", "#/$defs/HeldOutSection", "null"]
    assert set(schema["properties"]) == set(TaskFile.model_fields)
    json.dumps(schema)


def test_the_cocktail_section(folder: Path) -> None:
    assert load(folder, MINIMAL).cocktail.model_dump() == {
        "temperature": "auto",
        "size": 10,
        "search_evaluations": 200,
    }
    chosen = load(folder, MINIMAL + "cocktail: {temperature: 0.5, size: 2}\n").cocktail
    assert (chosen.temperature, chosen.size) == (0.5, 2)
    for wrong in ("temperature: 0", "temperature: warm", "size: 1", "search_evaluations: 0", "heat: 1"):
        assert "cocktail" in fault(folder, MINIMAL + f"cocktail: {{{wrong}}}\n")
