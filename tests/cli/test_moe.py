"""``kshot moe``: build, inspect, train, export, each on its own."""

import io
import json
import sys
from contextlib import redirect_stderr, redirect_stdout
from dataclasses import dataclass
from pathlib import Path

import pytest

from kshot import miniature
from kshot.cli import main

BANK = miniature.bank_folder()
EXPERTS = [str(BANK / name) for name in ("brewer-lora", "mason-lora", "smith-lora")]
ASKED = ["--base", str(miniature.base_folder()), "--instruction", "translate the trade words"]


@dataclass(frozen=True)
class Done:
    """What a verb printed, and how it ended."""

    returncode: int
    stdout: str
    stderr: str


def kshot(*words: object) -> Done:
    """The command line in this process, as imports take seconds."""
    out, err = io.StringIO(), io.StringIO()
    with pytest.MonkeyPatch.context() as patch, redirect_stdout(out), redirect_stderr(err):
        patch.setattr(sys, "argv", ["kshot", "moe", *map(str, words)])
        with pytest.raises(SystemExit) as ended:
            main()
    return Done(int(ended.value.code or 0), out.getvalue(), err.getvalue())


@pytest.fixture(scope="module")
def rows(tmp_path_factory: pytest.TempPathFactory) -> Path:
    lines = (miniature.data_folder() / "tasks/mixed/shots.jsonl").read_text(encoding="utf-8").splitlines()
    file = tmp_path_factory.mktemp("rows") / "rows.jsonl"
    file.write_text("\n".join(lines[:8]) + "\n", encoding="utf-8")
    return file


@pytest.fixture(scope="module")
def mixture(tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("mixture") / "mixture"
    done = kshot("build", *EXPERTS, "--out", out, "--top-k", 2)
    assert done.returncode == 0, done.stderr
    return out


def test_a_mixture_is_one_peft_folder(mixture: Path) -> None:
    assert sorted(file.name for file in mixture.iterdir()) == [
        "README.md",
        "adapter_config.json",
        "adapter_model.safetensors",
    ]
    assert json.loads((mixture / "adapter_config.json").read_text())["peft_type"] == "KSHOT_MOE"


def test_inspect_says_what_it_holds_and_what_its_routers_do(mixture: Path, rows: Path) -> None:
    told = json.loads(kshot("inspect", mixture, *ASKED, "--rows", rows, "--json").stdout)
    assert [expert["name"] for expert in told["experts"]] == ["brewer-lora", "mason-lora", "smith-lora"]
    assert told["settings"]["top_k"] == 2
    for shares in told["router"]["load"]:
        assert sum(shares) == pytest.approx(1)
    assert json.loads(kshot("inspect", mixture, "--json").stdout)["router"] is None


def test_train_then_export_of_a_routed_mixture(mixture: Path, rows: Path, tmp_path: Path) -> None:
    done = kshot("train", mixture, *ASKED, "--rows", rows, "--out", tmp_path / "tuned", "--epochs", 2)
    assert done.returncode == 0, done.stderr
    assert "nats per token" in done.stdout
    refused = kshot("export", tmp_path / "tuned", "--out", tmp_path / "plain")
    assert refused.returncode == 2
    assert "give --base and --rows" in refused.stderr
    told = kshot("export", tmp_path / "tuned", "--out", tmp_path / "plain", *ASKED, "--rows", rows, "--json")
    found = json.loads(told.stdout)
    assert not found["exact"]
    assert found["parity"]["rows"] == 8
    assert json.loads((tmp_path / "plain/adapter_config.json").read_text())["peft_type"] == "LORA"


def test_a_static_mixture_is_exported_exactly(rows: Path, tmp_path: Path) -> None:
    kshot("build", *EXPERTS, "--out", tmp_path / "static", "--train", "static")
    told = kshot("export", tmp_path / "static", "--out", tmp_path / "plain", *ASKED, "--rows", rows, "--json")
    found = json.loads(told.stdout)
    assert found["exact"]
    assert found["parity"]["largest"] < 1e-3
    assert found["parity"]["equal_share"] == 1
    cut = kshot("export", tmp_path / "static", "--out", tmp_path / "cut", "--rank", 4, "--json")
    assert 0 < json.loads(cut.stdout)["kept_energy"] < 1


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (["build", "nowhere", "--out", "OUT"], "nowhere"),
        (["build", *EXPERTS, "--out", "OUT", "--start", "phatgoose"], "expected random or arrow"),
        (["build", *EXPERTS, "--out", "OUT", "--top-k", "0"], "top_k"),
        (["build", *EXPERTS, "--out", "OUT", "--train", "nothing"], "train"),
        (["build", EXPERTS[0], str(BANK / "miller-trade"), "--out", "OUT"], "shapes"),
        (["inspect", EXPERTS[0]], "mixture"),
        (["inspect", "MIXTURE", "--base", "x"], "belong together"),
    ],
)
def test_bad_input_is_told_in_a_sentence(
    mixture: Path, tmp_path: Path, words: list[str], sentence: str
) -> None:
    places = {"OUT": str(tmp_path / "out"), "MIXTURE": str(mixture)}
    done = kshot(*(places.get(word, word) for word in words))
    assert done.returncode in (1, 2)
    assert sentence in done.stderr
    assert "Traceback" not in done.stderr
    assert not (tmp_path / "out").exists()
