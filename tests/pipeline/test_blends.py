"""Systems of experts and open data, built by a run on the miniature with little training."""

import hashlib
import json
import shutil
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest
import yaml

from kshot import miniature
from kshot.data.example import Example
from kshot.data.task import Task
from kshot.errors import RunError
from kshot.models.base import System
from kshot.pipeline.blends import BLENDS, MIXTURE
from kshot.pipeline.recipes import chosen, missing, table
from kshot.pipeline.run import Finished, run_task
from kshot.pipeline.soups.table import SOUPS
from kshot.pipeline.specialist import _card, ask_again
from kshot.pipeline.workbench import Workbench
from kshot.runs import Run

SYSTEMS = [
    "zero-shot",
    "mixture",
    "uniform merge",
    "static mixture",
    "LoRA on shots and data",
    "random expert",
]
EXPERTS = ("brewer-lora", "mason-lora", "smith-lora", "dyer-lora")


def deaf(event, **fields):
    """Hears nothing."""


def write_task(folder: Path, **sections) -> Path:
    """The mixed task with four adapters, 20 test rows and a tenth of an epoch."""
    data = miniature.data_folder()
    settings = yaml.safe_load(miniature.task_file("mixed").read_text(encoding="utf-8"))
    settings["examples"]["path"] = str(data / "tasks/mixed/shots.jsonl")
    settings["test"] = {"path": str(data / "tasks/mixed/test.jsonl"), "limit": 20}
    settings["model"]["base"] = str(data / "base")
    settings["knowledge"] = {
        "adapters": [str(data / "bank" / name) for name in EXPERTS],
        "datasets": [str(data / "open/rows.jsonl")],
    }
    settings |= {
        "systems": SYSTEMS,
        "experts": {"size": 3},
        "data": {"count": 200},
        "mixture": {"epochs": 0.1, "rehearse": 64},
    } | sections
    (folder / "task.yaml").write_text(yaml.safe_dump(settings), encoding="utf-8")
    return folder / "task.yaml"


@pytest.fixture(scope="module")
def finished(tmp_path_factory) -> Finished:
    folder = tmp_path_factory.mktemp("blends")
    return run_task(Task.load(write_task(folder)), folder / "run", listener=deaf)


def bench(folder: Path, **sections) -> Workbench:
    return Workbench(Task.load(write_task(folder, **sections)), Run(folder / "run", listener=deaf))


def test_every_asked_system_is_on_the_leaderboard(finished):
    names = {system.name for system in finished.report.systems}
    assert names == set(SYSTEMS)
    kinds = {system.name: system.kind for system in finished.report.systems}
    assert (kinds["mixture"], kinds["uniform merge"], kinds["LoRA on shots and data"]) == (
        "mixture",
        "merge",
        "trained",
    )


def test_the_report_shows_experts_data_router_and_training(finished):
    seen = finished.report.knowledge
    assert seen is not None
    assert [row.name for row in seen.experts.experts if row.chosen] == list(seen.router.experts)
    assert seen.experts.k == 20
    assert seen.data.counts["kept"] > 100
    assert seen.data.counts["guard"] >= 10  # the planted copies of shots
    assert len(seen.router.modules) == 21
    assert {training.system for training in seen.training} == {
        "mixture",
        "static mixture",
        "LoRA on shots and data",
    }
    assert seen.agreement is None  # no single adapter was asked


def test_no_test_row_was_learned_from(finished):
    test = {row.prompt for row in finished.report.rows}
    learned = [*finished.folder.glob("steps/chosen-data/*/chosen.jsonl")]
    learned += finished.folder.glob("steps/rehearsal/*/rows.jsonl")
    lines = [line for file in learned for line in file.read_text(encoding="utf-8").splitlines()]
    prompts = [json.loads(line)["prompt"] for line in lines]
    assert len(learned) == 4  # one choice of data, three experts
    assert len(prompts) > 100
    assert not [prompt for prompt in prompts if prompt.split("\n")[-1] in test]


def test_the_card_of_a_mixture_says_what_peft_needs(finished, tmp_path):
    answering = SimpleNamespace(id="model")
    for kind, wanted in (("mixture", True), ("trained", False)):
        system = System("a name", kind, answering, lambda row: ())
        card = _card(bench(tmp_path), finished.report, system, ["adapter_model.safetensors"])
        assert ("import kshot.peft" in card) is wanted


def test_a_second_process_gives_the_same_bytes(finished, tmp_path):
    again = run_task(Task.load(write_task(tmp_path)), tmp_path / "run", listener=deaf)
    for name in ("mixture", "static mixture", "LoRA on shots and data"):
        file = finished.report.provenance["predictions"][name]
        assert (again.folder / file).read_bytes() == (finished.folder / file).read_bytes()
    weights = [
        next(run.glob("steps/mixture/*/artifact/*.safetensors")) for run in (again.folder, finished.folder)
    ]
    assert len({hashlib.sha256(file.read_bytes()).hexdigest() for file in weights}) == 1


def test_a_finished_mixture_is_asked_again_without_the_datasets(finished):
    rows = [Example("grirem smotir bluber", "")]
    told = ask_again(finished.folder, MIXTURE, rows, listener=deaf)
    assert len(told) == 1


def test_peft_loads_the_mixture_folder_where_it_was_moved(finished, tmp_path):
    folder = tmp_path / "elsewhere"
    shutil.copytree(next(finished.folder.glob("steps/mixture/*/artifact")), folder)
    code = (
        "import kshot.peft\n"
        "from peft import PeftModel\n"
        "from transformers import AutoModelForCausalLM\n"
        f"base = AutoModelForCausalLM.from_pretrained({str(miniature.base_folder())!r})\n"
        f"print(PeftModel.from_pretrained(base, {str(folder)!r}).peft_type)\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert "KSHOT_MOE" in done.stdout


def test_names_are_unique_and_ablations_are_built_where_they_are_asked_for(tmp_path):
    names = [blend.name for blend in BLENDS]
    assert len(set(names)) == len(names)
    recipes = table(bench(tmp_path))
    standard = {recipe.name for recipe in chosen(recipes, [])[0]}
    everything = {recipe.name for recipe in chosen(recipes, ["standard", "ablations"])[0]}
    assert everything - standard == {made.name for made in (*BLENDS, *SOUPS) if made.ablation}
    assert MIXTURE in standard


@pytest.mark.parametrize(
    ("knowledge", "built", "reason"),
    [
        ({"adapters": 1, "datasets": 0}, "uniform merge", "fewer than two adapters"),
        ({"adapters": 3, "datasets": 0}, "mixture", "no open datasets"),
    ],
)
def test_what_is_lacking_is_said(tmp_path, knowledge, built, reason):
    data = miniature.data_folder()
    given = {"adapters": [str(data / "bank" / name) for name in EXPERTS[: knowledge["adapters"]]]}
    here = bench(tmp_path, knowledge=given, systems=[])
    reasons = {recipe.name: missing(recipe, here) for recipe in table(here)}
    assert reasons[built] is None
    lacking = "mixture" if knowledge["adapters"] == 1 else "LoRA on shots and data"
    assert reason in reasons[lacking]


def test_data_alone_gives_the_lora_without_a_bank(tmp_path):
    data = miniature.data_folder()
    here = bench(tmp_path, knowledge={"datasets": [str(data / "open/rows.jsonl")]}, systems=[])
    names = [recipe.name for recipe in table(here)]
    assert "LoRA on shots and data" in names
    assert MIXTURE not in names


def test_a_deleted_artifact_is_not_made_anew_by_predict(finished, tmp_path):
    run = tmp_path / "run"
    shutil.copytree(finished.folder, run)
    shutil.rmtree(next(run.glob("steps/mixture/*/artifact")))
    with pytest.raises(RunError, match="damaged or deleted"):
        ask_again(run, MIXTURE, [Example("grirem smotir bluber", "")], listener=deaf)


def test_rows_that_are_too_long_are_left_out_and_the_rest_is_learned(tmp_path):
    long = {"instruction": "translate the trade words", "input": "grirem " * 3000, "output": "letter"}
    rows = [json.dumps(long)]
    source = miniature.open_rows().read_text(encoding="utf-8").splitlines()
    (tmp_path / "rows.jsonl").write_text("\n".join([*rows, *source[:400]]) + "\n", encoding="utf-8")
    data = miniature.data_folder()
    given = {
        "adapters": [str(data / "bank" / name) for name in EXPERTS],
        "datasets": [str(tmp_path / "rows.jsonl")],
    }
    task = write_task(tmp_path, knowledge=given, systems=["mixture"], data={"count": 1000})
    finished = run_task(Task.load(task), tmp_path / "run", listener=deaf)
    assert [system.name for system in finished.report.systems] == ["mixture"]
    facts = json.loads(next(finished.folder.glob("steps/mixture/*/knowledge.json")).read_text())
    assert facts["training"]["too_long"] == 1
