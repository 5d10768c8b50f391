"""Recipes: what is refused, with the line, and what a good one says."""

from pathlib import Path

import pytest

from kshot.errors import InputError
from kshot.pipeline.bank_build import load_recipe, recipe_file

GOOD = """\
training: {rank: 4, epochs: 1}
datasets:
  - {name: smith, path: rows.jsonl, cot: true, training: {epochs: 2}}
  - name: arc
    hub: allenai/ai2_arc
    columns: {input: "{question}", output: "{answer}"}
"""


def write(folder: Path, text: str) -> Path:
    (folder / "rows.jsonl").write_text('{"prompt": "a", "answer": "b"}\n')
    (folder / "bank.yaml").write_text(text)
    return folder / "bank.yaml"


def test_settings_of_the_paper_of_the_recipe_and_of_the_dataset(tmp_path: Path) -> None:
    recipe = load_recipe(write(tmp_path, GOOD + "seed: 7\n"))
    smith, cot, arc = recipe.jobs()
    assert [job.name for job in recipe.jobs()] == ["smith", "smith-cot", "arc"]
    assert [job.reasoning for job in recipe.jobs()] == ["none", "answer_first", "none"]
    settings = recipe.training(smith)
    assert (settings.rank, settings.alpha, settings.epochs, settings.seed) == (4, 16, 2, 7)
    assert recipe.training(cot) == settings
    assert recipe.training(arc).epochs == 1
    assert recipe.files_of(smith.entry) == (tmp_path / "rows.jsonl",)
    assert recipe.name == "bank"


def test_without_settings_a_bank_is_trained_as_the_paper_s(tmp_path: Path) -> None:
    mine = load_recipe(write(tmp_path, GOOD.split("\n", 1)[1]))
    paper = load_recipe("paper")
    assert mine.training(mine.jobs()[2]) == paper.training(paper.jobs()[0])


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "the recipe is empty; `kshot bank recipe paper` prints one"),
        ("- a\n", "bank.yaml:1: found no keys, expected datasets"),
        ("name: x\n", "bank.yaml:1: the recipe names no datasets"),
        ("dataset: []\n", "bank.yaml:1: unknown key 'dataset'; did you mean 'datasets'?"),
        ("datasets: {a: 1}\n", "bank.yaml:1: datasets is an object, expected a list"),
        ("datasets: [a]\n", "bank.yaml:1: datasets.0 is 'a', expected keys and values"),
        (GOOD.replace("path:", "pahts:"), "bank.yaml:3: unknown key 'pahts'; did you mean 'path'?"),
        (
            GOOD.replace("rank: 4", "rnk: 4"),
            "bank.yaml:1: unknown key 'rnk' under 'training'; did you mean 'rank'?",
        ),
        (
            GOOD.replace("epochs: 2", "epochs: two"),
            "bank.yaml:3: training.epochs is 'two', expected a number",
        ),
        (
            GOOD.replace("epochs: 2", "epochs: null"),
            "bank.yaml:3: training.epochs is null, expected a number",
        ),
        (GOOD.replace("epochs: 2", "epochs: -2"), "bank.yaml:3: training setting epochs is -2"),
        (GOOD.replace("name: smith, ", ""), "bank.yaml:3: key 'name' is missing; every dataset needs one"),
        (GOOD.replace("name: smith", "name: ../x"), "bank.yaml:3: name: a name becomes a folder"),
        (GOOD.replace("name: smith", "name: .x"), "bank.yaml:3: name: a name becomes a folder"),
        (GOOD.replace("name: arc", "name: SMITH"), "bank.yaml:4: the name 'SMITH' stands twice"),
        (GOOD.replace("name: arc", "name: smith-cot"), "bank.yaml:4: the name 'smith-cot' stands twice"),
        (GOOD.replace("path: rows.jsonl, ", ""), "bank.yaml:3: give path: FILE or hub: owner/name"),
        (GOOD.replace("path: rows", "hub: a/b, path: rows"), "give path: FILE or hub: owner/name"),
        (GOOD.replace("path: rows", "split: x, path: rows"), "split is for datasets of the hub"),
        (GOOD.replace("path: rows.jsonl", "path: row.jsonl"), "did you mean 'rows.jsonl'?"),
        (GOOD.replace("allenai/ai2_arc", "ai2_arc"), "bank.yaml:5: hub: this is no id of the hub"),
        (GOOD.replace("name: arc", "name: bank.json"), "this name is taken by a file of the bank's own"),
        (
            GOOD.replace("    columns", "    files: ../x.jsonl\n    columns"),
            "expected names within the dataset",
        ),
        (GOOD.replace("    columns", "    where: {'a|b': c}\n    columns"), "there is no filter 'b?'"),
        (
            GOOD + "    values: {anwser: {a: b}}\n",
            "'anwser' is read by none of the columns' templates; did you mean",
        ),
        (GOOD.replace("path: rows", "path: ~nobody/rows"), "there is no folder"),
        (GOOD.replace("{question}", "{question"), "template '{question' has a lone '{'"),
        (GOOD.replace("input:", "inptu:"), "columns: 'inptu' is no part of a row; did you mean 'input'?"),
        (GOOD.replace("cot: true", "answer_is: text"), "answer_is, counted_from and values need columns"),
        (GOOD + "note: hf_" + "a" * 30 + "\n", "bank.yaml:7: this looks like a secret key (not shown)"),
    ],
)
def test_a_wrong_recipe_is_refused_with_its_line(tmp_path: Path, text: str, message: str) -> None:
    with pytest.raises(InputError) as error:
        load_recipe(write(tmp_path, text))
    assert message in str(error.value)


def test_faults_of_several_datasets_are_told_together(tmp_path: Path) -> None:
    with pytest.raises(InputError) as error:
        load_recipe(write(tmp_path, GOOD.replace("path:", "pahts:").replace("hub:", "hbu:")))
    assert str(error.value).count("\n") == 1


@pytest.mark.parametrize(
    ("name", "message"), [("papre", "did you mean 'paper'?"), ("x/y.yaml", "there is no folder")]
)
def test_a_recipe_that_is_not_there(
    name: str, message: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(InputError, match="no recipe file") as error:
        recipe_file(name)
    assert message in str(error.value)
    with pytest.raises(InputError, match="this is a folder"):
        recipe_file(tmp_path)
