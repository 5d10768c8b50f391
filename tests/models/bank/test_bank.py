"""The bank: what is scanned, how it is named, what is said where there is nothing."""

from __future__ import annotations

import hashlib
import json
import re

import pytest
import tiny
from peft_folders import peft_folder
from small_bank import CARD, PREFIX, module, tensors, write_adapter

from kshot.errors import AdapterError, InputError, ModelError
from kshot.models.bank.bank import Bank
from kshot.models.hf.model import HfModel


@pytest.fixture
def bank(tmp_path):
    folder = tmp_path / "bank"
    write_adapter(folder / "smith")
    write_adapter(folder / "words" / "brewer", lora_alpha=3, rank_pattern={})
    return folder


def test_entries_are_sorted_and_tell_what_folders_say(bank):
    one, other = Bank(bank).entries
    assert (one.name, other.name) == ("smith", "words/brewer")
    weights = (bank / "smith" / "adapter_model.safetensors").read_bytes()
    assert one.sha256 == hashlib.sha256(weights).hexdigest()
    assert one.size_bytes == len(weights)
    assert (one.base, one.licence, one.datasets, one.peft_type) == (
        "owner/base",
        "mit",
        ("owner/rows",),
        "LORA",
    )
    assert (one.rank_text, other.alpha_text, one.targets) == ("2", "3", ("down_proj", "q_proj"))
    assert one.problem is None


def test_content_follows_weights_and_configuration_alone(bank, tmp_path):
    """Scaling and targets stand in the configuration: the same weights file can be another adapter."""

    def content(name, **config):
        write_adapter(tmp_path / name / "x", **config)
        return Bank(tmp_path / name).entries[0].content

    same = Bank(bank / "smith").entries[0]
    assert re.fullmatch("[0-9a-f]{16}", same.content)
    assert content("copy", card="# another card") == same.content
    assert content("alpha", lora_alpha=9) != same.content
    assert content("weights", weights=tensors(seed=1)) != same.content
    other = Bank(tmp_path / "alpha").entries[0]
    assert other.sha256 == same.sha256
    assert len({same.content, other.content, Bank(tmp_path / "weights").entries[0].content}) == 3


def test_content_is_what_the_adapted_model_is_called_by(tmp_path):
    base = HfModel.load(tiny.save(tmp_path / "base"), device="cpu")
    peft_folder(tmp_path / "bank" / "smith", "llama")
    (entry,) = Bank(tmp_path / "bank").entries
    assert base.adapted(entry.folder).id.endswith(f"@{entry.content}")


@pytest.mark.parametrize("gone", ["adapter_config.json", "adapter_model.safetensors"])
def test_an_adapter_that_cannot_be_read_has_no_content(bank, gone):
    (bank / "smith" / gone).unlink()
    (entry,) = Bank(bank / "smith").entries
    assert (entry.content, entry.problem is None) == ("", False)


def test_pickled_and_locked_adapters_have_no_content(bank, monkeypatch):
    (bank / "smith" / "adapter_model.safetensors").rename(bank / "smith" / "adapter_model.bin")
    assert Bank(bank / "smith").entries[0].content == ""

    def locked(_):
        raise PermissionError(13, "Permission denied")

    for name in ("file_sha256", "adapter_hash"):
        monkeypatch.setattr(f"kshot.models.bank.entry.{name}", locked)
    (entry,) = Bank(bank / "words").entries
    assert (entry.sha256, entry.content) == (None, "")
    assert "cannot be read (Permission denied)" in entry.problem


def test_rows_are_plain_json(bank):
    rows = json.loads(json.dumps(Bank(bank).rows()))
    assert [row["name"] for row in rows] == ["smith", "words/brewer"]
    assert {"base", "rank", "alpha", "targets", "size", "sha256", "licence", "problem"} <= set(rows[0])


def test_ranks_of_modules_are_listed(tmp_path):
    weights = tensors()
    for side, cut in (("A", slice(0, 1)), ("B", (slice(None), slice(0, 1)))):
        key = f"{PREFIX}{module(1, 'q_proj')}.lora_{side}.weight"
        weights[key] = weights[key][cut].copy()
    write_adapter(tmp_path / "b" / "x", weights, rank_pattern={"layers.1.self_attn.q_proj": 1})
    assert Bank(tmp_path / "b").entries[0].ranks == (1, 2)


def test_one_bad_entry_stops_nothing(bank):
    (bank / "aaa").mkdir()
    (bank / "aaa" / "adapter_config.json").write_text("no JSON")
    (bank / "zzz").mkdir()
    (bank / "zzz" / "adapter_model.bin").write_bytes(b"\x80")
    entries = Bank(bank).entries
    assert [entry.name for entry in entries] == ["aaa", "smith", "words/brewer", "zzz"]
    assert "is no JSON" in entries[0].problem
    assert "pickled weights only" in entries[3].problem
    assert entries[3].size_bytes == 1
    with pytest.raises(AdapterError, match=r"aaa: .*is no JSON"):
        Bank(bank).adapter("aaa")


def test_what_is_passed_over(bank):
    write_adapter(bank / ".draft")
    write_adapter(bank / "smith" / "checkpoint-5")
    write_adapter(bank / "a" / "b" / "too-deep")
    (bank / "notes.txt").write_text("x")
    assert [entry.name for entry in Bank(bank).entries] == ["smith", "words/brewer"]


def test_lists_of_folders_banks_and_adapters(bank, tmp_path):
    write_adapter(tmp_path / "other" / "smith")
    write_adapter(tmp_path / "mason")
    names = [
        entry.name for entry in Bank([str(bank), tmp_path / "mason", tmp_path / "other" / "smith"]).entries
    ]
    assert names == ["bank/smith", "mason", "other/smith", "words/brewer"]
    assert len(Bank([bank, bank / "smith", f"{bank}/../bank"])) == 2


def test_the_order_of_places_changes_nothing(bank, tmp_path):
    write_adapter(tmp_path / "other" / "smith")
    places = [bank, tmp_path / "other", bank / "smith", bank / "words" / "brewer"]
    assert Bank(places).entries == Bank(places[::-1]).entries


def test_an_adapter_is_its_own_bank(bank):
    assert [entry.name for entry in Bank(bank / "smith").entries] == ["smith"]


def test_adapters_open_by_name(bank):
    assert Bank(bank).adapter("words/brewer").name == "words/brewer"
    with pytest.raises(InputError, match="no adapter 'smiht'; did you mean 'smith'"):
        Bank(bank).adapter("smiht")


@pytest.mark.parametrize("places", [[], "nothing", "file", "empty", "bnak"])
def test_places_where_nothing_is(bank, tmp_path, places):
    (tmp_path / "empty").mkdir()
    (tmp_path / "file").write_text("x")
    expected = {
        "nothing": "no such folder of adapters", "file": "is a file, expected a folder of adapters",
        "empty": "no adapter folder in it; expected folders with adapter_config.json",
        "bnak": "no such folder of adapters; did you mean 'bank'",
    }  # fmt: skip
    place = tmp_path / places if places else []
    with pytest.raises(InputError, match=expected[places] if places else "list of adapters is empty"):
        Bank(place)
    if places:
        with pytest.raises(InputError, match=expected[places]):
            Bank([str(place)])


def test_a_hub_id_is_not_downloaded_unasked():
    with pytest.raises(
        ModelError, match=r"owner/absent: no such folder, and not in the local hub cache .*allow downloads"
    ):
        Bank(["owner/absent@main"])


@pytest.mark.parametrize(
    ("card", "licence", "datasets"),
    [
        (CARD, "mit", ("owner/rows",)),
        ("---\nlicense: [mit, cc0-1.0]\ndatasets: one\n---\n", "mit, cc0-1.0", ("one",)),
        ("---\nlicense: other\nlicense_name: house\n---\n", "house", ()),
        ("---\r\nlicense: mit\r\n---\r\n", "mit", ()),
        ("\ufeff---\nlicense: mit\n---\n", "mit", ()),
        ("no front matter\n---\nlicense: mit\n---\n", None, ()),
        ("---\nlicense: mit\n", None, ()),
        ("---\n- a list\n---\n", None, ()),
        ("---\nlicense: {a: b}\ndatasets: 7\n---\n", None, ()),
        ("---\nlicense: !!python/object:os.system x\n---\n", None, ()),
        ("---\na: &a [x]\nb: *a\nlicense: &l mit\n---\n", "mit", ()),
        ("---\n\tbad: [\n---\n", None, ()),
        (None, None, ()),
    ],
)
def test_cards(tmp_path, card, licence, datasets):
    write_adapter(tmp_path / "b" / "x", card=card)
    (entry,) = Bank(tmp_path / "b").entries
    assert (entry.licence, entry.datasets) == (licence, datasets)


def test_a_binary_card_and_a_base_named_by_the_card_alone(tmp_path):
    folder = write_adapter(tmp_path / "b" / "x", base_model_name_or_path=None)
    assert Bank(tmp_path / "b").entries[0].base == "owner/base"
    (folder / "README.md").write_bytes(b"---\nlicense: \xff\n---\n")
    assert Bank(tmp_path / "b").entries[0].licence is None
