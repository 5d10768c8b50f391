"""Configurations compared: what a forward pass feels is refused, what it does not feel is not mentioned."""

from __future__ import annotations

import pytest

from kshot.models.checkpoint.configs import config_differences, label_count, label_order


def refusals(own, known):
    return config_differences(own, known, name="base").refusals


def warnings(own, known):
    return config_differences(own, known, name="base").warnings


@pytest.mark.parametrize(
    ("key", "one", "other"),
    [
        ("hidden_size", 32, 64), ("n_embd", 32, 64), ("d_model", 32, 64), ("d_ff", 32, 64), ("ffn_dim", 1, 2),
        ("intermediate_size", 1, 2), ("num_hidden_layers", 2, 3), ("n_layer", 2, 3), ("vocab_size", 500, 508),
        ("type_vocab_size", 1, 2), ("num_attention_heads", 4, 8), ("n_head", 4, 8), ("num_heads", 4, 8),
        ("num_key_value_heads", 1, 2), ("head_dim", 8, 16), ("d_kv", 8, 16), ("hidden_act", "gelu", "relu"),
        ("activation_function", "gelu", "gelu_new"), ("feed_forward_proj", "relu", "gated-gelu"),
        ("layer_norm_eps", 1e-5, 1e-12), ("rms_norm_eps", 1e-5, 1e-6), ("layer_norm_epsilon", 1e-5, 1e-6),
        ("norm_eps", 1e-5, 1e-6), ("rope_theta", 1e4, 5e5),
        ("rope_scaling", {"type": "linear", "factor": 2.0}, {"type": "linear", "factor": 4.0}),
        ("sliding_window", 4096, None), ("attention_bias", True, False),
        ("position_embedding_type", "absolute", "relative_key"), ("is_decoder", True, False),
        ("num_experts_per_tok", 2, 4), ("final_logit_softcapping", 30.0, 50.0),
        ("partial_rotary_factor", 0.5, 1.0),
        ("layer_types", ["a"], ["b"]), ("local_attention", 64, 128), ("classifier_pooling", "cls", "mean"),
        ("num_decoder_layers", 2, 3), ("encoder_layers", 2, 3), ("scale_decoder_outputs", True, False),
    ],
)  # fmt: skip
def test_what_changes_the_computation_is_refused(key, one, other):
    found = refusals({key: one}, {key: other})
    assert len(found) == 1
    assert key.split("_")[0] in found[0]
    assert refusals({key: one}, {key: one}) == ()


@pytest.mark.parametrize(
    ("key", "one", "other"),
    [
        ("_name_or_path", "a", "b"), ("dtype", "float32", "bfloat16"), ("torch_dtype", "float16", "float32"),
        ("transformers_version", "4.1", "5.1"), ("use_cache", True, False), ("hidden_dropout_prob", 0.1, 0.0),
        ("attention_dropout", 0.1, 0.0), ("resid_pdrop", 0.1, 0.0), ("initializer_range", 0.02, 1.0),
        ("max_length", 20, 30), ("id2label", {"0": "a"}, {"0": "b"}),
        ("_attn_implementation", "sdpa", "eager"),
        ("task_specific_params", {"x": 1}, None), ("gradient_checkpointing", True, False),
    ],
)  # fmt: skip
def test_what_nothing_feels_is_not_mentioned(key, one, other):
    found = config_differences({key: one}, {key: other}, name="base")
    assert (found.refusals, found.warnings) == ((), ())


def test_anything_else_is_told_with_both_values():
    assert warnings({"max_position_embeddings": 4096, "x": 1}, {"max_position_embeddings": 512, "x": 2}) == (
        "max_position_embeddings is 4096, base has 512; base's is used",
        "x is 1, base has 2; base's is used",
    )


def test_keys_that_one_side_leaves_out_are_told_once():
    found = warnings({"hidden_act": "gelu", "new": 3, "none": None}, {"old": "x", "is_decoder": False})
    assert len(found) == 1
    assert "hidden_act = 'gelu' (it), new = 3 (it), old = 'x' (base)" in found[0]


def test_nested_configurations_are_compared_key_by_key():
    one, other = (
        {"text_config": {"hidden_size": 1, "dtype": "a"}},
        {"text_config": {"hidden_size": 2, "dtype": "b"}},
    )
    assert refusals(one, other) == ("text_config.hidden_size is 1, base has 2",)


def test_both_spellings_of_rotary_settings():
    old = {"rope_theta": 500000, "rope_scaling": {"type": "yarn", "factor": 4.0}}
    new = {"rope_parameters": {"rope_theta": 500000.0, "rope_type": "yarn", "factor": 4.0}}
    plain = {"rope_theta": 10000.0, "rope_scaling": None}
    default = {"rope_parameters": {"rope_theta": 10000.0, "rope_type": "default"}}
    for one, other in ((old, new), (plain, default)):
        found = config_differences(one, other, name="base")
        assert (found.refusals, found.warnings) == ((), ())
    assert len(refusals(old | {"rope_theta": 1e6}, new)) == 1
    layers = {"rope_parameters": {"full_attention": {"rope_theta": 1e4, "rope_type": "default"}}}
    assert refusals(layers, {"rope_parameters": {"full_attention": {"rope_theta": 2e4}}}) == (
        "rope.full_attention.rope_theta is 10000.0, base has 20000.0",
    )


def test_scaling_on_one_side_alone_is_refused():
    """A theta that both state and a scaling that one lacks are two models."""
    found = refusals(
        {"rope_theta": 1e4, "rope_scaling": {"type": "linear", "factor": 2.0}}, {"rope_theta": 1e4}
    )
    assert found == ("rope.factor is 2.0, base has not set", "rope.rope_type is 'linear', base has not set")


def test_an_unused_window_does_not_matter():
    one = {"use_sliding_window": False, "sliding_window": 131072}
    other = {"use_sliding_window": False, "sliding_window": 32768}
    assert config_differences(one, other, name="base") == config_differences({}, {}, name="base")


def test_labels():
    assert label_count({"num_labels": 3}) == 3
    assert label_count({"id2label": {"0": "a", "1": "b", "2": "c"}}) == 3
    assert label_order({"id2label": {"10": "k", "2": "c"}}) == ("c", "k")
    assert label_order({"id2label": {"0": "LABEL_0", "1": "LABEL_1"}}) == ()
    assert label_order({}) == ()
