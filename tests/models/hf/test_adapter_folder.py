"""A full disk is told as the operating system tells it, and leaves no adapter behind."""

from __future__ import annotations

import resource
from dataclasses import dataclass
from pathlib import Path
from types import SimpleNamespace

import pytest
import torch
from safetensors.torch import load_file

from kshot.models.hf.adapter_folder import write_adapter


@dataclass(frozen=True)
class Settings:
    rank: int = 1


@pytest.fixture
def adapted(monkeypatch: pytest.MonkeyPatch) -> SimpleNamespace:
    state = {"b": torch.arange(5000.0), "a": torch.ones(2, 2)}
    monkeypatch.setattr("peft.get_peft_model_state_dict", lambda *_, **__: state)
    return SimpleNamespace(peft_config={"default": SimpleNamespace(to_dict=lambda: {"r": 1})})


def test_tensors_come_back(adapted: SimpleNamespace, tmp_path: Path) -> None:
    write_adapter(adapted, tmp_path / "a", base="base", settings=Settings(), facts={})
    found = load_file(tmp_path / "a" / "adapter_model.safetensors")
    assert torch.equal(found["b"], torch.arange(5000.0))
    assert sorted(found) == ["a", "b"]


def test_a_disk_that_takes_no_more_raises_os_error(adapted: SimpleNamespace, tmp_path: Path) -> None:
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (1000, hard))
    try:
        with pytest.raises(OSError, match="File too large"):
            write_adapter(adapted, tmp_path / "a", base="base", settings=Settings(), facts={})
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert list(tmp_path.iterdir()) == []
