"""A folder loaded and asked through the seams, and every folder that is refused."""

from __future__ import annotations

import json
import shutil

import numpy as np
import pytest
import tiny
import torch

from kshot.errors import ModelError
from kshot.models.base import LanguageModel, LossModel
from kshot.models.hf.loading import check_folder, folder_hash, pick_device
from kshot.models.hf.model import HfModel


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tiny.save(tmp_path_factory.mktemp("model"), chat=tiny.CHATML)


@pytest.fixture
def copy(folder, tmp_path):
    return shutil.copytree(folder, tmp_path / "copy")


def test_a_folder_is_a_language_model_and_a_loss_model(folder):
    model = HfModel.load(folder, device="cpu")
    assert isinstance(model, LanguageModel)
    assert isinstance(model, LossModel)
    turns = tiny.conversations()
    assert len(model.generate(turns, max_new_tokens=3)) == len(turns)
    assert model.count_tokens(turns) == [r.prompt_tokens for r in model.generate(turns, max_new_tokens=1)]
    direct = tiny.loaded()
    ours = model.token_losses(turns, tiny.targets())
    from kshot.models.hf.losses import token_losses

    for one, other in zip(ours, token_losses(direct, turns, tiny.targets()), strict=True):
        np.testing.assert_array_equal(one.nats, other.nats)
    assert model.choice_scores(turns[:1], [["a", "b"]])[0].best() in (0, 1)
    assert model.tokenizer.eos_token == "</s>"


def test_the_id_is_the_path_and_a_hash_of_content_template_and_dtype(folder, copy):
    ids = {
        HfModel.load(folder, device="cpu", template=template, dtype=dtype).id
        for template in ("auto", "plain")
        for dtype in ("float32", "bfloat16")
    }
    assert len(ids) == 4
    assert HfModel.load(folder, device="cpu").id == HfModel.load(folder, device="cpu", template="chat").id
    path, _, digest = HfModel.load(folder, device="cpu").id.rpartition("@")
    assert path == str(folder)
    assert HfModel.load(copy, device="cpu").id.endswith(digest)
    before = folder_hash(copy)
    (copy / "README.md").write_text("no part of the content")
    assert folder_hash(copy) == before
    (copy / "generation_config.json").write_text('{"eos_token_id": 9}')
    assert folder_hash(copy) != before


def test_auto_is_float32_on_a_cpu_and_bfloat16_can_be_asked_for(copy):
    tiny.model().to(torch.bfloat16).save_pretrained(copy)
    assert HfModel.load(copy, device="cpu").model.dtype == torch.float32
    assert HfModel.load(copy, device="cpu", dtype="bfloat16").model.dtype == torch.bfloat16


@pytest.mark.parametrize("key", ["attn_implementation", "_attn_implementation"])
def test_attention_is_the_default_unless_the_config_says_eager(copy, key):
    assert HfModel.load(copy, device="cpu").model.config._attn_implementation == "sdpa"
    config = json.loads((copy / "config.json").read_text())
    (copy / "config.json").write_text(json.dumps(config | {key: "eager"}))
    assert HfModel.load(copy, device="cpu").model.config._attn_implementation == "eager"


def test_every_end_that_the_folder_names_ends_a_reply(copy):
    (copy / "generation_config.json").write_text('{"eos_token_id": [9, 11]}')
    assert HfModel.load(copy, device="cpu").loaded.end_ids == {2, 4, 9, 11}


def test_sharded_weights_load(folder, tmp_path):
    shutil.copytree(folder, tmp_path / "m", ignore=shutil.ignore_patterns("*.safetensors"))
    tiny.model().save_pretrained(tmp_path / "m", max_shard_size="60KB")
    assert len(list((tmp_path / "m").glob("*.safetensors"))) > 1
    model = HfModel.load(tmp_path / "m", device="cpu")
    for one, other in zip(model.model.parameters(), tiny.model().parameters(), strict=True):
        assert torch.equal(one, other)


def test_loading_leaves_no_trace_in_transformers_logging(folder):
    from transformers.utils import logging

    at_first = logging.get_verbosity()
    logging.set_verbosity_warning()
    logging.enable_progress_bar()
    HfModel.load(folder, device="cpu")
    assert (logging.get_verbosity(), logging.is_progress_bar_enabled()) == (logging.WARNING, True)
    logging.set_verbosity(at_first)


def _without(name):
    return lambda folder: [path.unlink() for path in folder.glob(name)]


def _pickled(folder):
    _without("*.safetensors")(folder)
    (folder / "pytorch_model.bin").write_bytes(b"\x80\x02")


def _cut(folder):
    path = folder / "model.safetensors"
    path.write_bytes(path.read_bytes()[:-100])


def _shard_gone(folder):
    tiny.model().save_pretrained(folder, max_shard_size="60KB")
    (folder / "model.safetensors").unlink(missing_ok=True)
    sorted(folder.glob("model-*.safetensors"))[0].unlink()


def _tensor_gone(folder):
    from safetensors.torch import load_file, save_file

    state = load_file(folder / "model.safetensors")
    del state["model.layers.1.mlp.up_proj.weight"]
    save_file(state, folder / "model.safetensors", metadata={"format": "pt"})


def _other_shape(folder):
    config = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps(config | {"intermediate_size": 64}))


def _write(name, text):
    return lambda folder: (folder / name).write_text(text)


BROKEN = {
    "no config": (_without("config.json"), "config.json is missing"),
    "no weights": (_without("*.safetensors"), r"no \*.safetensors file"),
    "pickled": (_pickled, r"pickled weights only \(pytorch_model.bin\).*convert them"),
    "cut short": (_cut, "cut short or no safetensors file"),
    "text as weights": (
        _write("model.safetensors", "version https://git-lfs"),
        "cut short or no safetensors",
    ),
    "empty weights": (_write("model.safetensors", ""), "cut short or no safetensors"),
    "shard gone": (_shard_gone, r"model-00001-of-0000\d.safetensors is missing"),
    "tensor gone": (_tensor_gone, r"1 weights are missing or of another shape, first model.layers.1.mlp.up"),
    "other shape": (_other_shape, "cannot be loaded|of another shape"),
    "no tokenizer": (_without("token*"), "no tokenizer"),
    "damaged tokenizer": (_write("tokenizer.json", "{"), "cannot be loaded"),
    "damaged config": (_write("config.json", "{"), "config.json: cannot be read"),
    "config is a list": (_write("config.json", "[]"), "config.json: holds list"),
    "unknown kind": (_write("config.json", '{"model_type": "nonesuch"}'), "cannot be loaded"),
    "no kind": (_write("config.json", "{}"), "cannot be loaded"),
    "damaged index": (_write("model.safetensors.index.json", "{}"), "index.json: cannot be read"),
}


@pytest.mark.parametrize("name", BROKEN)
def test_a_folder_that_cannot_be_used_is_refused(name, copy):
    damage, message = BROKEN[name]
    damage(copy)
    with pytest.raises(ModelError, match=message) as caught:
        HfModel.load(copy, device="cpu")
    assert str(copy) in str(caught.value)


def test_a_vocabulary_larger_than_the_embedding_is_refused(tmp_path):
    tiny.model(vocabulary=300).save_pretrained(tmp_path)
    tiny.tokenizer().save_pretrained(tmp_path)
    with pytest.raises(ModelError, match=r"ids up to \d+, the model's embedding 300 rows"):
        HfModel.load(tmp_path, device="cpu")


@pytest.mark.parametrize("name", ["/no/such/folder", "./nothing", "~/models", "a/b/c", "pyproject.toml"])
def test_no_such_folder(name):
    with pytest.raises(ModelError, match="no such folder"):
        HfModel.load(name)


@pytest.mark.parametrize("name", ["kshot-tests/no-such-model", "no such name!"])
def test_no_such_hub_name(name):
    with pytest.raises(ModelError, match="no such folder here, and the hub gave no such model"):
        HfModel.load(name)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"dtype": "int3"}, "'int3' is none of auto, float32"),
        ({"device": "abacus"}, "device 'abacus' cannot be used here"),
        ({"template": "fancy"}, "'fancy' is none of auto"),
    ],
)
def test_settings_that_are_none(folder, options, message):
    with pytest.raises(ModelError, match=message):
        HfModel.load(folder, **({"device": "cpu"} | options))


def test_a_device_that_is_not_there():
    if torch.cuda.is_available():
        pytest.skip("this machine has it")
    with pytest.raises(ModelError, match="device 'cuda' cannot be used here"):
        pick_device("cuda")
    assert pick_device("auto").type in ("cpu", "mps")


def test_a_sound_folder_passes_the_check(folder):
    check_folder(folder)
