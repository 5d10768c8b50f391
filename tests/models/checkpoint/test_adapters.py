"""Adapters that PEFT itself wrote, placed on the stored tensors of a base; and those that do not fit."""

from __future__ import annotations

import numpy as np
import pytest
import tiny
from header_folders import llama_tensors, write_model
from peft import LoraConfig, PeftModel, get_peft_model
from peft_folders import VARIANTS, peft_folder
from safetensors.torch import load_file
from small_bank import write_adapter, write_base
from tiny_kinds import encoder, sentence_folder

from kshot.models.checkpoint.adapters import adapter_factors, match_adapter
from kshot.models.checkpoint.members import open_member
from kshot.models.hf.loading import quiet


def merged_by_factors(base, member):
    """The base's stored tensors plus what the factors say, in double."""
    made = {name: tensor.read().astype(np.float64) for name, tensor in base.tensors.items()}
    for name, factors in adapter_factors(base, member).items():
        a, b = (end.read().astype(np.float64) for end in (factors.pair.a, factors.pair.b))
        change = factors.scaling * (b @ a)
        made[name] = made[name] + (change.T if factors.turned else change)
    return made


@pytest.mark.parametrize("variant", VARIANTS)
def test_the_factors_are_what_peft_merges(tmp_path, variant):
    kind, options = VARIANTS[variant]
    tiny.save(tmp_path / "base", kind)
    peft_folder(tmp_path / "adapter", kind, **options)
    base, member = open_member(tmp_path / "base"), open_member(tmp_path / "adapter")
    assert match_adapter(base, member).problems == ()
    assert len(adapter_factors(base, member)) == len(member.pairs)
    with quiet():
        merged = PeftModel.from_pretrained(tiny.model(kind), tmp_path / "adapter").merge_and_unload()
        merged.save_pretrained(tmp_path / "merged")
    wanted = load_file(tmp_path / "merged" / "model.safetensors")
    for name, value in merged_by_factors(base, member).items():
        np.testing.assert_allclose(value, wanted[name].numpy(), atol=2e-6, err_msg=name)


@pytest.mark.parametrize("prefixed", [True, False])
def test_module_names_of_another_class(tmp_path, prefixed):
    """An adapter of the causal model on files without ``model.``, and of the bare model on files with it."""
    base = open_member(
        write_model(tmp_path / "base", llama_tensors(head=False, start="model." if prefixed else ""))
    )
    start = "" if prefixed else "model."
    folder = write_adapter(
        tmp_path / "a",
        {
            f"base_model.model.{start}layers.0.self_attn.q_proj.lora_A.weight": np.ones((2, 8), np.float32),
            f"base_model.model.{start}layers.0.self_attn.q_proj.lora_B.weight": np.ones((8, 2), np.float32),
        },
    )
    match = match_adapter(base, open_member(folder))
    assert match.problems == ()
    assert list(match.factors) == [("model." if prefixed else "") + "layers.0.self_attn.q_proj.weight"]


def test_an_adapter_on_the_transformer_of_an_embedder(tmp_path):
    plain = encoder(tmp_path / "plain")
    base = open_member(sentence_folder(tmp_path / "st", plain))
    from transformers import AutoModel

    with quiet():
        made = get_peft_model(
            AutoModel.from_pretrained(plain),
            LoraConfig(target_modules=["query"], task_type="FEATURE_EXTRACTION"),
        )
        made.save_pretrained(tmp_path / "a")
    found = adapter_factors(base, open_member(tmp_path / "a"))
    assert set(found) == {f"encoder.layer.{layer}.attention.self.query.weight" for layer in range(2)}
    assert found.keys() <= base.tensors.keys()


def test_a_square_conv1d_is_turned_and_its_output_layer_is_not(tmp_path):
    tiny.save(tmp_path / "base", "gpt2")
    peft_folder(tmp_path / "a", "gpt2", r=2, target_modules=["c_proj"], fan_in_fan_out=True)
    base, member = open_member(tmp_path / "base"), open_member(tmp_path / "a")
    square = [f for name, f in adapter_factors(base, member).items() if "attn.c_proj" in name]
    assert len(square) == 2
    assert all(factors.turned for factors in square)


def adapted_head(folder, *, more=()):
    """An adapter of the output layer; PEFT would save the layer itself beside it."""
    made = {}
    for module in ("lm_head", *more):
        made[f"base_model.model.{module}.lora_A.weight"] = np.ones((2, 8), np.float32)
        rows = 24 if module == "lm_head" else 8
        made[f"base_model.model.{module}.lora_B.weight"] = np.ones((rows, 2), np.float32)
    return open_member(write_adapter(folder, made, target_modules=["lm_head", "q_proj"]))


@pytest.mark.parametrize("start", ["model.", ""])
def test_a_tied_output_layer_is_refused_and_the_rest_is_found(tmp_path, start):
    tensors = llama_tensors(head=False, start=start)
    base = open_member(write_model(tmp_path / "base", tensors, tie_word_embeddings=True))
    member = adapted_head(tmp_path / "a", more=["model.layers.1.self_attn.q_proj"])
    match = match_adapter(base, member)
    assert list(match.factors) == [f"{start}layers.1.self_attn.q_proj.weight"]
    assert len(match.problems) == 1
    assert "shares with its embedding" in match.problems[0]


def test_an_untied_output_layer_is_a_matrix_like_others(tmp_path):
    base = open_member(write_model(tmp_path / "base"))
    match = match_adapter(base, adapted_head(tmp_path / "a"))
    assert (list(match.factors), match.problems) == (["lm_head.weight"], ())


class TestDoesNotFit:
    def test_another_width(self, tmp_path):
        base = open_member(write_base(tmp_path / "base", width=6))
        match = match_adapter(base, open_member(write_adapter(tmp_path / "a")))
        assert len(match.problems) == 4
        assert "shape (8, 12), the base's" in match.problems[0]
        assert match.factors == {}

    def test_an_unknown_module(self, tmp_path):
        base = open_member(write_model(tmp_path / "base"))
        match = match_adapter(base, open_member(write_adapter(tmp_path / "a")))
        assert any("down_proj, which" in problem for problem in match.problems)

    def test_a_packed_base(self, tmp_path):
        folder = write_model(
            tmp_path / "base",
            {
                name: value.astype(np.int8) if "q_proj" in name else value
                for name, value in llama_tensors().items()
            },
        )
        match = match_adapter(open_member(folder), open_member(write_adapter(tmp_path / "a")))
        assert any("dequantise" in problem for problem in match.problems)
