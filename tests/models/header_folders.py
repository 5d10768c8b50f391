"""Model folders written file by file without torch: what the checks of headers and small files stand on."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
from safetensors.numpy import save_file

WIDTH, ROWS = 8, 24
LLAMA = {
    "architectures": ["LlamaForCausalLM"], "model_type": "llama", "hidden_size": WIDTH, "vocab_size": ROWS,
    "num_hidden_layers": 2, "hidden_act": "silu", "rms_norm_eps": 1e-6, "tie_word_embeddings": False,
}  # fmt: skip
BERT = {
    "architectures": ["BertModel"], "model_type": "bert", "hidden_size": WIDTH, "vocab_size": ROWS,
    "hidden_act": "gelu", "layer_norm_eps": 1e-12,
}  # fmt: skip
TOKENS = {"<pad>": 0, "<s>": 1, "a": 2, "b": 3, "ab": 4}


def llama_tensors(*, seed: int = 0, head: bool = True, start: str = "model.") -> dict[str, np.ndarray]:
    rng = np.random.default_rng(seed)
    made = {
        f"{start}embed_tokens.weight": rng.normal(size=(ROWS, WIDTH)),
        f"{start}norm.weight": np.ones(WIDTH),
    }
    for layer in range(2):
        made[f"{start}layers.{layer}.self_attn.q_proj.weight"] = rng.normal(size=(WIDTH, WIDTH))
        made[f"{start}layers.{layer}.mlp.up_proj.weight"] = rng.normal(size=(2 * WIDTH, WIDTH))
    if head:
        made["lm_head.weight"] = rng.normal(size=(ROWS, WIDTH))
    return made


def bert_tensors(*, seed: int = 0, start: str = "", norm: tuple[str, str] = ("weight", "bias")):
    rng = np.random.default_rng(seed)
    return {
        f"{start}embeddings.word_embeddings.weight": rng.normal(size=(ROWS, WIDTH)),
        f"{start}embeddings.LayerNorm.{norm[0]}": np.ones(WIDTH),
        f"{start}embeddings.LayerNorm.{norm[1]}": np.zeros(WIDTH),
        f"{start}encoder.layer.0.attention.self.query.weight": rng.normal(size=(WIDTH, WIDTH)),
        f"{start}encoder.layer.0.attention.self.query.bias": rng.normal(size=WIDTH),
    }


def write_model(
    folder: Path, tensors=None, config=None, *, tokens=TOKENS, file: str = "model.safetensors", **changed
) -> Path:
    """Float32 weights in one file, config.json and a small tokenizer; ``changed`` are keys of the config."""
    folder.mkdir(parents=True, exist_ok=True)
    tensors = llama_tensors() if tensors is None else tensors
    save_file({name: plain(value) for name, value in tensors.items()}, folder / file, {"format": "pt"})
    write_json(folder / "config.json", (LLAMA if config is None else config) | changed)
    if tokens is not None:
        write_json(folder / "tokenizer.json", tokenizer(tokens))
        write_json(folder / "tokenizer_config.json", {"pad_token": "<pad>", "bos_token": "<s>"})
    return folder


def tokenizer(tokens=TOKENS, *, merges=("a b",), **parts) -> dict:
    return {"model": {"type": "BPE", "vocab": tokens, "merges": list(merges)}, "added_tokens": []} | parts


def plain(value) -> np.ndarray:
    value = np.asarray(value)
    return value.astype(np.float32) if value.dtype == np.float64 else value


def write_json(path: Path, content) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(content), encoding="utf-8")


def sentence_model(folder: Path, *, pooling=None, dense: bool = True, first: str = "", seed: int = 0) -> Path:
    """A sentence-transformers folder; ``first`` is the transformer's sub-folder, as older versions had it."""
    write_model(folder / first if first else folder, bert_tensors(seed=seed), BERT)
    rng = np.random.default_rng(seed)
    kinds = ["models.Transformer", "models.Pooling", *(["models.Dense"] if dense else []), "models.Normalize"]
    entries = []
    for at, kind in enumerate(kinds):
        path = first if at == 0 else f"{at}_{kind.rsplit('.', 1)[-1]}"
        entries.append({"idx": at, "name": str(at), "path": path, "type": f"sentence_transformers.{kind}"})
        (folder / path).mkdir(exist_ok=True)
    write_json(folder / "modules.json", entries)
    write_json(
        folder / "1_Pooling" / "config.json", pooling or {"pooling_mode": "mean", "embedding_dimension": 8}
    )
    if dense:
        weights = {"linear.weight": rng.normal(size=(4, WIDTH)), "linear.bias": rng.normal(size=4)}
        save_file(
            {name: plain(value) for name, value in weights.items()}, folder / "2_Dense" / "model.safetensors"
        )
        write_json(folder / "2_Dense" / "config.json", {"in_features": 8, "out_features": 4, "bias": True})
    return folder
