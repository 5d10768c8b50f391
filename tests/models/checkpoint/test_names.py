"""Which tensor is which: renames, prefixes, tied output layers, module folders, buffers."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from header_folders import BERT, bert_tensors, llama_tensors, sentence_model, write_model
from mix_folders import FAMILIES, family
from safetensors.torch import load_file, save_file

from kshot.models.checkpoint.aliases import alias, embedding, is_head
from kshot.models.checkpoint.members import open_member
from kshot.models.checkpoint.names import compare_names, match_names


def opened(folder, tensors, config=None, **changed):
    return open_member(write_model(folder, tensors, config, **changed))


def pairs(base, member):
    return {name: tensor.name for name, tensor in match_names(base, member).items()}


def clean(match):
    return (match.missing, match.extra, dict(match.second), match.twice) == ((), (), {}, ())


@pytest.mark.parametrize("name", FAMILIES)
def test_two_models_of_one_family_match_by_name(tmp_path, name):
    base, member = (open_member(folder) for folder in family(tmp_path, name, count=2))
    match = compare_names(base, member)
    assert clean(match)
    assert {key: tensor.name for key, tensor in match.found.items()} == {key: key for key in base.tensors}
    assert all(tensor.path.is_relative_to(member.folder) for tensor in match.found.values())


def test_old_names_of_layer_norms(tmp_path):
    base = opened(tmp_path / "new", bert_tensors(), BERT)
    member = opened(tmp_path / "old", bert_tensors(norm=("gamma", "beta")), BERT)
    assert clean(compare_names(base, member))
    assert pairs(base, member)["embeddings.LayerNorm.weight"] == "embeddings.LayerNorm.gamma"
    assert pairs(member, base)["embeddings.LayerNorm.beta"] == "embeddings.LayerNorm.bias"


@pytest.mark.parametrize("start", ["bert.", "roberta.", "model.", "transformer."])
def test_a_prefix_that_one_side_lacks(tmp_path, start):
    base = opened(tmp_path / "long", bert_tensors(start=start, norm=("gamma", "beta")), BERT)
    member = opened(tmp_path / "short", bert_tensors(), BERT)
    for one, other in ((base, member), (member, base)):
        assert clean(compare_names(one, other))
        assert len(pairs(one, other)) == 5
    assert pairs(base, member)[f"{start}embeddings.LayerNorm.gamma"] == "embeddings.LayerNorm.weight"


def test_a_prefix_stands_before_the_backbone_alone(tmp_path):
    base = opened(tmp_path / "base", llama_tensors(head=False) | {"score.weight": np.ones((1, 8))})
    member = opened(tmp_path / "m", llama_tensors(head=False, start="") | {"score.weight": np.ones((1, 8))})
    assert clean(compare_names(base, member))
    assert pairs(base, member)["score.weight"] == "score.weight"
    assert pairs(base, member)["model.norm.weight"] == "norm.weight"


def test_missing_and_extra_names(tmp_path):
    tensors = bert_tensors()
    base = opened(tmp_path / "base", tensors, BERT)
    lost = {name: value for name, value in tensors.items() if "query.bias" not in name}
    match = compare_names(base, opened(tmp_path / "m", lost | {"pooler.dense.weight": [[1.0]]}, BERT))
    assert match.missing == ("encoder.layer.0.attention.self.query.bias",)
    assert match.extra == ("pooler.dense.weight",)
    assert "encoder.layer.0.attention.self.query.bias" not in match.found


def test_one_tensor_under_its_old_and_its_new_name(tmp_path):
    base = opened(tmp_path / "base", bert_tensors(), BERT)
    both = bert_tensors() | {"embeddings.LayerNorm.gamma": np.ones(8)}
    assert len(compare_names(base, opened(tmp_path / "m", both, BERT)).twice) == 1


class TestTied:
    def test_the_tied_members_embedding_is_its_output_layer(self, tmp_path):
        base = opened(tmp_path / "untied", llama_tensors())
        for start in ("model.", ""):
            member = opened(
                tmp_path / f"tied{start}", llama_tensors(head=False, start=start), tie_word_embeddings=True
            )
            match = compare_names(base, member)
            assert clean(match)
            assert match.found["lm_head.weight"].name == f"{start}embed_tokens.weight"

    def test_a_member_that_denies_the_tie_lacks_its_output_layer(self, tmp_path):
        base = opened(tmp_path / "untied", llama_tensors())
        member = opened(tmp_path / "m", llama_tensors(head=False), tie_word_embeddings=False)
        assert compare_names(base, member).missing == ("lm_head.weight",)

    def test_an_untied_members_output_layer_is_second_to_a_tied_base(self, tmp_path):
        base = opened(tmp_path / "tied", llama_tensors(head=False), tie_word_embeddings=True)
        match = compare_names(base, opened(tmp_path / "untied", llama_tensors()))
        assert match.second == {"lm_head.weight": "model.embed_tokens.weight"}
        assert (match.missing, match.extra) == ((), ())

    def test_the_embedding_saved_under_the_output_layers_name(self, tmp_path):
        tensors = llama_tensors(head=False)
        base = opened(tmp_path / "base", tensors, tie_word_embeddings=True)
        moved = {("lm_head.weight" if "embed" in name else name): value for name, value in tensors.items()}
        match = compare_names(base, opened(tmp_path / "m", moved, tie_word_embeddings=True))
        assert clean(match)
        assert match.found["model.embed_tokens.weight"].name == "lm_head.weight"

    def test_the_shared_embedding_of_an_encoder_decoder(self, tmp_path):
        one, two = family(tmp_path, "t5", count=2)
        for tied in (one, two):  # as older versions wrote it: all names, or none but the encoder's
            tensors = load_file(tied / "model.safetensors")
            shared = tensors.pop("shared.weight")
            tensors.pop("encoder.embed_tokens.weight", None)
            tensors.pop("lm_head.weight", None)
            names = ("shared.weight",) if tied == one else ("encoder.embed_tokens.weight",)
            save_file(tensors | {name: shared.clone() for name in names}, tied / "model.safetensors")
        base, member = open_member(one), open_member(two)
        assert clean(compare_names(base, member))
        assert match_names(base, member)["shared.weight"].name == "encoder.embed_tokens.weight"
        assert match_names(member, base)["encoder.embed_tokens.weight"].name == "shared.weight"

    def test_heads_and_embeddings_by_name(self, tmp_path):
        names = open_member(write_model(tmp_path / "m", llama_tensors())).tensors
        assert embedding(names) == "model.embed_tokens.weight"
        assert alias("lm_head.weight", names, tied=True) == "model.embed_tokens.weight"
        assert alias("lm_head.weight", names, tied=False) is None
        assert alias("model.norm.weight", names, tied=True) is None
        assert is_head("cls.predictions.decoder.weight")
        assert not is_head("model.decoder.weight")
        assert not is_head("layers.0.attn.proj_out.weight")


class TestModules:
    def test_modules_match_by_position_whatever_their_folder(self, tmp_path):
        base = open_member(sentence_model(tmp_path / "new"))
        member = open_member(sentence_model(tmp_path / "old", first="0_Transformer"))
        assert clean(compare_names(base, member))
        assert clean(compare_names(member, base))
        found = match_names(base, member)["embeddings.word_embeddings.weight"]
        assert found.path == member.folder / "0_Transformer" / "model.safetensors"
        assert match_names(base, member)["2_Dense/linear.bias"].path.parent.name == "2_Dense"

    def test_a_dense_layer_is_no_part_of_a_plain_model(self, tmp_path):
        base = open_member(sentence_model(tmp_path / "st"))
        member = opened(tmp_path / "plain", bert_tensors(), BERT)
        assert compare_names(base, member).missing == ("2_Dense/linear.bias", "2_Dense/linear.weight")
        assert compare_names(member, base).extra == ("2_Dense/linear.bias", "2_Dense/linear.weight")


def test_buffers_may_be_missing_or_extra(tmp_path):
    ids = {"embeddings.position_ids": np.arange(4)[None]}
    base = opened(tmp_path / "with", bert_tensors() | ids, BERT)
    member = opened(tmp_path / "without", bert_tensors(), BERT)
    assert clean(compare_names(base, member))
    assert clean(compare_names(member, base))
    assert match_names(base, member)["embeddings.position_ids"].path.parent == base.folder
    assert "embeddings.position_ids" not in match_names(member, base)


def test_the_causal_mask_of_an_older_gpt2(tmp_path):
    base, member = family(tmp_path, "gpt2", count=2)
    tensors = load_file(member / "model.safetensors")
    tensors |= {"transformer.h.0.attn.bias": torch.ones(1, 1, 8, 8, dtype=torch.bool),
                "transformer.h.0.attn.masked_bias": torch.tensor(-1e4)}  # fmt: skip
    save_file(tensors, member / "model.safetensors")
    assert clean(compare_names(open_member(base), open_member(member)))
