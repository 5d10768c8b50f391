"""Elastic fine-tuning as a whole, on the miniature's base: rows apart, resumed, placed in one move."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import textwrap
from dataclasses import replace

import pytest
import torch

from kshot import miniature
from kshot.data.example import Example
from kshot.data.formats import read_examples
from kshot.data.template import Template
from kshot.errors import InputError, ModelError
from kshot.models.hf.model import HfModel
from kshot.models.lora import LoraAdapter
from kshot.pipeline.elastic.job import ElasticJob, elastic_rows
from kshot.pipeline.elastic.row_values import judged
from kshot.pipeline.elastic.run import elastic

BASE = str(miniature.base_folder())
TRADE, REPEAT = Template(instruction="translate the trade words"), Template(instruction="repeat the words")
TASKS = miniature.data_folder() / "tasks"


def some(task: str, count: int, file: str = "shots") -> list[Example]:
    rows = read_examples(TASKS / task / f"{file}.jsonl").examples[:count]
    return [replace(row, reasoning=None) for row in rows]


def job(**changes) -> ElasticJob:
    """A quick one: 24 rows of one trade, a few steps."""
    given = {
        "base": BASE, "rows": some("single", 24), "template": TRADE, "general_template": REPEAT,
        "settings": {"steps": 6, "learning_rate": 1e-3, "batch_size": 8},
    }  # fmt: skip
    return ElasticJob(**given | changes)


def auto(**changes) -> ElasticJob:
    given = {
        "keep_general": "auto", "general": some("echo", 6), "test": some("single", 10, "test"),
        "general_test": some("echo", 6, "test"), "alphas": (0.0, 0.5, 1.0),
    }  # fmt: skip
    return job(**given | changes)


@pytest.fixture
def told():
    """What was told, in order."""
    events: list[tuple[str, dict]] = []

    def listen(event, **fields):
        events.append((event, fields))

    listen.events = events
    return listen


def kept(events) -> list[str]:
    return [fields["name"] for event, fields in events if event == "step" and fields["state"] == "kept"]


def test_auto_from_rows_to_a_folder(tmp_path, told):
    out = tmp_path / "mix"
    made = elastic(auto(keep_fine_tuned=tmp_path / "tuned"), out, listener=told)
    facts = json.loads((out / "elastic.json").read_text())
    assert facts == json.loads(json.dumps(made.facts))
    assert facts["rows"] | {"dropped": {}} == {
        "given": 24, "learned": 19, "held_back": 5, "general": 6, "test": 10, "general_test": 6,
        "dropped": {}, "too_long": 0,
    }  # fmt: skip
    assert facts["alpha"] == facts["sweep"]["chosen"]
    assert [(each["rows"], each["selection"]) for each in facts["scores"]] == [
        ("held-back rows", True), ("test", False), ("general rows", True), ("general test", False),
    ]  # fmt: skip
    assert all(set(each["models"]) == {"base", "fine-tuned", "mixed"} for each in facts["scores"])
    assert sorted(path.name for path in tmp_path.iterdir()) == ["mix", "tuned"]
    assert (out / "elastic.txt").read_text() == made.text
    assert made.text in (out / "README.md").read_text()
    assert "alpha" in (out / "alpha.html").read_text()
    mixed = HfModel.load(out, device="cpu")
    again = judged(mixed, some("single", 10, "test"), TRADE, metric="exact_match").losses.mean()
    assert facts["scores"][1]["models"]["mixed"]["loss"] == pytest.approx(again)
    assert {event for event, _ in told.events} >= {"training", "alpha", "judging", "step"}


def test_a_given_share_is_mixed_without_a_sweep_and_learns_from_all_rows(tmp_path, told):
    made = elastic(job(keep_general=0.25, keep_fine_tuned=tmp_path / "tuned"), tmp_path / "a", listener=told)
    assert made.facts["sweep"] is None
    assert made.facts["rows"]["learned"] == 24
    assert not (tmp_path / "a" / "alpha.html").exists()
    assert "nothing was measured" in made.text
    base, tuned, mixed = (
        HfModel.load(folder, device="cpu").model.state_dict()
        for folder in (BASE, tmp_path / "tuned", tmp_path / "a")
    )
    for name, weight in mixed.items():
        expected = (base[name] * 0.75 + tuned[name] * 0.25).to(torch.bfloat16).float()
        assert torch.equal(weight, expected), name
    assert any(not torch.equal(weight, base[name]) for name, weight in mixed.items())


def test_plain_fine_tuning_and_a_share_of_one_are_the_fine_tuned_model(tmp_path, told):
    plain = elastic(job(), tmp_path / "plain", listener=told)
    elastic(job(keep_general=1.0), tmp_path / "one", listener=told)
    assert plain.facts["alpha"] is None
    assert "no base mixed back" in plain.text
    files = [tmp_path / name / "model.safetensors" for name in ("plain", "one")]
    assert files[0].read_bytes() == files[1].read_bytes()


def test_a_lora_is_scaled_exactly_or_merged(tmp_path, told):
    asked = job(
        method="lora", keep_general=0.5, settings={"steps": 4, "rank": 4}, test=some("single", 4, "test")
    )
    made = elastic(replace(asked, keep_fine_tuned=tmp_path / "tuned"), tmp_path / "a", listener=told)
    tuned, half = (LoraAdapter.load(tmp_path / name) for name in ("tuned", "a"))
    assert half.norm() == pytest.approx(tuned.norm() / 2)
    assert half.cosine(tuned) == pytest.approx(1)
    base = HfModel.load(BASE, device="cpu")
    base.adapted(tmp_path / "a")
    merged = elastic(replace(asked, merge=True), tmp_path / "b", listener=told)
    assert (tmp_path / "b" / "config.json").is_file()
    one, other = (facts["scores"][0]["models"]["mixed"]["loss"] for facts in (made.facts, merged.facts))
    assert one == pytest.approx(other, abs=0.02)  # the merged model is stored in bfloat16


def test_the_same_job_again_gives_the_same_bytes_and_a_finished_one_is_found(tmp_path, told):
    first = elastic(auto(), tmp_path / "a", listener=told)
    other = elastic(auto(), tmp_path / "b", listener=told)
    for name in ("model.safetensors", "elastic.json", "README.md", "config.json"):
        assert (tmp_path / "a" / name).read_bytes() == (tmp_path / "b" / name).read_bytes(), name
    count = len(told.events)
    again = elastic(auto(), tmp_path / "a", listener=told)
    assert len(told.events) == count  # nothing was done
    assert again.facts == first.facts == other.facts
    with pytest.raises(ModelError, match="not empty"):
        elastic(auto(settings={"steps": 7}), tmp_path / "a", listener=told)


def test_a_killed_process_leaves_no_half_folder_and_is_carried_on(tmp_path, told, monkeypatch):
    """The trained model, the choice and the mix are found again; the bytes are an undisturbed run's."""
    code = textwrap.dedent(
        f"""
        import importlib.util, os, signal, sys
        from pathlib import Path
        import kshot.runs
        spec = importlib.util.spec_from_file_location("asked", {__file__!r})
        asked = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(asked)
        kshot.runs.code_hash = lambda: "fixed"
        def listen(event, **fields):
            if event == "judging":
                os.kill(os.getpid(), signal.SIGKILL)
        asked.elastic(asked.auto(), Path(sys.argv[1]), listener=listen)
        """
    )
    monkeypatch.setattr("kshot.runs.code_hash", lambda: "fixed")  # whatever else is edited meanwhile
    out = tmp_path / "mix"
    done = subprocess.run([sys.executable, "-c", code, str(out)], check=False, capture_output=True)
    assert done.returncode == -signal.SIGKILL, done.stderr.decode()[-2000:]
    assert [path.name for path in tmp_path.iterdir()] == [".mix.work"]
    elastic(auto(), out, listener=told)
    assert kept(told.events) == ["fine-tune", "alpha", "mix"]
    elastic(auto(), tmp_path / "whole", listener=lambda event, **fields: None)
    for name in ("model.safetensors", "elastic.json", "README.md"):
        assert (out / name).read_bytes() == (tmp_path / "whole" / name).read_bytes(), name
    assert sorted(path.name for path in tmp_path.iterdir()) == ["mix", "whole"]


def test_a_training_that_stops_begins_again(tmp_path, told):
    def stop(event, **fields):
        if event == "training" and fields["step"] == 3:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        elastic(job(), tmp_path / "mix", listener=stop)
    assert list(tmp_path.iterdir()) == []
    elastic(job(), tmp_path / "mix", listener=told)
    assert [fields["step"] for event, fields in told.events if event == "training"] == [1, 2, 3, 4, 5, 6]
    assert [path.name for path in tmp_path.iterdir()] == ["mix"]


def test_rows_are_apart():
    """No held-back row is learned from, none repeats a test row, and general rows do not either."""
    test, general_test = some("single", 3), some("echo", 2)
    twice = [Example("again again again", "x y z")] * 2
    asked = auto(
        rows=[*some("single", 24), *twice], test=test, general=some("echo", 6), general_test=general_test
    )
    parts = elastic_rows(asked, seed=0)
    questions = [row.question for row in (*parts.learned, *parts.held)]
    assert not {row.question for row in test} & set(questions)
    assert not {row.question for row in general_test} & {row.question for row in parts.general}
    assert not {row.question for row in parts.held} & {row.question for row in parts.learned}
    assert parts.dropped == {"row repeats test: equal": 3, "general row repeats general test: equal": 2}
    assert len(parts.learned) + len(parts.held) == 23
    assert len(parts.held) == 5
    assert elastic_rows(asked, seed=1).held != parts.held
    assert elastic_rows(replace(asked, rows=asked.rows[::-1]), seed=0).held == parts.held[::-1]


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"rows": []}, "no rows to learn from"),
        ({"keep_general": "auto"}, "give --general FILE"),
        ({"keep_general": 1.5}, "from 0 to 1, or auto"),
        ({"keep_general": float("nan")}, "from 0 to 1, or auto"),
        ({"held_back": 1.0}, "below 1"),
        ({"keep_general": "auto", "general": some("echo", 2), "held_back": 0.0}, "leave it out"),
        ({"merge": True}, "--full"),
        ({"settings": {"epochs": 0}}, "expected a positive number"),
        ({"metric": "macro_f1"}, "no number for each row"),
    ],
)
def test_a_job_that_makes_no_sense_is_refused(changes, sentence):
    with pytest.raises(InputError, match=sentence):
        job(**changes)


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"rows": some("single", 1)}, "give 6 rows or more"),
        ({"rows": some("single", 5)}, "give 6 rows or more"),
        ({"rows": some("single", 9), "test": some("single", 9)}, "all 9 rows repeat test or general rows"),
        ({"general_test": some("echo", 6)}, "nothing is left to choose by"),
        ({"base": "nowhere/at/all"}, "no such folder"),
        ({"settings": {"steps": 4, "learning_rate": 1e30}}, "lower the learning rate"),
    ],
)
def test_what_cannot_be_done_leaves_no_result(tmp_path, told, changes, sentence):
    with pytest.raises(InputError, match=sentence):
        elastic(auto(**changes), tmp_path / "out", listener=told)
    assert list(tmp_path.iterdir()) == []
