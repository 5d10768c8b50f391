"""The paper's recipe: 38 datasets, and rows of each one's columns, invented here, become examples."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import huggingface_hub
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from kshot.data.example import Example
from kshot.pipeline.bank_build import load_recipe
from kshot.pipeline.bank_build.adapter import template_of
from kshot.pipeline.bank_build.recipe import Job
from kshot.pipeline.bank_build.rows import dataset_rows
from kshot.pipeline.bank_build.settings import PARQUET
from kshot.pipeline.bank_build.sources import find_source

RECIPE = load_recipe("paper")
JOBS = {job.name: job for job in RECIPE.jobs()}
NAMES = [str(entry.name) for entry in RECIPE.entries]
LINES = (Path(__file__).parent / "fixtures" / "paper_rows.jsonl").read_text(encoding="utf-8").splitlines()
# as the paper's Tables 9 and 10 call them, in their order
BANK_TABLE = (
    "ARC-c, ARC-e, WinoGrande, GSM8K, PiQA, CommonSenseQA, RACE, MBPP, MathQA, Esnli, ECQA, CREAK, "
    "GPT4Tools, AQuA, QASC, QED, StrategyQA, SensemakingQA, Toolformer, HellaSwag, SiQA, BoolQ, Dolly, "
    "WizardLM, ShareGPT, "
    "GPT-Teacher-Code, GPT-Teacher-Roleplay, GPT-Teacher-Instruct, WebGPT, Lima, Code-Alpaca, ThoughtSource, "
    "CAMEL-AI-Society, CAMEL-Code, CAMEL-Math, CAMEL-Physics, CAMEL-Chemistry, CAMEL-Biology"
)
# whose names end in _cot_lora_r16 in the lists of experts that the paper's repository has
WITH_REASONING = {
    "arc-c", "arc-e", "winogrande", "piqa", "commonsense-qa", "race", "aqua", "qasc", "hellaswag", "boolq",
}  # fmt: skip


def test_it_has_the_38_datasets_of_the_paper_and_ten_of_them_with_reasoning_too() -> None:
    plain = [name.replace("-", "") for name in NAMES]
    assert plain == [name.casefold().replace("-", "") for name in BANK_TABLE.split(", ")]
    assert len(plain) == 38
    assert {entry.name for entry in RECIPE.entries if entry.cot} == WITH_REASONING
    assert {name for name in JOBS if name not in NAMES} == {f"{name}-cot" for name in WITH_REASONING}
    assert not any(entry.verified for entry in RECIPE.entries)
    assert all(entry.hub and (entry.limit or entry.expected_rows) for entry in RECIPE.entries)


def test_it_trains_as_the_paper_says() -> None:
    settings = RECIPE.training(JOBS["gsm8k"])
    shape = (settings.rank, settings.alpha, settings.dropout, settings.target_modules)
    assert shape == (16, 16, 0.05, ("q_proj", "v_proj"))
    assert (settings.epochs, settings.learning_rate, settings.schedule) == (3, 5e-5, "cosine")
    assert (settings.beta1, settings.weight_decay, settings.max_tokens) == (0.9, 1e-4, 1024)
    assert (settings.batch_size, settings.accumulation) == (2, 16)
    assert settings.total_steps(7473) == 702
    assert settings.total_steps(367_000) == 34_407  # no limit of steps is met


def put(folder: Path, job: Job, rows: list[dict[str, Any]]) -> None:
    """Rows where the hub's client would put them: in the Parquet version, or a file that the recipe names."""
    entry = job.entry
    if not entry.files:
        place = folder / entry.config / entry.split / "0000.parquet"
        place.parent.mkdir(parents=True)
        pq.write_table(pa.Table.from_pylist(rows), place)
        return
    place = folder / entry.files[0].replace("*", "rows")
    place.parent.mkdir(parents=True, exist_ok=True)
    lines = [json.dumps(row) for row in rows]
    place.write_text("\n".join(lines) + "\n" if place.suffix == ".jsonl" else f"[{','.join(lines)}]")


@pytest.mark.parametrize("name", NAMES)
def test_rows_of_its_columns_become_examples(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    job, asked = JOBS[name], dict[str, Any]()

    def download(repository: str, **options: Any) -> str:
        asked.update(options, repository=repository)
        return str(tmp_path)

    monkeypatch.setattr(huggingface_hub, "snapshot_download", download)
    given = [line for line in map(json.loads, LINES) if line["dataset"] == name]
    assert given
    put(tmp_path, job, [line["row"] for line in given])
    found = dataset_rows(RECIPE, job, find_source(RECIPE, job))
    assert [replace(row, source=None) for row in found.learned] == [
        Example.from_row(line["example"]) for line in given
    ]
    assert (found.held_out, found.left_out) == ((), {})
    assert (asked["repository"], asked["repo_type"]) == (job.entry.hub, "dataset")
    assert asked["revision"] == (None if job.entry.files else PARQUET)


def test_choice_rows_are_asked_as_kshot_asks_them() -> None:
    warm = Example("Which is warm?", "fire", ("ice", "fire"), "It burns.")
    plain, reasoned = template_of(warm, JOBS["arc-c"]), template_of(warm, JOBS["arc-c-cot"])
    assert plain.conversation(warm)[-1].content == "Which is warm?\nA. ice\nB. fire"
    assert plain.target(warm).text == "B"
    assert reasoned.target(warm).text == "B\nIt burns."
