"""A small classification task with a tiny random model and a bank of three adapters, one of them unfit."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

COLOURS = {
    "warm": ("red", "orange", "amber", "scarlet", "crimson"),
    "cold": ("blue", "teal", "navy", "azure", "cyan"),
}


def rows(frames: tuple[str, ...]) -> list[dict[str, str]]:
    return [
        {"text": frame.format(word), "label": label}
        for frame in frames
        for label, words in COLOURS.items()
        for word in words
    ]


def write_rows(path: Path, found: list[dict[str, str]]) -> None:
    path.write_text("".join(json.dumps(row) + "\n" for row in found))


@pytest.fixture(scope="session")
def base(tmp_path_factory: pytest.TempPathFactory) -> Path:
    import tiny

    return tiny.save(tmp_path_factory.mktemp("base"), "llama", chat=tiny.CHATML, positions=512)


@pytest.fixture(scope="session")
def bank(tmp_path_factory: pytest.TempPathFactory, base: Path) -> Path:
    """Two random adapters of the base, and one whose weights are no numbers."""
    import torch
    from peft import LoraConfig, get_peft_model
    from safetensors.torch import load_file, save_file
    from transformers import AutoModelForCausalLM

    folder = tmp_path_factory.mktemp("bank")
    for seed, name in enumerate(("first", "second", "broken")):
        torch.manual_seed(seed)
        model = AutoModelForCausalLM.from_pretrained(base)
        config = LoraConfig(r=2, lora_alpha=4, target_modules=["q_proj", "v_proj"], init_lora_weights=False)
        get_peft_model(model, config).save_pretrained(folder / name)
    weights = folder / "broken" / "adapter_model.safetensors"
    tensors = load_file(weights)
    tensors[sorted(tensors)[0]][0, 0] = float("nan")
    save_file(tensors, weights, metadata={"format": "pt"})
    return folder


@pytest.fixture
def write_task(tmp_path: Path, base: Path, bank: Path) -> Callable[..., Path]:
    """Writes a task file; keyword arguments replace its top-level keys, None takes one out."""

    def write(**changes: Any) -> Path:
        folder = tmp_path / "task"
        folder.mkdir(exist_ok=True)
        write_rows(folder / "shots.jsonl", rows(("The colour is {}.",)))
        write_rows(
            folder / "test.jsonl", rows(("We painted our house {} last summer.", "A {} car stood there."))
        )
        settings: dict[str, Any] = {
            "version": 1,
            "task": {"type": "classification", "instruction": "Warm or cold?"},
            "examples": {"path": "shots.jsonl", "k": 6},
            "test": "test.jsonl",
            "metric": "accuracy",
            "model": {"base": str(base), "max_new_tokens": 4},
            "knowledge": {"adapters": [str(bank)]},
        }
        settings = {key: value for key, value in (settings | changes).items() if value is not None}
        (folder / "task.yaml").write_text(json.dumps(settings))
        return folder / "task.yaml"

    return write
