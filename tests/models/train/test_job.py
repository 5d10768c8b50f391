"""Trainings that are written down, for launchers; two processes learn what one learns."""

from __future__ import annotations

import json
import os
import subprocess
import sys

import pytest
import tiny
import torch
from mixture_folders import mixture
from safetensors.torch import load_file

from kshot.errors import DataError, ModelError
from kshot.models.train.__main__ import main
from kshot.models.train.job import run_job

WEIGHTS = "adapter_model.safetensors"


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    folder = tmp_path_factory.mktemp("job")
    tiny.save(folder / "base", attention_dropout=0.0)
    mixture(folder, dropout=0.0)
    lines = [json.dumps({"prompt": row.prompt, "answer": row.answer}) for row in tiny.ROWS[:4]]
    (folder / "rows.jsonl").write_text("\n".join(lines))
    (folder / "held.jsonl").write_text(json.dumps({"prompt": "Peru", "answer": "Lima"}))
    return folder


def job(place, name, *, settings=None, **options):
    steps = {"steps": 3, "learning_rate": 1e-3, "batch_size": 4, "check_every": 1} | (settings or {})
    whole = {"base": "base", "rows": "rows.jsonl", "out": name, "settings": steps} | options
    path = place / f"{name}.json"
    path.write_text(json.dumps(whole))
    return path


def test_a_mixture_goes_on_learning(place, capsys):
    path = job(
        place, "one", start="mixture", held="held.jsonl", imports=["kshot.peft"],
        settings={"rates": [["router", 10]]}, template={"instruction": "Name the capital."},
    )  # fmt: skip
    assert main([str(path)]) == 0
    assert "one: 3 steps, loss" in capsys.readouterr().out
    assert (place / "one" / WEIGHTS).is_file()
    assert "| held-back rows | 1 |" in (place / "one" / "README.md").read_text()


def test_a_new_lora(place):
    result = run_job(job(place, "new", settings={"rank": 2, "target_modules": ["q_proj"]}))
    assert json.loads((result.folder / "adapter_config.json").read_text())["target_modules"] == ["q_proj"]


@pytest.mark.parametrize(
    ("options", "told"),
    [
        ({"bas": "x"}, "bas: Extra inputs are not permitted"),
        ({"settings": {"ranks": 3}}, "settings: 'ranks' is none of accumulation, alpha"),
        ({"settings": {"rank": 0}}, "training setting rank is 0"),
        ({"settings": {"rates": [["router"]]}}, "settings: not enough values"),
        ({"settings": {"learning_rate": "much"}}, "settings: .*str"),
        ({"imports": ["no.such.module"]}, "no.such.module cannot be imported"),
        ({"held": "held.jsonl"}, "held rows need a start"),
        ({"start": "mixture", "imports": [], "base": "nonesuch/x/y"}, "no such folder"),
    ],
)
def test_what_is_wrong_is_said(place, options, told):
    with pytest.raises(ModelError, match=told):
        run_job(job(place, "bad", **options))
    assert not (place / "bad").exists()


def test_bad_files(place, capsys):
    with pytest.raises(ModelError, match="cannot be read"):
        run_job(place / "none.json")
    (place / "broken.json").write_text("{")
    with pytest.raises(ModelError, match="Invalid JSON"):
        run_job(place / "broken.json")
    with pytest.raises(DataError):
        run_job(job(place, "bad", rows="none.jsonl"))
    assert main([str(place / "none.json")]) == 2
    assert "error: " in capsys.readouterr().err
    assert main([]) == 2
    assert main(["--help"]) == 0
    assert "accelerate launch" in capsys.readouterr().out


@pytest.mark.slow
def test_two_processes_learn_what_one_learns(place):
    """Gloo on the CPU; each process takes half of every batch, and the first one alone writes."""
    options = {"start": "mixture", "held": "held.jsonl", "imports": ["kshot.peft"]}
    alone, shared = (
        job(place, "alone", **options),
        job(place, "shared", settings={"batch_size": 2}, **options),
    )
    environment = os.environ | {"OMP_NUM_THREADS": "1", "PYTHONWARNINGS": "default"}
    launch = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc_per_node", "2"]
    for command in ([sys.executable], launch):
        path = shared if command is launch else alone
        done = subprocess.run(
            [*command, "-m", "kshot.models.train", str(path)],
            capture_output=True, text=True, env=environment, timeout=300,
        )  # fmt: skip
        assert done.returncode == 0, done.stderr
        assert done.stdout.count("3 steps") == 1
    one, two = load_file(place / "alone" / WEIGHTS), load_file(place / "shared" / WEIGHTS)
    assert one.keys() == two.keys()
    for key in one:
        torch.testing.assert_close(one[key], two[key], rtol=1e-4, atol=1e-5)
    losses = [
        [line for line in (place / name / "README.md").read_text().splitlines() if "loss" in line]
        for name in ("alone", "shared")
    ]
    for line, other in zip(*losses, strict=True):
        assert float(line.split("|")[2]) == pytest.approx(float(other.split("|")[2]), abs=1e-4)
