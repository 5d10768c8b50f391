"""A bank end to end on the miniature: adapters with cards, failures that stop nothing, builds that go on."""

import errno
import json
import shutil
import signal
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
import yaml

from kshot import miniature
from kshot.data.example import Conversation
from kshot.errors import InputError, ModelError, RunError
from kshot.models.bank import Bank
from kshot.models.base import Reply
from kshot.models.hf import HfModel
from kshot.pipeline.bank_build import BankBuilt, build_bank, dry, load_recipe, workshop

TRAINING = {"steps": 4, "rank": 4, "learning_rate": 5e-3, "batch_size": 8, "accumulation": 1}
Events = list[dict[str, Any]]
First = tuple[Path, BankBuilt, Events]


def datasets() -> list[dict[str, Any]]:
    """Good, broken, good."""
    columns = {"instruction": "{instruction}", "input": "{input}", "output": "{meaning}"}
    return [
        {"name": "words", "path": "words.jsonl", "licence": "cc0-1.0", "note": "Words of | trades."},
        {"name": "broken", "path": "words.jsonl", "columns": {"input": "{question}", "output": "{answer}"}},
        {"name": "meanings", "path": "meanings.jsonl", "columns": columns},
    ]


def write(folder: Path, entries: list[dict[str, Any]] | None = None, **top: Any) -> Path:
    """Rows of the miniature's open data and a recipe beside them."""
    folder.mkdir(exist_ok=True)
    rows = [json.loads(line) for line in miniature.open_rows().read_text().split("\n")[:120]]
    kept = [{key: row[key] for key in ("instruction", "input", "output")} for row in rows]
    renamed = [
        {"meaning": row["output"], "instruction": row["instruction"], "input": row["input"]} for row in kept
    ]
    (folder / "words.jsonl").write_text("".join(json.dumps(row) + "\n" for row in kept[:60]))
    (folder / "meanings.jsonl").write_text("".join(json.dumps(row) + "\n" for row in renamed[60:]))
    recipe = {"training": TRAINING, "datasets": datasets() if entries is None else entries} | top
    (folder / "bank.yaml").write_text(json.dumps(recipe))
    return folder / "bank.yaml"


def build(folder: Path, **options: Any) -> tuple[BankBuilt, Events]:
    events: Events = []

    def listen(event: str, **fields: Any) -> None:
        events.append({"event": event, **fields})

    options = {"base": miniature.base_folder()} | options
    recipe = load_recipe(folder / "bank.yaml")
    return build_bank(recipe, out=folder / "bank", listener=listen, **options), events


def begun(events: Events) -> list[str]:
    return [e["name"] for e in events if e["event"] == "adapter" and e["state"] == "begun"]


def facts_of(folder: Path, name: str) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((folder / "bank" / name / "kshot.json").read_text())
    return found


@pytest.fixture(scope="module")
def first(tmp_path_factory: pytest.TempPathFactory) -> First:
    """A build of three datasets: the folder of recipe and bank, what came of it, what was told."""
    folder = tmp_path_factory.mktemp("built")
    write(folder)
    return (folder, *build(folder))


@pytest.fixture
def copy(first: First, tmp_path: Path) -> Path:
    """The built folder, to be changed."""
    return Path(shutil.copytree(first[0], tmp_path / "copy"))


def test_two_adapters_and_a_failure_with_its_reason(first: First) -> None:
    folder, built, events = first
    assert (built.built, built.kept, built.left) == (("words", "meanings"), (), ())
    assert [name for name, _ in built.failed] == ["broken"]
    assert "words.jsonl:1: column 'question' is missing" in built.failed[0][1]
    assert not built.complete
    assert begun(events) == ["words", "broken", "meanings"]
    assert events[0] == {"event": "leaves", "what": []}
    assert sorted(path.name for path in (folder / "bank").iterdir() if not path.name.startswith(".")) == [
        "bank.json", "events.jsonl", "meanings", "words",
    ]  # fmt: skip


def test_the_bank_passes_the_audit_and_declares_its_training_sets(first: First) -> None:
    bank = Bank(first[0] / "bank", base=miniature.base_folder())
    audit = bank.audit()
    assert (audit.usable, audit.findings, audit.notes) == (("meanings", "words"), (), ())
    entries = {entry.name: entry for entry in bank.entries}
    assert (entries["words"].licence, entries["words"].datasets) == ("cc0-1.0", ("words",))
    assert (entries["meanings"].licence, entries["meanings"].datasets) == (None, ("meanings",))
    assert entries["words"].targets == ("q_proj", "v_proj")


def test_the_facts_add_up_and_the_adapter_learned(first: First) -> None:
    facts = facts_of(first[0], "words")
    rows, loss = facts["rows"], facts["loss"]
    assert rows["read"] == 60
    assert rows["learned"] + rows["held_out"] + sum(rows["left_out"].values()) == 60
    assert rows["held_out"] in (5, 6)
    assert loss["held_out_loss"] < loss["held_out_loss_of_the_base"]
    assert min(loss["first_loss"], loss["last_loss"]) > 0
    assert facts["training_sets"] == ["words"]
    assert facts["settings"]["rank"] == 4
    assert facts["steps"] == 4
    assert [name for name, _ in facts["dataset"]["files"]] == ["words.jsonl"]


def test_the_losses_can_be_measured_again(first: First) -> None:
    """The held-out loss of the card is that of the stored adapter on the very rows that were drawn."""
    from kshot.pipeline.bank_build.adapter import held_out_loss, template_of
    from kshot.pipeline.bank_build.rows import dataset_rows
    from kshot.pipeline.bank_build.sources import find_source

    folder, *_ = first
    recipe = load_recipe(folder / "bank.yaml")
    job = recipe.jobs()[0]
    rows = dataset_rows(recipe, job, find_source(recipe, job)).held_out
    words = [template_of(row, job) for row in rows]
    asked = ([w.conversation(r) for w, r in zip(words, rows, strict=True)],
             [w.target(r) for w, r in zip(words, rows, strict=True)])  # fmt: skip
    model = HfModel.load(miniature.base_folder())
    loss = facts_of(folder, "words")["loss"]
    assert held_out_loss(model, asked) == pytest.approx(loss["held_out_loss_of_the_base"], abs=1e-5)
    assert held_out_loss(model.adapted(folder / "bank" / "words"), asked) == pytest.approx(
        loss["held_out_loss"], abs=1e-5
    )


def test_the_card_tells_people_the_same(first: First) -> None:
    card = (first[0] / "bank" / "words" / "README.md").read_text()
    front = yaml.safe_load(card.split("---")[1])
    assert front["base_model"] == str(miniature.base_folder())
    assert (front["license"], front["datasets"]) == ("cc0-1.0", ["words"])
    facts = facts_of(first[0], "words")
    for part in (
        "# words", "Words of | trades.", "Licence of the data: cc0-1.0.", "| rank | 4 |", "| read | 60 |",
        f"| rows learned from, sha256 | {facts['rows']['sha256']} |", facts["dataset"]["files"][0][1],
        f"| held out loss | {facts['loss']['held_out_loss']:.6g} |",
    ):  # fmt: skip
        assert part in card
    assert "licence of the data is not known" in (first[0] / "bank" / "meanings" / "README.md").read_text()


def test_the_table_of_the_bank(first: First) -> None:
    folder, built, _ = first
    table = json.loads((folder / "bank" / "bank.json").read_text())
    assert [row["name"] for row in table["adapters"]] == ["words", "meanings"]
    assert table["adapters"] == list(built.adapters)
    assert [row["name"] for row in table["failed"]] == ["broken"]
    assert table["base"]["name"] == str(miniature.base_folder())


def test_a_second_build_trains_nothing_and_tries_the_failed_one_again(copy: Path) -> None:
    before = {path: path.read_bytes() for path in (copy / "bank").glob("*/*")}
    built, events = build(copy)
    assert (built.built, built.kept) == ((), ("words", "meanings"))
    assert begun(events) == ["broken"]
    assert {path: path.read_bytes() for path in (copy / "bank").glob("*/*")} == before
    built, events = build(copy, only=("meanings",))
    assert (built.complete, begun(events)) == (True, [])


@pytest.mark.parametrize("told", [{"note": "other words"}, {"licence": "mit"}, {"expected_rows": 5}])
def test_what_a_card_alone_tells_builds_nothing_anew(copy: Path, told: dict[str, Any]) -> None:
    entries = datasets()
    write(copy, [entries[0] | told])
    assert dry(load_recipe(copy / "bank.yaml"), str(miniature.base_folder()), copy / "bank")[0] == (
        "keep   words: words.jsonl"
    )


@pytest.mark.parametrize(
    "change",
    [
        {"limit": 30}, {"training": {"steps": 5}}, {"where": {"input": "x"}}, {"reasoning": "answer_first"},
        {"columns": {"input": "{input}", "output": "{output}"}},
    ],
)  # fmt: skip
def test_a_changed_entry_is_built_anew(copy: Path, change: dict[str, Any]) -> None:
    base = str(miniature.base_folder())
    write(copy, [datasets()[0] | change, datasets()[2]])
    assert [line[:5] for line in dry(load_recipe(copy / "bank.yaml"), base, copy / "bank")[:2]] == [
        "build",
        "keep ",
    ]


@pytest.mark.parametrize(
    "top", [{"seed": 1}, {"held_out": {"rows": 2}}, {"training": TRAINING | {"rank": 2}}]
)
def test_what_all_adapters_share_builds_them_all_anew(copy: Path, top: dict[str, Any]) -> None:
    entries = [entry | {"training": {"seed": 0}} for entry in datasets()]  # rows are drawn by the bank's seed
    write(copy, entries, **top)
    lines = dry(load_recipe(copy / "bank.yaml"), str(miniature.base_folder()), copy / "bank")
    assert [line[:5] for line in lines[:3]] == ["build"] * 3


def test_changed_rows_and_cut_weights_are_built_anew_and_the_old_folder_is_replaced(copy: Path) -> None:
    weights = copy / "bank" / "words" / "adapter_model.safetensors"
    old = weights.read_bytes()
    weights.write_bytes(old[:-8])
    (copy / "bank" / "words" / "notes.txt").write_text("of the old adapter")
    lines = (copy / "meanings.jsonl").read_text().split("\n")
    (copy / "meanings.jsonl").write_text("\n".join(lines[5:]))
    built, events = build(copy, only=("words", "meanings"))
    assert begun(events) == ["words", "meanings"]
    assert built.complete
    assert weights.read_bytes() == old  # the same recipe, rows and seed
    assert not (copy / "bank" / "words" / "notes.txt").exists()
    assert facts_of(copy, "meanings")["rows"]["read"] == 55
    assert list((copy / "bank").glob(".building*")) == []


def test_a_folder_that_no_build_wrote_is_not_touched(copy: Path) -> None:
    (copy / "bank" / "words" / "kshot.json").write_text("{")
    built, _ = build(copy, only=("words",))
    assert [name for name, _ in built.failed] == ["words"]
    assert "kshot.json is missing or damaged; move it away" in built.failed[0][1]
    assert (copy / "bank" / "words" / "README.md").exists()


def test_adapters_that_left_the_recipe_stay_and_are_listed(copy: Path) -> None:
    write(copy, [datasets()[2]])
    built, _ = build(copy)
    assert [row["name"] for row in built.adapters] == ["meanings"]
    assert json.loads((copy / "bank" / "bank.json").read_text())["others"] == ["words"]
    assert (copy / "bank" / "words" / "README.md").exists()


KILLED = """
import os, signal, sys
from pathlib import Path
from kshot.pipeline.bank_build import build_bank, load_recipe
folder = Path(sys.argv[1])
def listen(event, **fields):
    if event == "system" and fields["name"].startswith("meanings"):
        os.kill(os.getpid(), signal.SIGKILL)
build_bank(load_recipe(folder / "bank.yaml"), base=sys.argv[2], out=folder / "bank", listener=listen)
"""


def test_a_killed_build_loses_the_adapter_in_work_alone(tmp_path: Path) -> None:
    write(tmp_path, [datasets()[0], datasets()[2]])
    done = subprocess.run(
        [sys.executable, "-c", KILLED, str(tmp_path), str(miniature.base_folder())],
        capture_output=True,
        check=False,
    )
    assert done.returncode == -signal.SIGKILL, done.stderr
    assert (tmp_path / "bank" / ".building").is_dir()
    assert [entry.name for entry in Bank(tmp_path / "bank").entries] == ["words"]
    built, events = build(tmp_path)
    assert (built.built, built.kept, begun(events)) == (("meanings",), ("words",), ["meanings"])
    assert built.complete
    assert not (tmp_path / "bank" / ".building").exists()


class Writer:
    """Explains every answer with the same words; the answer stands in the question that it is asked."""

    id = "writer@1"
    asked = 0

    def generate(self, conversations: Sequence[Conversation], **_: Any) -> list[Reply]:
        Writer.asked += len(conversations)
        answers = [turns[-1].content.split("Right answer: ")[1].split("\n")[0] for turns in conversations]
        return [Reply(f"{answer}\nthe words say so .") for answer in answers]


def test_reasoning_is_written_marked_and_kept_for_the_next_build(tmp_path: Path) -> None:
    write(tmp_path, [datasets()[0] | {"cot": True}])
    lines = [line for line in (tmp_path / "words.jsonl").read_text().splitlines() if "\\n" not in line][:20]
    (tmp_path / "words.jsonl").write_text("\n".join(lines))
    built, _ = build(tmp_path)
    assert built.built == ("words",)
    assert built.failed[0][0] == "words-cot"
    assert "--reasoning-model" in built.failed[0][1]
    built, events = build(tmp_path, writer=Writer())
    assert (built.built, begun(events), Writer.asked) == (("words-cot",), ["words-cot"], 20)
    reasoning = facts_of(tmp_path, "words-cot")["reasoning"]
    assert (reasoning["order"], reasoning["written"], reasoning["writer"]) == ("answer_first", 20, "writer@1")
    assert (
        "20 of them were written by writer@1" in (tmp_path / "bank" / "words-cot" / "README.md").read_text()
    )
    assert facts_of(tmp_path, "words")["reasoning"]["rows"] == 0
    shutil.rmtree(tmp_path / "bank" / "words-cot")
    built, _ = build(tmp_path, writer=Writer())
    assert (built.built, Writer.asked) == (("words-cot",), 20)


def test_rows_that_are_too_long_are_left_out_and_counted(tmp_path: Path) -> None:
    write(tmp_path, [datasets()[0] | {"training": {"max_tokens": 12, "steps": 1}}])
    build(tmp_path)
    rows = facts_of(tmp_path, "words")["rows"]
    assert rows["left_out"]["more than 12 tokens"] > 0
    assert rows["learned"] > 0
    assert rows["learned"] + rows["held_out"] + sum(rows["left_out"].values()) == 60


def test_a_full_disk_ends_the_build(copy: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: Any, **__: Any) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(workshop, "build_adapter", full)
    with pytest.raises(RunError, match="no space is left"):
        build(copy)


def test_a_surprise_in_one_dataset_stops_no_other(copy: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def surprise(*_: Any, **__: Any) -> None:
        raise RuntimeError("out of memory\nand more")

    monkeypatch.setattr(workshop, "build_adapter", surprise)
    write(copy, datasets(), seed=1)
    built, events = build(copy)
    assert begun(events) == ["words", "broken", "meanings"]
    assert built.failed[0] == ("words", "RuntimeError: out of memory")
    assert facts_of(copy, "words")["settings"]["seed"] == 0  # what was there stays until there is a new one


def test_no_time_left(copy: Path) -> None:
    write(copy, datasets(), seed=1, minutes=1e-9)
    built, _ = build(copy)
    assert (built.built, built.left) == ((), ("words", "broken", "meanings"))


def test_what_cannot_be_built_at_all(copy: Path, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no adapter 'wrods'; did you mean 'words'"):
        build(copy, only=("wrods",))
    with pytest.raises(ModelError, match=r"config.json is missing"):
        build(copy, base=tmp_path)
    write(tmp_path / "other")
    (tmp_path / "other" / "bank").mkdir()
    (tmp_path / "other" / "bank" / "thesis.tex").write_text("mine")
    with pytest.raises(InputError, match="not empty and holds no run"):
        build(tmp_path / "other")


def test_the_plan_of_a_dry_run(copy: Path) -> None:
    recipe = load_recipe("paper")
    lines = dry(recipe, str(miniature.base_folder()), copy / "none", only=("arc-c", "gsm8k"))
    assert lines == [
        "build  arc-c: allenai/ai2_arc (id and columns not tried on the hub)",
        "build  gsm8k: openai/gsm8k (id and columns not tried on the hub)",
        "leaves this machine: the name of the dataset 'allenai/ai2_arc', asked of the hub (no rows)",
        "leaves this machine: the name of the dataset 'openai/gsm8k', asked of the hub (no rows)",
    ]
    assert not (copy / "none").exists()
    assert dry(recipe, "owner/base", copy / "none", only=("gsm8k",))[1] == (
        "which adapters are up to date can be said once the base is here"
    )
