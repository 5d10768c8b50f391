"""Mixes in memory of the kinds that are no decoders."""

from __future__ import annotations

import shutil

import numpy as np
import pytest
import tiny_kinds
import torch
from peft import LoraConfig, get_peft_model
from safetensors.torch import load_file, save_file
from transformers import BertModel

from kshot.data.example import Example
from kshot.data.ranking import Ranking
from kshot.models.checkpoint.members import open_member
from kshot.models.checkpoint.plan import plan_mix
from kshot.models.checkpoint.resident import ResidentMix, score_members
from kshot.models.checkpoint.write import write_mix
from kshot.models.hf.loading import quiet
from kshot.models.kinds.open import open_mixable

WEIGHTS = (0.5, 0.3, 0.2)
PAIRS = [
    Ranking("cheap tickets", ("low cost fares",), ("garden tools", "opera")),
    Ranking("fix a tyre", ("repair a wheel",), ("tea", "solar panels")),
    Ranking("swallows", ("birds fly south",), ("bread", "chess")),
]
PROMPTS = [Example("The capital of France", "Paris"), Example("of Peru", "Lima")]


def near(folder, count=3):
    """The folder and copies of it whose floating-point weights are a little others."""
    found = [folder]
    for number in range(1, count):
        place = folder.parent / f"{folder.name}-{number}"
        shutil.copytree(folder, place)
        torch.manual_seed(number)
        for path in place.rglob("*.safetensors"):
            tensors = load_file(path)
            changed = {
                name: value + 0.1 * torch.randn(value.shape) if value.is_floating_point() else value
                for name, value in tensors.items()
            }
            save_file(changed, path, {"format": "pt"})
        found.append(place)
    return found


def build(kind, place):
    if kind == "encoder":
        plain = tiny_kinds.encoder(place / "plain")
        return tiny_kinds.sentence_folder(place / "sentences", plain)
    return {"plain": tiny_kinds.encoder, "reranker": tiny_kinds.reranker, "encoder-decoder": tiny_kinds.t5}[
        kind
    ](place / kind)


@pytest.mark.parametrize("kind", ["encoder", "plain", "reranker", "encoder-decoder"])
def test_the_mix_in_memory_answers_as_the_file_does(tmp_path, kind):
    folders = near(build(kind, tmp_path))
    name = "encoder" if kind == "plain" else kind
    rows = PROMPTS if kind == "encoder-decoder" else PAIRS
    plan = plan_mix(folders, kind=name)
    plan.check()
    write_mix(plan, WEIGHTS, tmp_path / "mix")
    written = open_mixable(tmp_path / "mix", name)
    mix = ResidentMix.open([open_member(folder) for folder in folders], name)
    with mix.at(WEIGHTS) as mixable:
        for key, value in written.module.state_dict().items():
            assert torch.equal(value, mixable.module.state_dict()[key]), key
        expected = written.losses(rows).each
        np.testing.assert_array_equal(mixable.losses(rows).each, expected)
    assert abs(mix.own_losses(rows)[0].each - expected).max() > 1e-4


def test_rows_of_an_embedder_are_contrasted_with_all_rows_whichever_are_asked(tmp_path):
    folders = near(build("encoder", tmp_path), 2)
    mix = ResidentMix.open([open_member(folder) for folder in folders], "encoder")
    half = np.array([0.5, 0.5])
    together = mix.objective(PAIRS)(half, [0, 1, 2])
    np.testing.assert_array_equal(mix.objective(PAIRS)(half, [2, 0]), together[[2, 0]])
    apart = mix.objective(PAIRS, batch_size=1)(half, [2, 0])
    assert (apart < together[[2, 0]]).all()


def test_an_adapter_of_the_bare_encoder_fits_the_one_inside_a_sentence_folder(tmp_path):
    plain = tiny_kinds.encoder(tmp_path / "plain")
    folder = tiny_kinds.sentence_folder(tmp_path / "sentences", plain)
    with quiet():
        model = get_peft_model(BertModel.from_pretrained(plain), LoraConfig(r=2, target_modules=["query"]))
    torch.manual_seed(0)
    for name, parameter in model.named_parameters():
        if "lora_" in name:
            parameter.data.normal_()
    model.save_pretrained(tmp_path / "lora")
    members = [open_member(place) for place in (folder, tmp_path / "lora")]
    mix = ResidentMix.open(members, "encoder")
    merged = model.merge_and_unload().state_dict()
    with mix.at((0.0, 1.0)) as mixable:
        found = mixable.module[0].auto_model.state_dict()
        for name, value in merged.items():
            torch.testing.assert_close(found[name], value, rtol=1e-6, atol=1e-6)
    apart = score_members(members, "encoder", PAIRS)
    np.testing.assert_array_equal(apart[1].each, mix.own_losses(PAIRS)[1].each)


def test_a_folder_whose_normalisation_has_no_folder_of_its_own_is_mixed(tmp_path):
    """As older models lie on the hub: it keeps no empty folders."""
    from sentence_transformers import SentenceTransformer
    from sentence_transformers.sentence_transformer.modules import Normalize, Pooling

    transformer = SentenceTransformer(str(tiny_kinds.encoder(tmp_path / "plain")), device="cpu")[0]
    modules = [transformer, Pooling(32, "mean"), Normalize()]
    SentenceTransformer(modules=modules, device="cpu").save(str(tmp_path / "sentences"))
    shutil.rmtree(tmp_path / "sentences" / "2_Normalize")
    folders = near(tmp_path / "sentences", 2)
    plan = plan_mix(folders)
    plan.check()
    write_mix(plan, (0.5, 0.5), tmp_path / "mix")
    mix = ResidentMix.open([open_member(folder) for folder in folders], "encoder")
    with mix.at((0.5, 0.5)) as mixable:
        written = open_mixable(tmp_path / "mix", "encoder")
        np.testing.assert_array_equal(mixable.losses(PAIRS).each, written.losses(PAIRS).each)
