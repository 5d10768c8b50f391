"""Rank, alpha and targets by PEFT's own rules, and what a configuration is refused for."""

from __future__ import annotations

import json

import pytest
from peft import LoraConfig as PeftLoraConfig
from peft.tuners.tuners_utils import check_target_module_exists
from peft.utils.other import get_pattern_key

from kshot.errors import AdapterError
from kshot.models.lora.config import lora_config, read_config, unsupported

PLAIN = {"peft_type": "LORA", "r": 8, "lora_alpha": 16, "target_modules": ["q_proj", "v_proj"]}
MODULES = [
    "q_proj",
    "model.layers.0.self_attn.q_proj",
    "model.layers.1.self_attn.v_proj",
    "model.layers.10.self_attn.q_proj",
    "model.layers.1.mlp.experts.2.w1",
    "model.layers.1.my_q_proj",
    "decoder.block.3.q_proj",
    "lm_head",
]


def test_scaling_is_alpha_over_rank_or_its_root():
    assert lora_config(PLAIN).scaling_of("model.q_proj") == 2.0
    assert lora_config(PLAIN | {"use_rslora": True, "r": 16}).scaling_of("model.q_proj") == 4.0


@pytest.mark.parametrize(
    "pattern",
    [
        {},
        {"q_proj": 4},
        {"layers.1.*": 2, "q_proj": 4},
        {"^model.layers.0.self_attn.q_proj": 3},
        {"proj": 5},
        {r"layers\.\d+\.self_attn\.(q|v)_proj": 6},
        {"model.layers.1": 9},
        {"": 7},
        {"self_attn.q_proj": 1, "q_proj": 2},
    ],
)
def test_patterns_match_as_in_peft(pattern):
    config = lora_config(PLAIN | {"rank_pattern": pattern, "alpha_pattern": pattern})
    for module in MODULES:
        expected = pattern.get(get_pattern_key(list(pattern), module))
        assert config.rank_of(module) == (8 if expected is None else expected)
        assert config.alpha_of(module) == (16 if expected is None else expected)


@pytest.mark.parametrize(
    "fields",
    [
        {},
        {"target_modules": ["self_attn.q_proj"]},
        {"target_modules": r".*layers\.\d\..*"},
        {"target_modules": "q_proj"},
        {"exclude_modules": ["layers.1.self_attn.v_proj"]},
        {"exclude_modules": r".*\.1\..*"},
        {"layers_to_transform": [0, 10]},
        {"layers_to_transform": 1},
        {"layers_to_transform": []},
        {"layers_to_transform": [3], "layers_pattern": "block"},
        {"layers_to_transform": [1], "layers_pattern": ["h", "layers"]},
        {"target_modules": ["w1"], "layers_to_transform": [2]},
        {"target_modules": ["w1"], "layers_to_transform": [1]},
        {"target_modules": []},
    ],
)
def test_targets_match_as_in_peft(fields):
    fields = PLAIN | fields
    theirs = PeftLoraConfig(**{key: value for key, value in fields.items() if key != "peft_type"})
    for module in MODULES:
        found = check_target_module_exists(theirs, module)
        assert lora_config(fields).is_target(module) == (
            bool(found) and "Excluded" not in type(found).__name__
        )


def test_all_linear_leaves_the_question_open():
    assert lora_config(PLAIN | {"target_modules": "all-linear"}).is_target("anything")


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"r": None}, r"'?r'? is None, expected a whole number from 1"),
        ({"r": 0}, "expected a whole number from 1"),
        ({"r": True}, "expected a whole number from 1"),
        ({"r": 8.0}, "expected a whole number from 1"),
        ({"lora_alpha": "16"}, "expected a number"),
        ({"lora_alpha": float("nan")}, "expected a number"),
        ({"rank_pattern": {"q_proj": -1}}, "rank_pattern 'q_proj' is -1"),
        ({"rank_pattern": [1]}, r"'rank_pattern' is \[1\], expected dict"),
        ({"alpha_pattern": {"(": 1}}, "is no regular expression"),
        ({"target_modules": 3}, "'target_modules' is 3"),
        ({"target_modules": ["q", 3]}, "no list of names"),
        ({"target_modules": "("}, "is no regular expression"),
        ({"use_rslora": "yes"}, "'use_rslora' is 'yes', expected bool"),
    ],
)
def test_wrong_types(fields, message):
    with pytest.raises(AdapterError, match=r"adapter_config\.json: field .*" + message):
        lora_config(PLAIN | fields)


@pytest.mark.parametrize(
    ("fields", "code"),
    [
        ({"peft_type": "IA3"}, "other_type"),
        ({"peft_type": None}, "other_type"),
        ({"use_dora": True}, "dora"),
        ({"bias": "lora_only"}, "bias"),
        ({"bias": "all"}, "bias"),
        ({"lora_bias": True}, "bias"),
        ({"modules_to_save": ["lm_head"]}, "saved_modules"),
        ({"trainable_token_indices": [1]}, "trainable_tokens"),
        ({"target_parameters": ["experts.w"]}, "parameters"),
        ({"layer_replication": [[0, 2]]}, "layer_replication"),
        ({"alora_invocation_tokens": [1]}, "activated"),
        ({"init_lora_weights": "pissa_niter_4"}, "changed_base"),
        ({"init_lora_weights": "olora"}, "changed_base"),
        ({"use_something_new": True}, "unknown_switch"),
    ],
)
def test_more_than_a_plain_lora(fields, code):
    assert [problem.code for problem in unsupported(PLAIN | fields)] == [code]


def test_a_configuration_as_peft_writes_it_is_plain(tmp_path):
    PeftLoraConfig(r=4, target_modules=["q_proj"], task_type="CAUSAL_LM").save_pretrained(tmp_path)
    written = read_config(tmp_path)
    assert unsupported(written) == []
    assert lora_config(written).targets == ("q_proj",)
    assert unsupported(written | {"init_lora_weights": "gaussian", "modules_to_save": []}) == []


@pytest.mark.parametrize("text", ["{", "", "[1]", '"x"', "[" * 100_000, "\x00"])
def test_no_json_object(tmp_path, text):
    (tmp_path / "adapter_config.json").write_text(text)
    with pytest.raises(AdapterError, match=r"adapter_config\.json: (is no JSON|holds a)"):
        read_config(tmp_path)


def test_binary_and_missing(tmp_path):
    with pytest.raises(AdapterError, match=r"is missing; expected a PEFT adapter folder"):
        read_config(tmp_path)
    (tmp_path / "adapter_config.json").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(AdapterError, match="is no JSON"):
        read_config(tmp_path)
    (tmp_path / "adapter_config.json").write_text(json.dumps(PLAIN))
    assert read_config(tmp_path) == PLAIN
