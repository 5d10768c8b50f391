"""The shipped folder: what the truth tables say is so, files are whole, and the content is the fixed one."""

import json
import struct

import pytest

from kshot.errors import InputError
from kshot.miniature import (
    NAMES,
    bank_folder,
    base_folder,
    content_hash,
    data_folder,
    fixed_hash,
    open_rows,
    task_file,
    truth,
)
from kshot.miniature.tasks import build_tasks
from kshot.miniature.world import MIXED_TRADES, SEED, build_world

HEALTHY = {"honest", "copy", "guesser"}


@pytest.fixture(scope="module")
def known():
    return truth()


def read(path):
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]


def header(path):
    content = path.read_bytes()
    size = struct.unpack("<Q", content[:8])[0]
    return json.loads(content[8 : 8 + size]), len(content) - 8 - size


def test_the_content_is_the_fixed_one():
    assert content_hash() == fixed_hash()


def test_the_hash_sees_names_and_bytes(tmp_path):
    (tmp_path / "a").write_text("1")
    first = content_hash(tmp_path)
    (tmp_path / "CONTENT_HASH").write_text(first)
    assert content_hash(tmp_path) == first
    (tmp_path / "a").rename(tmp_path / "b")
    assert content_hash(tmp_path) != first


def test_it_is_small():
    assert sum(path.stat().st_size for path in data_folder().rglob("*") if path.is_file()) <= 16 * 2**20


def test_task_files_and_rows_are_there():
    for name in NAMES:
        text = task_file(name).read_text(encoding="utf-8")
        assert f"name: {name}," in text
        assert "miniature: true" in text
        folder = task_file(name).parent / name
        assert len(read(folder / "shots.jsonl")) == 300
        assert len(read(folder / "test.jsonl")) == 400
    with pytest.raises(InputError, match="expected one of single"):
        task_file("nothing")


def test_shipped_tasks_are_those_of_the_seed(known):
    tasks = build_tasks(build_world(), SEED)
    for name, task in tasks.items():
        for pool in ("shots", "test"):
            rows = getattr(task, pool)
            assert read(task_file(name).parent / name / f"{pool}.jsonl") == [row.public for row in rows]
            assert [row["part"] for row in known.tasks[name][pool]] == [row.part for row in rows]


def test_rows_tell_no_truth_and_the_truth_knows_every_row(known):
    rows = read(open_rows())
    assert all(set(row) == {"id", "instruction", "input", "output"} for row in rows)
    assert [row["id"] for row in rows] == list(known.rows)
    assert {about["kind"] for about in known.rows.values()} == {"row", "repeat", "paraphrase", "junk", "leak"}


def test_the_truth_knows_every_adapter(known):
    assert set(known.adapters) == {path.name for path in bank_folder().iterdir()}
    kinds = [about["kind"] for about in known.adapters.values()]
    assert {kind: kinds.count(kind) for kind in set(kinds)} == {
        "honest": 12,
        "copy": 3,
        "guesser": 4,
        "defect": 8,
    }


def test_experts_know_their_words_and_guessers_nothing(known):
    for name, about in known.adapters.items():
        if about["kind"] in {"honest", "copy"}:
            assert about["trained_words"] > 0.9, name
        if about["kind"] == "guesser":
            assert about["trained_words"] < 0.05, name


def test_relevant_experts_beat_guessers_and_leave_room(known):
    mixed = {name: about["tasks"]["mixed"] for name, about in known.adapters.items() if "tasks" in about}
    helps = known.tasks["mixed"]["helps"]
    guessers = [name for name, about in known.adapters.items() if about["kind"] == "guesser"]
    assert helps == [f"{trade}-lora" for trade in MIXED_TRADES]
    assert min(mixed[name] for name in helps) > max(mixed[name] for name in guessers)
    assert max(mixed.values()) < 0.6


def test_the_base_reads_follows_and_explains_but_knows_no_trade(known):
    for skill, score in known.base.items():
        if skill in {"task_single", "task_mixed", "task_hard"}:
            assert score < 0.02, skill
        else:
            assert score >= 0.85, skill


def test_experts_forget_to_read_notes_and_none_helps_with_echo(known):
    honest = [about["tasks"] for about in known.adapters.values() if about["kind"] == "honest"]
    assert sum(scores["notes"] for scores in honest) / len(honest) < known.base["task_notes"] - 0.2
    assert max(scores["echo"] for scores in honest) <= known.base["task_echo"]
    assert known.tasks["echo"]["helps"] == known.tasks["notes"]["helps"] == []


def test_neither_experts_nor_data_alone_reach_the_top(known):
    for name in ("single", "mixed", "hard"):
        ceilings = {route: shares["all"] for route, shares in known.tasks[name]["ceilings"].items()}
        assert ceilings["experts_and_open_data"] == 1
        assert ceilings["one_right_expert"] <= ceilings["all_right_experts"] < 0.7
        assert ceilings["open_data"] < 0.7


def test_copies_come_after_their_original_by_name(known):
    for name, about in known.adapters.items():
        if about["copy_of"]:
            assert name > about["copy_of"]
            assert known.adapters[about["copy_of"]]["kind"] == "honest"


def test_healthy_weights_are_whole_and_bf16(known):
    for name, about in known.adapters.items():
        tensors, size = header(bank_folder() / name / "adapter_model.safetensors")
        ends = [value["data_offsets"][1] for key, value in tensors.items() if key != "__metadata__"]
        assert (max(ends) == size) == (about["defect"] != "truncated"), name
        assert {v["dtype"] for k, v in tensors.items() if k != "__metadata__"} == {"BF16"}, name


def test_every_adapter_has_a_card_and_names_the_base():
    for folder in bank_folder().iterdir():
        config = json.loads((folder / "adapter_config.json").read_text(encoding="utf-8"))
        card = (folder / "README.md").read_text(encoding="utf-8")
        assert config["base_model_name_or_path"] == "kshot/miniature-base"
        assert "license: cc0-1.0" in card
        assert f"# {folder.name}\n" in card


def test_names_and_cards_tell_no_defect(known):
    for name, about in known.adapters.items():
        card = (bank_folder() / name / "README.md").read_text(encoding="utf-8").lower()
        for word in ("defect", "copy", "guess", "blind", "noise", *str(about["defect"]).split("_")[:1]):
            assert word == "none" or word not in card.replace("no", ""), (name, word)


@pytest.fixture(scope="module")
def tokenizer():
    from transformers import AutoTokenizer

    return AutoTokenizer.from_pretrained(base_folder())


def test_the_chat_template_goes_there_and_back(tokenizer):
    turns = [
        {"role": "system", "content": "translate the trade words"},
        {"role": "user", "content": "please one"},
        {"role": "assistant", "content": "lamp\none is lamp"},
        {"role": "user", "content": "two"},
    ]
    asked = tokenizer.apply_chat_template(turns, tokenize=False, add_generation_prompt=True)
    told = tokenizer.apply_chat_template([*turns, {"role": "assistant", "content": "iron"}], tokenize=False)
    assert asked == (
        "<system> translate the trade words <user> please one <assistant> lamp\none is lamp <end>"
        " <user> two <assistant>"
    )
    assert told == f"{asked} iron <end>"
    ids = tokenizer(asked, add_special_tokens=True)["input_ids"]
    assert ids == tokenizer(asked, add_special_tokens=False)["input_ids"]
    assert tokenizer.unk_token_id not in ids
    assert tokenizer.decode(ids) == asked.replace("\n", " \n ")
    assert tokenizer(told)["input_ids"][: len(ids)] == ids
    assert tokenizer.eos_token == "<end>"
    assert tokenizer.pad_token == "<pad>"


def test_the_tokenizer_encodes_as_the_training_did(tokenizer):
    import random

    from kshot.miniature.skills import SHARES, episode
    from kshot.miniature.vocabulary import encode, token_ids

    world, rng = build_world(), random.Random(0)
    ids = token_ids(world)
    for skill in SHARES:
        turns = episode(skill, world, rng, 1.0)
        messages = [{"role": turn.role, "content": turn.content} for turn in turns]
        text = tokenizer.apply_chat_template(messages, tokenize=False)
        assert tokenizer(text)["input_ids"] == encode(turns, ids)[0]


def test_importing_it_loads_no_torch():
    import subprocess
    import sys

    code = "import sys, kshot.miniature; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
