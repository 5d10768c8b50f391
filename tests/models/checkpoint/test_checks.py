"""Every case that the specification of the mix refuses by files alone, and every warning."""

from __future__ import annotations

import json

import numpy as np
import pytest
import tiny
from header_folders import (
    BERT,
    LLAMA,
    TOKENS,
    bert_tensors,
    llama_tensors,
    plain,
    sentence_model,
    tokenizer,
    write_json,
    write_model,
)
from mix_folders import FAMILIES, family
from peft_folders import VARIANTS, peft_folder
from safetensors.numpy import save_file
from small_bank import write_adapter, write_base
from tiny_kinds import encoder, reranker, sentence_folder

from kshot.errors import ModelError
from kshot.models.checkpoint.checks import find_problems
from kshot.models.checkpoint.members import open_member


def problems(*folders, base=0):
    return find_problems([open_member(folder) for folder in folders], base=base)


def refused(*folders, base=0):
    """The only refusal."""
    found = problems(*folders, base=base).refusals
    assert len(found) == 1, found
    return found[0]


def llama(place, tensors=None, **changed):
    return write_model(place, llama_tensors(seed=1) if tensors is None else tensors, **changed)


@pytest.fixture
def base(tmp_path):
    return write_model(tmp_path / "base", llama_tensors())


@pytest.mark.parametrize("name", FAMILIES)
def test_fine_tunes_of_one_model_pass_without_a_word(tmp_path, name):
    found = problems(*family(tmp_path, name))
    assert (found.refusals, found.warnings) == ((), ())


@pytest.mark.parametrize("variant", VARIANTS)
def test_an_adapter_of_the_base_passes(tmp_path, variant):
    kind, options = VARIANTS[variant]
    tiny.save(tmp_path / "base", kind)
    peft_folder(tmp_path / "a", kind, **options)
    assert problems(tmp_path / "base", tmp_path / "a").refusals == ()


class TestArchitecture:
    def test_another_model_type(self, tmp_path, base):
        said = refused(base, llama(tmp_path / "m", model_type="qwen3"))
        assert "model_type is 'qwen3'" in said
        assert str(tmp_path / "m") in said

    def test_another_head(self, tmp_path):
        tensors = bert_tensors() | {"classifier.weight": np.ones((2, 8)), "classifier.bias": np.ones(2)}
        one, other = (
            write_model(tmp_path / name, tensors, BERT | {"architectures": [f"BertFor{name}Classification"]})
            for name in ("Sequence", "Token")
        )
        assert "output layers mean other things" in refused(one, other)

    def test_a_bare_class_of_the_same_tensors_is_told(self, tmp_path):
        one = write_model(tmp_path / "a", bert_tensors(), BERT)
        other = write_model(
            tmp_path / "b", bert_tensors(start="bert."), BERT | {"architectures": ["BertForX"]}
        )
        found = problems(one, other)
        assert found.refusals == ()
        assert "architecture is BertForX" in found.warnings[0]

    def test_hidden_sizes(self, tmp_path):
        tiny.save(tmp_path / "a")
        tiny.save(tmp_path / "b", hidden_size=48, head_dim=8)
        said = "\n".join(problems(tmp_path / "a", tmp_path / "b").refusals)
        assert "hidden_size is 48" in said
        assert "tensors differ in shape" in said

    def test_vocabulary_of_500_against_508(self, tmp_path):
        tiny.save(tmp_path / "a", vocabulary=500)
        tiny.save(tmp_path / "b", vocabulary=508)
        found = problems(tmp_path / "a", tmp_path / "b").refusals
        assert "vocab_size is 508" in found[0]
        assert "508, 32" in found[1]
        assert "500, 32" in found[1]

    def test_two_logits_against_one(self, tmp_path):
        found = problems(reranker(tmp_path / "a"), reranker(tmp_path / "b", labels=("no", "yes"))).refusals
        assert "has 2 outputs (num_labels)" in found[0]

    def test_labels_in_another_order(self, tmp_path):
        one = reranker(tmp_path / "a", labels=("no", "yes"))
        assert "another order" in refused(one, reranker(tmp_path / "b", labels=("yes", "no")))
        found = problems(one, reranker(tmp_path / "c", labels=("bad", "good")))
        assert found.refusals == ()
        assert any("its outputs are bad, good" in said for said in found.warnings)

    def test_what_the_computation_depends_on(self, tmp_path, base):
        assert "rms_norm_eps is 1e-05" in refused(base, llama(tmp_path / "m", rms_norm_eps=1e-5))


class TestTensors:
    def test_missing(self, tmp_path, base):
        tensors = llama_tensors()
        del tensors["model.layers.1.mlp.up_proj.weight"]
        assert "lacks 1 tensors of" in refused(base, llama(tmp_path / "m", tensors))

    def test_extra(self, tmp_path, base):
        said = refused(base, llama(tmp_path / "m", llama_tensors() | {"model.extra.weight": [[1.0]]}))
        assert "has 1 tensors that" in said
        assert "model.extra.weight" in said

    def test_a_pooler_that_one_lacks(self, tmp_path):
        pooler = {"pooler.dense.weight": np.ones((8, 8)), "pooler.dense.bias": np.ones(8)}
        one = write_model(tmp_path / "a", bert_tensors() | pooler, BERT)
        other = write_model(tmp_path / "b", bert_tensors(), BERT)
        assert "pooler.dense.bias; save both with the same class" in refused(one, other)
        assert "has 2 tensors that" in refused(other, one)

    def test_doubled(self, tmp_path):
        one = write_model(tmp_path / "a", bert_tensors(), BERT)
        twice = bert_tensors() | {"embeddings.LayerNorm.gamma": np.ones(8)}
        assert "twice" in refused(one, write_model(tmp_path / "b", twice, BERT))

    def test_shape(self, tmp_path, base):
        tensors = llama_tensors() | {"model.layers.0.mlp.up_proj.weight": np.ones((4, 8))}
        said = refused(base, llama(tmp_path / "m", tensors))
        assert "model.layers.0.mlp.up_proj.weight has shape (4, 8)" in said
        assert "(16, 8)" in said

    def test_floating_point_against_integers(self, tmp_path):
        one = write_model(tmp_path / "a", bert_tensors() | {"table": np.ones(3)}, BERT)
        other = write_model(tmp_path / "b", bert_tensors() | {"table": np.ones(3, np.int64)}, BERT)
        assert "table is I64" in refused(one, other)

    def test_dtypes_are_told(self, tmp_path, base):
        half = {name: value.astype(np.float16) for name, value in llama_tensors().items()}
        found = problems(base, llama(tmp_path / "m", half))
        assert found.refusals == ()
        assert "7 tensors are F16" in found.warnings[0]

    @pytest.mark.parametrize("which", [0, 1])
    def test_quantised(self, tmp_path, base, which):
        folders = [base, llama(tmp_path / "m", quantization_config={"quant_method": "gptq"})]
        said = refused(*(folders if which else reversed(folders)))
        assert "quantised (gptq" in said
        assert "dequantise it first" in said
        assert str(tmp_path / "m") in said

    @pytest.mark.parametrize("dtype", [np.int8, np.uint8, np.int32])
    def test_packed_weights_without_a_word_in_the_config(self, tmp_path, base, dtype):
        name = "model.layers.0.mlp.up_proj.weight"
        tensors = llama_tensors() | {name: np.ones((16, 8), dtype)}
        found = problems(base, llama(tmp_path / "m", tensors)).refusals
        assert f"1 tensors are packed, first {name}" in found[0]

    def test_eight_bit_floating_point(self, tmp_path, base):
        folder = llama(tmp_path / "m")
        path = folder / "model.safetensors"
        raw = path.read_bytes()
        length = int.from_bytes(raw[:8], "little")
        header = json.loads(raw[8 : 8 + length])
        shape = header["model.norm.weight"]["shape"]
        header["model.norm.weight"] |= {"dtype": "F8_E4M3", "shape": [4 * shape[0]]}
        text = json.dumps(header).encode()
        path.write_bytes(len(text).to_bytes(8, "little") + text + raw[8 + length :])
        assert "model.norm.weight as F8_E4M3; dequantise" in problems(base, folder).refusals[0]

    def test_integer_buffers_are_no_packed_weights(self, tmp_path):
        ids = {"embeddings.position_ids": np.arange(4)[None], "bn.num_batches_tracked": np.array(3)}
        folders = [write_model(tmp_path / name, bert_tensors() | ids, BERT) for name in "ab"]
        assert problems(*folders).refusals == ()


class TestTied:
    def test_a_tied_and_an_untied_member_mix_into_an_untied_base(self, tmp_path, base):
        tied = llama(tmp_path / "tied", llama_tensors(head=False), tie_word_embeddings=True)
        assert problems(base, tied).refusals == ()

    def test_an_untied_member_is_refused_by_a_tied_base(self, tmp_path, base):
        tied = llama(tmp_path / "tied", llama_tensors(head=False), tie_word_embeddings=True)
        assert "take an untied model as the base" in refused(tied, base)

    def test_unless_its_output_layer_is_the_embedding(self, tmp_path):
        tied = llama(tmp_path / "tied", llama_tensors(head=False), tie_word_embeddings=True)
        tensors = llama_tensors(head=False)
        same = llama(
            tmp_path / "m", tensors | {"lm_head.weight": tensors["model.embed_tokens.weight"].copy()}
        )
        assert problems(tied, same).refusals == ()

    @pytest.mark.parametrize("which", [0, 1])
    def test_a_config_that_ties_what_is_not_equal(self, tmp_path, which):
        folders = [
            llama(tmp_path / "a", tie_word_embeddings=True),
            llama(tmp_path / "b", tie_word_embeddings=True),
        ]
        tensors = llama_tensors(seed=1)
        tensors["lm_head.weight"] = tensors["model.embed_tokens.weight"].copy()
        llama(folders[1 - which], tensors, tie_word_embeddings=True)
        said = refused(*folders)
        assert said.startswith(f"{folders[which]}: config.json ties")


class TestTokenizers:
    def test_another_vocabulary(self, tmp_path, base):
        said = refused(base, llama(tmp_path / "m", tokens=TOKENS | {"c": 5}))
        assert "has tokens that" in said
        assert "'c'" in said

    def test_special_tokens_and_chat_templates_are_told(self, tmp_path, base):
        folder = llama(tmp_path / "m")
        write_json(folder / "tokenizer_config.json", {"bos_token": "a", "chat_template": "{{ x }}"})
        found = problems(base, folder)
        assert found.refusals == ()
        assert any("bos_token is 'a'" in said for said in found.warnings)
        assert any("has a chat template" in said for said in found.warnings)

    def test_of_an_adapter(self, tmp_path):
        base = write_base(tmp_path / "base", tokens=TOKENS)
        folder = write_adapter(tmp_path / "a")
        assert problems(base, folder).refusals == ()
        write_json(folder / "tokenizer.json", tokenizer(TOKENS | {"c": 5}))
        assert "'c'" in refused(base, folder)

    def test_of_a_sub_folder(self, tmp_path):
        one = sentence_model(tmp_path / "a", first="0_Transformer")
        other = sentence_model(tmp_path / "b")
        assert problems(one, other).refusals == ()
        write_json(one / "0_Transformer" / "tokenizer.json", tokenizer(TOKENS | {"c": 5}))
        assert "'c'" in refused(one, other)


class TestModules:
    def test_real_folders_of_one_kind_pass(self, tmp_path):
        plain_folder = encoder(tmp_path / "plain")
        folders = [sentence_folder(tmp_path / name, plain_folder, prompts={"query": "q: "}) for name in "ab"]
        found = problems(*folders)
        assert (found.refusals, found.warnings) == ((), ())

    @pytest.mark.parametrize(
        "pooling",
        [
            {"pooling_mode": "cls", "embedding_dimension": 8},
            {
                "word_embedding_dimension": 8,
                "pooling_mode_cls_token": True,
                "pooling_mode_mean_tokens": False,
            },
            {"pooling_mode": ["mean", "cls"], "embedding_dimension": 8},
        ],
    )
    def test_another_pooling(self, tmp_path, pooling):
        one, other = sentence_model(tmp_path / "a"), sentence_model(tmp_path / "b", pooling=pooling)
        assert "Pooling: pooling_mode is" in refused(one, other)

    def test_older_spelling_of_the_same_pooling(self, tmp_path):
        old = {
            "word_embedding_dimension": 8,
            "pooling_mode_cls_token": False,
            "pooling_mode_mean_tokens": True,
        }
        one, other = sentence_model(tmp_path / "a"), sentence_model(tmp_path / "b", pooling=old)
        assert problems(one, other).refusals == ()

    def test_other_modules(self, tmp_path):
        one, other = sentence_model(tmp_path / "a"), sentence_model(tmp_path / "b")
        entries = json.loads((other / "modules.json").read_text())
        write_json(other / "modules.json", entries[:-1])
        assert "its modules are Transformer, Pooling, Dense, " in refused(one, other)

    def test_another_dense_layer(self, tmp_path):
        one, other = sentence_model(tmp_path / "a"), sentence_model(tmp_path / "b")
        write_json(other / "2_Dense" / "config.json", {"in_features": 8, "out_features": 4, "bias": False})
        assert "Dense: bias is False" in refused(one, other)

    def test_prompts_and_lengths_are_told(self, tmp_path):
        one, other = sentence_model(tmp_path / "a"), sentence_model(tmp_path / "b")
        write_json(one / "config_sentence_transformers.json", {"prompts": {"query": "", "document": ""}})
        write_json(one / "sentence_bert_config.json", {"max_seq_length": 64})
        assert problems(one, other).warnings == ()
        write_json(other / "config_sentence_transformers.json", {"prompts": {"query": "find: "}})
        write_json(other / "sentence_bert_config.json", {"max_seq_length": 128})
        found = problems(one, other)
        assert found.refusals == ()
        assert any("prompts are {'query': 'find: '}" in said for said in found.warnings)
        assert any("max_seq_length is 128" in said for said in found.warnings)

    def test_a_plain_folder_beside_an_embedder(self, tmp_path):
        embedder = sentence_model(tmp_path / "a", dense=False)
        bare = write_model(tmp_path / "b", bert_tensors(), BERT)
        assert "take" in refused(bare, embedder)
        assert "as the base" in refused(bare, embedder)
        found = problems(embedder, bare)
        assert found.refusals == ()
        assert "states no pooling" in found.warnings[0]

    def test_code_of_its_own_is_told(self, tmp_path):
        one, other = sentence_model(tmp_path / "a"), sentence_model(tmp_path / "b")
        entries = json.loads((other / "modules.json").read_text())
        entries[1]["type"] = "custom.Pooling"
        write_json(other / "modules.json", entries)
        assert any(
            "code of its own (custom.Pooling), which kshot" in said for said in problems(one, other).warnings
        )


class TestAdapters:
    def test_of_another_width(self, tmp_path):
        said = refused(write_base(tmp_path / "base", width=6), write_adapter(tmp_path / "a"))
        assert "trained for another model (4 modules do not fit)" in said

    def test_of_another_name_is_told(self, tmp_path):
        base = write_base(tmp_path / "base")
        assert problems(base, write_adapter(tmp_path / "a")).warnings == ()
        found = problems(base, write_adapter(tmp_path / "b", base_model_name_or_path="owner/other"))
        assert found.refusals == ()
        assert "trained for owner/other" in found.warnings[0]

    def test_as_the_base(self, tmp_path):
        folders = [write_adapter(tmp_path / "a"), write_base(tmp_path / "m")]
        assert "name a full model as the base" in refused(*folders)
        assert problems(*folders, base=1).refusals == ()

    def test_adapters_alone(self, tmp_path):
        said = refused(write_adapter(tmp_path / "a"), write_adapter(tmp_path / "b"))
        assert "mix the adapters alone into one adapter" in said


def test_code_that_the_config_maps_to_is_told(tmp_path, base):
    found = problems(base, llama(tmp_path / "m", auto_map={"AutoModel": "modeling.Model"}))
    assert found.refusals == ()
    assert "auto_map in config.json" in found.warnings[0]


def test_one_folder_given_twice_is_told(tmp_path, base):
    (tmp_path / "link").symlink_to(base)
    found = problems(base, tmp_path / "link")
    assert found.refusals == ()
    assert "is the same folder as" in found.warnings[0]


def test_weights_that_are_left_out_are_told(tmp_path, base):
    save_file({"x": plain([1.0])}, base / "consolidated.safetensors")
    assert any("consolidated.safetensors is no part" in said for said in problems(base).warnings)


def test_another_base(tmp_path, base):
    other = llama(tmp_path / "m", llama_tensors() | {"model.extra.weight": [[1.0]]})
    assert "lacks 1 tensors" in refused(base, other, base=1)
    with pytest.raises(ModelError, match="base is member 2"):
        problems(base, other, base=2)


def test_all_refusals_are_given_and_each_names_its_member(tmp_path, base):
    one = llama(tmp_path / "one", hidden_act="relu", rms_norm_eps=1.0)
    two = llama(tmp_path / "two", model_type="other")
    found = problems(base, one, two).refusals
    assert [said.split(":")[0] for said in found] == [str(one), str(one), str(two)]


def test_the_fixture_itself_is_a_llama_that_has_no_problem(base):
    assert json.loads((base / "config.json").read_text()) == LLAMA
    assert problems(base).refusals == problems(base).warnings == ()
