"""``kshot mix``: the command line from models to a folder, and what it refuses."""

from __future__ import annotations

import io
import json
import os
import shutil
import sys
from contextlib import redirect_stderr, redirect_stdout
from dataclasses import dataclass
from pathlib import Path

import pytest
from mix_folders import family

from kshot.cli import main

SHOTS = [{"input": f"The capital of country {n}?", "output": f"Lima {n}"} for n in range(4)]


@dataclass(frozen=True)
class Done:
    """What the verb printed, and how it ended."""

    code: int
    out: str
    err: str


def kshot(*words: object) -> Done:
    """The command line in this process, as imports take seconds."""
    out, err = io.StringIO(), io.StringIO()
    with pytest.MonkeyPatch.context() as patch, redirect_stdout(out), redirect_stderr(err):
        patch.setattr(sys, "argv", ["kshot", "mix", *map(str, words)])
        with pytest.raises(SystemExit) as ended:
            main()
    return Done(int(ended.value.code or 0), out.getvalue(), err.getvalue())


@pytest.fixture(scope="module")
def models(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    """A base and two fine-tunes."""
    return family(tmp_path_factory.mktemp("family"))


@pytest.fixture(scope="module")
def shots(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Four labelled examples."""
    file = tmp_path_factory.mktemp("shots") / "shots.jsonl"
    file.write_text("".join(json.dumps(row) + "\n" for row in SHOTS))
    return file


def test_by_hand(models, tmp_path) -> None:
    done = kshot(*models, "--weights", "0.5,0.3,0.2", "--out", tmp_path / "out")
    assert done.code == 0, done.err
    assert "0.3000" in done.out
    assert done.out.rstrip().endswith("out")
    card = (tmp_path / "out" / "README.md").read_text()
    assert "--weights 0.5,0.3,0.2" in card


def test_from_shots_with_a_page(models, shots, tmp_path) -> None:
    page = tmp_path / "page.html"
    done = kshot(
        *models, "--examples", shots, "--temperature", "5", "--out", tmp_path / "out", "--report", page
    )
    assert done.code == 0, done.err
    assert "95 % interval" in done.out
    assert "selection score" in done.out
    assert "uniform" in done.out
    assert "<html" in page.read_text()


def test_json_is_one_object(models, shots, tmp_path) -> None:
    done = kshot(*models, "--examples", shots, "--out", tmp_path / "out", "--json")
    told = json.loads(done.out)
    assert [member["form"] for member in told["members"]] == ["model"] * 3
    assert len(told["losses"]) == 3
    assert told["wrote"].startswith("wrote")


def test_dry_run_writes_nothing_and_says_what_it_would(models, tmp_path) -> None:
    done = kshot(*models, "--weights", "0.5,0.3,0.2", "--dry-run", "--out", tmp_path / "out")
    assert done.code == 0, done.err
    assert "reads" in done.out
    assert not (tmp_path / "out").exists()
    told = json.loads(kshot(*models, "--weights", "0.5,0.3,0.2", "--dry-run", "--json").out)
    assert told["kind"] == "decoder"


def test_dry_run_of_what_does_not_fit_ends_with_two(models, tmp_path) -> None:
    other = family(tmp_path, "gpt2", count=1)[0]
    done = kshot(models[0], other, "--weights", "0.5,0.5", "--dry-run")
    assert done.code == 2
    assert "refused:" in done.out
    assert done.err.startswith("kshot: ")


def test_layers_by_pattern(models, tmp_path) -> None:
    words = ("--weights", "0.5,0.5", "--layer", "model.layers.0.*=0,1", "--out", tmp_path / "out")
    done = kshot(*models[:2], *words)
    assert done.code == 0, done.err
    assert "model.layers.0" in (tmp_path / "out" / "README.md").read_text()


@pytest.mark.parametrize("operation", ["slerp", "task_arithmetic", "ties", "dare"])
def test_other_operations(models, tmp_path, operation) -> None:
    weights = "0.5,0.5" if operation == "slerp" else "0,1"
    done = kshot(*models[:2], "--weights", weights, "--operation", operation, "--out", tmp_path / "out")
    assert done.code == 0, done.err
    assert (
        f"operation {operation.replace('_', chr(92) + '_')}" in (tmp_path / "out" / "README.md").read_text()
    )


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["{0}", "{1}", "--weights", "0.5,0.5"], "--out is missing"),
        (["{0}", "{1}", "--out", "{tmp}/out"], "give --examples FILE"),
        (["{0}", "{1}", "--weights", "0.5,0.6", "--out", "{tmp}/out"], "1.1"),
        (["{0}", "{1}", "--weights", "0.5", "--out", "{tmp}/out"], "for 2 models"),
        (["{0}", "{1}", "--weights", "a,b", "--out", "{tmp}/out"], "expected numbers"),
        (["{0}", "{1}", "--weights", "nan,1", "--out", "{tmp}/out"], "no finite number"),
        (["{0}", "{1}", "--weights", "1,0", "--layer", "x", "--out", "{tmp}/out"], "PATTERN=WEIGHTS"),
        (["{0}", "{1}", "--weights", "1,0", "--layer", "nothing.*=0,1", "--out", "{tmp}/out"], "nothing."),
        (["{0}", "{1}", "--weights", "1,0", "--operation", "magic", "--out", "{tmp}/out"], "magic"),
        (["{0}", "{1}", "--weights", "1,0", "--dtype", "int4", "--out", "{tmp}/out"], "int4"),
        (["{0}", "{1}", "--weights", "1,0", "--kind", "poet", "--out", "{tmp}/out"], "poet"),
        (["{0}", "{1}", "--examples", "{tmp}/none.jsonl", "--out", "{tmp}/out"], "none.jsonl"),
        (["{0}", "{1}", "--examples", "{shots}", "--temperature", "hot", "--out", "{tmp}/out"], "hot"),
        (["{0}", "{1}", "--examples", "{shots}", "--temperature", "-1", "--out", "{tmp}/out"], "above 0"),
        (["{0}", "{tmp}/nowhere", "--weights", "1,0", "--out", "{tmp}/out"], "nowhere"),
        (["{0}", "{tmp}", "--weights", "1,0", "--out", "{tmp}/out"], "config.json"),
        (["--out", "{tmp}/out"], "no model to mix"),
        (["{0}", "{1}", "--weights", "1,0", "--out", "{0}"], "not empty"),
        (["{0}", "{1}", "--weights", "0.5,0.6", "--dry-run"], "1.1"),
        (["{0}", "{1}", "--weights", "1", "--dry-run"], "for 2 models"),
        (["{0}", "{1}", "--weights", "1,0", "--layer", "nothing.*=0,1", "--dry-run"], "nothing."),
        (["{0}", "{1}", "--weights", "1,0", "--operation", "magic", "--dry-run"], "magic"),
        (["{0}", "{1}", "--weights", "1,0", "--adapter", "--dtype", "float32", "--dry-run"], "full models"),
        (["{0}", "{1}", "--weights", "1,0", "--adapter", "--layer", "a=0,1", "--dry-run"], "full models"),
        (["{0}", "{1}", "--weights", "1,0", "--adapter", "--dry-run"], "full models"),
        (["--base", "{0}", "--weights", "1", "--adapter", "--out", "{tmp}/out"], "none is given"),
        (["{0}", "{1}", "--weights", "1,0", "--threads", "0", "--out", "{tmp}/out"], "threads"),
        (["{0}", "{1}", "--weights", "1,0", "--out", "{tmp}/out", "--report", "{tmp}/out"], "lies in --out"),
        (
            ["{0}", "{1}", "--weights", "1,0", "--out", "{tmp}/out", "--report", "{tmp}/a/b"],
            "another --report",
        ),
        (["{0}", "{1}", "--weights", "1,0", "--dry-run", "--out", "{0}"], "not empty"),
        (["{0}", "{1}", "--weights", "1,0", "--layer", "*=", "--out", "{tmp}/out"], "--layer '*='"),
        (["{0}", "{1}", "--weights", "1,0", "--layer", "*=nan,1", "--out", "{tmp}/out"], "--layer '*=nan,1'"),
        (["{0}", "{1}", "--examples", "{shots}", "--temperature", "inf", "--out", "{tmp}/out"], "above 0"),
        (["{0}", "{1}", "--examples", "{shots}", "--device", "cuda:99", "--out", "{tmp}/out"], "cuda:99"),
    ],
)
def test_refused_in_one_sentence(models, shots, tmp_path, words, message) -> None:
    known = {"tmp": tmp_path, "shots": shots}
    done = kshot(*(word.format(*models, **known) for word in words))
    assert done.code == 2, done.out + done.err
    assert message in done.err
    assert "Traceback" not in done.err
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("", "the file is empty"),
        ("{}\n", "answer"),
        ('{"input": "a"}\n', "output"),
        ('{"input": 3, "output": []}\n', "input"),
        ('{"query": "q", "pos": ["p"], "neg": ["n"]}\n', "decoder needs prompts with answers"),
    ],
)
def test_bad_examples(models, tmp_path, content, message) -> None:
    file = tmp_path / "rows.jsonl"
    file.write_text(content)
    done = kshot(*models, "--examples", file, "--out", tmp_path / "out")
    assert done.code == 2
    assert message in done.err
    assert "Traceback" not in done.err
    assert not (tmp_path / "out").exists()


def test_a_page_that_cannot_be_written_tells_where_the_mix_is(models, tmp_path, monkeypatch) -> None:
    def fail(self, file):
        raise FileNotFoundError(2, "No such file or directory", str(file))

    monkeypatch.setattr("kshot.pipeline.mix.Mixed.write_page", fail)
    done = kshot(
        *models[:2], "--weights", "1,0", "--out", tmp_path / "out", "--report", tmp_path / "page.html"
    )
    assert done.code == 2
    assert "page.html: cannot be written" in done.err
    assert "the mix is done" in done.err
    assert (tmp_path / "out" / "model.safetensors").exists()


@pytest.mark.parametrize("name", [os.fsdecode(b"caf\xe9"), "a b|`\"'\n<i>", "\u202eשלום"])
def test_any_name_of_a_folder(models, tmp_path, name) -> None:
    shutil.copytree(models[1], tmp_path / name)
    out, page = tmp_path / f"out {name}", tmp_path / "page.html"
    done = kshot(models[0], tmp_path / name, "--weights", "1,0", "--out", out, "--report", page)
    assert done.code == 0, done.err
    assert json.loads((out / "kshot_mix.json").read_text())["members"][1]["name"] == str(tmp_path / name)
    assert "Traceback" not in done.err


def test_terminal_codes_in_names_have_no_effect(models, tmp_path) -> None:
    done = kshot("\x1b[31mred/a/b", models[0], "--weights", "1,0", "--out", tmp_path / "out")
    assert done.code == 2
    assert "\x1b" not in done.err
