"""Soups on the leaderboard: members, one LoRA or one model, facts, keys; on the miniature."""

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
import torch
import yaml
from safetensors.torch import load_file, save_file

from kshot import miniature
from kshot.data.example import Example
from kshot.data.task import Task
from kshot.measure.loss import shot_losses
from kshot.models.checkpoint import plan_mix, write_mix
from kshot.models.lora import LoraAdapter, concatenated
from kshot.pipeline.recipes import chosen, missing, table
from kshot.pipeline.run import run_task
from kshot.pipeline.soups.ingredients import candidates, ingredients
from kshot.pipeline.soups.shot_objective import shot_objective
from kshot.pipeline.soups.system import FACTS, lacking_soup, soup_inputs, soup_system
from kshot.pipeline.soups.table import SOUPS
from kshot.pipeline.specialist import ask_again
from kshot.pipeline.workbench import Workbench
from kshot.runs import Run

EXPERTS = ("mason-lora", "smith-lora", "chandler-trade")
SYSTEMS = ["zero-shot", *(soup.name for soup in SOUPS)]
BY_NAME = {soup.name: soup for soup in SOUPS}


def deaf(event, **fields):
    """Hears nothing."""


def write_task(folder: Path, **sections) -> Path:
    data = miniature.data_folder()
    settings = yaml.safe_load(miniature.task_file("mixed").read_text(encoding="utf-8"))
    settings["examples"] = {"path": str(data / "tasks/mixed/shots.jsonl"), "k": 4}
    settings["test"] = {"path": str(data / "tasks/mixed/test.jsonl"), "limit": 6}
    settings["model"]["base"] = str(data / "base")
    settings["knowledge"] = {"adapters": [str(data / "bank" / name) for name in EXPERTS]}
    settings |= {"systems": SYSTEMS, "cocktail": {"search_evaluations": 8}} | sections
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "task.yaml").write_text(yaml.safe_dump(settings), encoding="utf-8")
    return folder / "task.yaml"


def bench(folder: Path, **sections) -> Workbench:
    return Workbench(Task.load(write_task(folder, **sections)), Run(folder / "run", listener=deaf))


@pytest.fixture(scope="module")
def full_model(tmp_path_factory) -> Path:
    """The base with one adapter merged into it."""
    out = tmp_path_factory.mktemp("models") / "smith"
    write_mix(plan_mix([miniature.base_folder(), miniature.bank_folder() / "smith-lora"]), [0.0, 1.0], out)
    return out


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    folder = tmp_path_factory.mktemp("soups")
    return run_task(Task.load(write_task(folder)), folder / "run", listener=deaf)


def facts_of(finished, name: str) -> dict:
    return json.loads((artifact_of(finished, name) / FACTS).read_text(encoding="utf-8"))


def artifact_of(finished, name: str) -> Path:
    return next(path.parent for path in finished.folder.glob(f"steps/*/*/artifact/{FACTS}")
                if json.loads(path.read_text())["system"] == name)  # fmt: skip


def test_every_soup_is_on_the_leaderboard(finished):
    assert {system.name for system in finished.report.systems} == set(SYSTEMS)
    assert finished.report.refused == ()
    kinds = {system.kind for system in finished.report.systems if system.name in BY_NAME}
    assert kinds == {"cocktail"}
    notes = {system.name: system.note for system in finished.report.systems}
    assert "(auto)" in notes["cocktail"]
    assert "temperature 5;" in notes["cocktail, temperature 5"]


def test_the_members_are_the_base_and_the_usable_adapters(finished):
    told = facts_of(finished, "cocktail")
    assert [member["name"] for member in told["members"]] == ["base", "smith-lora", "mason-lora"]
    assert told["members"][1]["loss"] < told["members"][2]["loss"]
    assert np.array(told["losses"]).shape == (3, 4)
    assert len(told["examples"]) == 4
    for member, losses in zip(told["members"], told["losses"], strict=True):
        assert member["loss"] == pytest.approx(np.mean(losses))
        assert member["low"] <= member["weight"] + 1e-9 <= member["high"] + 2e-9
    uniform = facts_of(finished, "uniform soup")
    assert [member["weight"] for member in uniform["members"]] == pytest.approx([1 / 3] * 3)
    assert len(facts_of(finished, "greedy soup")["steps"]) == 3


def test_the_artifact_is_one_lora_of_the_weighted_sum(finished):
    weights = [member["weight"] for member in facts_of(finished, "cocktail, temperature 5")["members"]]
    found = LoraAdapter.load(artifact_of(finished, "cocktail, temperature 5"))
    adapters = [LoraAdapter.load(miniature.bank_folder() / name) for name in ("smith-lora", "mason-lora")]
    wanted = concatenated(adapters, weights[1:])  # the base's own weight is the rest
    for module in wanted.modules:
        np.testing.assert_allclose(found.delta(module), wanted.delta(module), atol=1e-7)


def test_the_report_shows_the_mixes(finished):
    seen = finished.report.cocktail
    assert [mix.system for mix in seen.mixes] == [soup.name for soup in SOUPS]
    assert seen.main.temperatures
    assert seen.main.uniform_loss is not None
    assert '<section id="cocktail"' in (finished.folder / "report.html").read_text(encoding="utf-8")
    assert "## Cocktail (miniature)" in (finished.folder / "report.md").read_text(encoding="utf-8")


def test_a_finished_soup_is_asked_again(finished):
    rows = [Example("grirem smotir bluber", "")]
    assert len(ask_again(finished.folder, "uniform soup", rows, listener=deaf)) == 1


def test_the_objective_at_one_member_is_its_own_loss(tmp_path):
    here = bench(tmp_path)
    with here.run.open():
        made_of = ingredients(here, here.labelled)
        with shot_objective(here, made_of, here.labelled) as objective:
            for at, losses in enumerate(made_of.losses):
                alone = np.eye(len(made_of.members))[at]
                np.testing.assert_allclose(objective(alone, range(4)), losses, atol=1e-4)
                np.testing.assert_allclose(objective(alone, [2, 0]), losses[[2, 0]], atol=1e-4)


def test_full_models_make_a_full_model(tmp_path, full_model):
    data = miniature.data_folder()
    given = {"models": [str(full_model)], "adapters": [str(data / "bank" / "mason-lora")]}
    here = bench(tmp_path, knowledge=given)
    with here.run.open():
        made_of = ingredients(here, here.labelled)
        assert {member.form for member in made_of.members} == {"base", "model", "adapter"}
        with shot_objective(here, made_of, here.labelled) as objective:
            for at, losses in enumerate(made_of.losses):
                np.testing.assert_allclose(objective(np.eye(3)[at], range(4)), losses, atol=1e-3)
            half = objective(np.full(3, 1 / 3), range(4))  # in float32; the file has the base's dtype
        system = soup_system(here, here.labelled, tmp_path / "soup", soup=BY_NAME["uniform soup"])
    assert (tmp_path / "soup" / "model.safetensors").is_file()
    facts = json.loads((tmp_path / "soup" / FACTS).read_text())
    assert facts["loss"] is None  # not held in memory for it
    assert isinstance(facts["warnings"], list)
    assert str(tmp_path) not in json.dumps(facts["warnings"])
    np.testing.assert_allclose(
        shot_losses(system.model, here.template, here.labelled).answer, half, atol=0.05
    )


def test_a_model_of_another_origin_is_warned_of(tmp_path, full_model):
    other = tmp_path / "other"
    shutil.copytree(full_model, other)
    rng = np.random.default_rng(0)
    values = load_file(full_model / "model.safetensors")
    strange = {
        name: torch.from_numpy(0.1 * rng.normal(size=value.shape)).to(value.dtype)
        for name, value in values.items()
    }
    save_file(strange, other / "model.safetensors", metadata={"format": "pt"})
    here = bench(tmp_path, knowledge={"models": [str(other)]})
    with here.run.open():
        soup_system(here, here.labelled, tmp_path / "soup", soup=BY_NAME["uniform soup"])
    warnings = json.loads((tmp_path / "soup" / FACTS).read_text())["warnings"]
    assert any("DOES NOT LOOK LIKE A FINE-TUNE OF base" in sentence for sentence in warnings)


def test_a_soup_of_the_base_alone_is_the_base(tmp_path):
    # all of the weight goes to the base, whose loss is the lowest at a temperature near 0
    here = bench(tmp_path, cocktail={"temperature": 0.001})
    with here.run.open():
        system = soup_system(here, here.labelled, tmp_path / "soup", soup=BY_NAME["cocktail"])
    members = json.loads((tmp_path / "soup" / FACTS).read_text())["members"]
    assert [member["weight"] for member in members] == [1.0, 0.0, 0.0]
    assert [path.name for path in (tmp_path / "soup").iterdir()] == [FACTS]
    assert system.model is here.model
    assert "base 1.00" in system.note


def test_size_keeps_the_base_and_those_of_the_lowest_loss(tmp_path):
    here = bench(tmp_path, cocktail={"size": 2})
    with here.run.open():
        made_of = ingredients(here, here.labelled)
    whole = {"mason-lora", "smith-lora"}
    kept = made_of.members[1].name
    assert [member.form for member in made_of.members] == ["base", "adapter"]
    assert set(made_of.left) >= whole - {kept}
    assert "cocktail: size is 2" in made_of.left[next(iter(whole - {kept}))]


def test_excluded_adapters_and_unlike_models_stay_out(tmp_path):
    other = tmp_path / "other"
    other.mkdir()
    (other / "config.json").write_text('{"model_type": "gpt2"}')
    here = bench(
        tmp_path / "task",
        knowledge={
            "adapters": [str(miniature.bank_folder() / name) for name in EXPERTS[:2]],
            "models": [str(other)],
        },
        experts={"exclude": ["smith-lora"]},
    )
    found, left = candidates(here)
    assert [one.name for one in found] == ["base", "mason-lora"]
    assert left["smith-lora"] == "excluded by name"
    assert left[f"model: {other}"]


def test_fewer_than_two_members_are_refused_with_the_reason(tmp_path):
    here = bench(
        tmp_path,
        knowledge={"adapters": [str(miniature.bank_folder() / "mason-lora")]},
        experts={"exclude": ["mason-lora"]},
        systems=[],
    )
    assert lacking_soup(here) == "nothing but the base can take part (mason-lora: excluded by name)"
    reasons = {recipe.name: missing(recipe, here) for recipe in table(here)}
    assert "nothing but the base" in reasons["cocktail"]


def test_soups_are_built_only_where_there_is_something_to_mix(tmp_path):
    names = {recipe.name for recipe in table(bench(tmp_path, knowledge={}, systems=[]))}
    assert not names & set(BY_NAME)
    recipes = table(bench(tmp_path))
    standard = {recipe.name for recipe in chosen(recipes, [])[0]} & set(BY_NAME)
    assert standard == {"cocktail", "uniform soup", "greedy soup"}


def test_the_key_depends_on_members_and_section(tmp_path, full_model):
    soup = BY_NAME["cocktail"]
    first = soup_inputs(bench(tmp_path), soup)
    assert first == soup_inputs(bench(tmp_path / "again"), soup)
    assert first != soup_inputs(bench(tmp_path, cocktail={"temperature": 5}), soup)
    assert first != soup_inputs(bench(tmp_path), BY_NAME["uniform soup"])
    one = [str(miniature.bank_folder() / "mason-lora")]
    assert first != soup_inputs(bench(tmp_path, knowledge={"adapters": one}), soup)
    more = {"adapters": one, "models": [str(full_model)]}
    assert soup_inputs(bench(tmp_path, knowledge={"adapters": one}), soup) != soup_inputs(
        bench(tmp_path, knowledge=more), soup
    )
