"""Two ``config.json`` compared: what makes other models of them, and what may be worth a look."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from fnmatch import fnmatchcase
from functools import lru_cache
from typing import Any

_ABSENT = object()
# the computation depends on these; both sides must state the same
_COMPUTATION = """
    hidden_size embedding_size embedding_dim embed_dim intermediate_size ffn_size ffn_dim hidden_dim dim
    word_embed_proj_dim encoder_ffn_dim decoder_ffn_dim d_model d_ff d_kv d_inner n_embd n_inner n_positions
    n_layer n_layers n_head n_heads num_layers num_hidden_layers num_decoder_layers num_encoder_layers
    encoder_layers decoder_layers num_heads num_attention_heads encoder_attention_heads
    decoder_attention_heads num_key_value_heads num_kv_heads head_dim vocab_size type_vocab_size
    hidden_act hidden_activation activation activation_function act_fn dense_act_fn feed_forward_proj
    is_gated_act classifier_pooling classifier_activation classifier_bias layer_norm_eps layer_norm_epsilon
    rms_norm_eps norm_eps norm_epsilon rope* rotary* partial_rotary_factor global_rope_theta local_rope_theta
    sliding_window sliding_window_pattern layer_types local_attention global_attn_every_n_layers
    attention_bias mlp_bias qkv_bias norm_bias decoder_bias use_bias position_embedding_type
    relative_attention* max_relative_positions pos_att_type alibi parallel_attn new_decoder_architecture
    use_parallel_residual multi_query attn_logit_softcapping final_logit_softcapping query_pre_attn_scalar
    logit_scale embedding_multiplier residual_multiplier attention_multiplier scale_* use_qk_norm
    reorder_and_upcast_attn qk_layernorm clip_qkv num_experts* num_local_experts n_routed_experts
    norm_topk_prob topk* moe_* first_k_dense_replace is_decoder is_encoder_decoder do_layer_norm_before
"""
# names, training, generation and output settings: nothing that a forward pass in evaluation feels
_HARMLESS = """
    _name_or_path architectures model_type dtype torch_dtype transformers_version use_cache auto_map
    cache_implementation quantization_config compression_config tie_word_embeddings tie_encoder_decoder
    num_labels _num_labels id2label label2id task_specific_params finetuning_task gradient_checkpointing
    return_dict torchscript *attn_implementation* output_attentions output_hidden_states output_scores
    output_past output_router_logits *dropout *dropout_prob *dropout_rate *dropout_p *pdrop *drop_path*
    *layerdrop* initializer_range initializer_factor initializer_cutoff_factor init_std pretraining_tp
    max_window_layers sentence_transformers unsloth* _commit_hash min_length max_length do_sample num_beams
    num_return_sequences early_stopping temperature top_k top_p typical_p length_penalty repetition_penalty
    diversity_penalty no_repeat_ngram_size encoder_no_repeat_ngram_size num_beam_groups bad_words_ids
    remove_invalid_values exponential_decay* suppress_tokens begin_suppress_tokens forced_* prefix
    problem_type chunk_size_feed_forward deterministic_flash_attn *aux_loss* sparse_pred* use_bfloat16
    tf_legacy_loss pruned_heads onnx* directionality pooler_fc_size pooler_num* pooler_size* pooler_type
    summary_*
"""
# of rotary settings: there is no other default than none, so one side alone stating it is a difference
_SCALING = frozenset(
    {"rope_type", "factor", "low_freq_factor", "high_freq_factor", "short_factor", "long_factor"}
)
_FLAGS_OFF = frozenset({"is_decoder", "is_encoder_decoder", "add_cross_attention", "use_sliding_window"})


@dataclass(frozen=True, slots=True)
class ConfigDifferences:
    """Sentences without the member's name: ``refusals`` change the computation, ``warnings`` may."""

    refusals: tuple[str, ...]
    warnings: tuple[str, ...]


def config_differences(config: Mapping[str, Any], base: Mapping[str, Any], *, name: str) -> ConfigDifferences:
    """How a configuration differs from that of the base, which is called ``name`` in the sentences.

    Nested configurations are compared key by key. A key that only one side states, as library versions
    write more or fewer defaults, gives one warning for all of them.

    >>> config_differences({"hidden_act": "relu"}, {"hidden_act": "gelu"}, name="base").refusals
    ("hidden_act is 'relu', base has 'gelu'",)
    """
    own, known = _flat(config), _flat(base)
    refusals, warnings, unstated = [], [], []
    for key in sorted(own.keys() | known.keys()):
        one, other = own.get(key, _ABSENT), known.get(key, _ABSENT)
        leaf = key.rsplit(".", 1)[-1]
        rotary = ".rope." in f".{key}"
        if one == other or _matches(leaf, _HARMLESS):
            continue
        absent = one is _ABSENT or other is _ABSENT
        if absent and not (rotary and leaf in _SCALING):
            value = other if one is _ABSENT else one
            if value is not None and value != [] and not (leaf in _FLAGS_OFF and value is False):
                unstated.append(f"{key} = {value!r} ({name if one is _ABSENT else 'it'})")
        elif rotary or _matches(leaf, _COMPUTATION):
            refusals.append(f"{key} is {_shown(one)}, {name} has {_shown(other)}")
        else:
            warnings.append(f"{key} is {one!r}, {name} has {other!r}; {name}'s is used")
    if unstated:
        more = f" ... ({len(unstated)})" if len(unstated) > 6 else ""
        warnings.append(
            f"its config.json and that of {name} leave different keys to their defaults: "
            f"{', '.join(unstated[:6])}{more}; check that the other side's default is the same"
        )
    return ConfigDifferences(tuple(refusals), tuple(warnings))


def label_count(config: Mapping[str, Any]) -> int:
    """How many outputs a classifier has; 2 where nothing is stated, as in transformers.

    >>> label_count({"id2label": {"0": "LABEL_0"}}), label_count({})
    (1, 2)
    """
    labels = config.get("id2label")
    if isinstance(labels, Mapping):
        return len(labels)
    stated = config.get("num_labels", config.get("_num_labels"))
    return stated if isinstance(stated, int) else 2


def label_order(config: Mapping[str, Any]) -> tuple[str, ...]:
    """Names of a classifier's outputs in order; empty where they have none but ``LABEL_0``."""
    labels = config.get("id2label")
    if not isinstance(labels, Mapping):
        return ()
    names = tuple(
        str(name) for _, name in sorted(labels.items(), key=lambda one: (len(str(one[0])), str(one[0])))
    )
    return () if all(re.fullmatch(r"LABEL_\d+", name) for name in names) else names


@lru_cache(maxsize=4096)
def _matches(key: str, words: str) -> bool:
    return any(fnmatchcase(key, word) for word in words.split())


def _shown(value: Any) -> str:
    return "not set" if value is _ABSENT else repr(value)


def _flat(config: Mapping[str, Any], start: str = "") -> dict[str, Any]:
    found: dict[str, Any] = {}
    plain = dict(config)
    rotary = plain.get("rope_parameters")
    if isinstance(rotary, Mapping) and "partial_rotary_factor" in rotary:  # older files have it outside
        plain["partial_rotary_factor"] = rotary["partial_rotary_factor"]
    rope: dict[str, Any] = {
        key: plain.pop(key) for key in ("rope_theta", "rope_scaling", "rope_parameters") if key in plain
    }
    if plain.get("use_sliding_window") is False:
        plain.pop("sliding_window", None)
        plain.pop("layer_types", None)
    for key, value in plain.items():
        if isinstance(value, Mapping) and not _matches(key, _HARMLESS):
            found |= _flat(value, f"{start}{key}.")
        else:
            found[start + key] = value
    return found | {f"{start}rope.{key}": value for key, value in _rope(rope).items()}


def _rope(stated: Mapping[str, Any]) -> dict[str, Any]:
    """Rotary settings in one spelling: transformers 5 puts angle base and scaling together."""
    found: dict[str, Any] = {}
    if stated.get("rope_theta") is not None:
        found["rope_theta"] = stated["rope_theta"]
    for key in ("rope_scaling", "rope_parameters"):
        value = stated.get(key)
        if isinstance(value, Mapping):
            found |= {("rope_type" if k == "type" else k): v for k, v in value.items() if v is not None}
    found.pop("partial_rotary_factor", None)
    flat: dict[str, Any] = {}
    for key, value in found.items():
        if isinstance(value, Mapping):  # one set for each type of layer
            flat |= {f"{key}.{k}": v for k, v in value.items()}
        else:
            flat[key] = float(value) if key.endswith("theta") and isinstance(value, int) else value
    return {
        key: value for key, value in flat.items() if not (key.endswith("rope_type") and value == "default")
    }
