"""A model folder opened as one of the four kinds that can be mixed."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

from kshot.errors import ModelError
from kshot.models.hf.loading import assemble, check_folder, load_model, pick_device
from kshot.models.kinds.base import KINDS, KindName, Mixable
from kshot.models.kinds.decoder import Decoder
from kshot.models.kinds.encoder import Encoder
from kshot.models.kinds.encoder_folder import load_encoder, transformer_folder
from kshot.models.kinds.options import KindOptions
from kshot.models.kinds.reranker import Reranker
from kshot.models.kinds.seq2seq import EncoderDecoder
from kshot.models.safetensor_files import folder_header

__all__ = ["KindOptions", "open_mixable", "stored_dtype"]

_CLASSES: dict[KindName, str] = {
    "decoder": "AutoModelForCausalLM",
    "reranker": "AutoModelForSequenceClassification",
    "encoder-decoder": "AutoModelForSeq2SeqLM",
}
_DTYPES = {"F64": "float64", "F32": "float32", "F16": "float16", "BF16": "bfloat16"}


def open_mixable(
    folder: Path,
    kind: KindName,
    *,
    device: str = "auto",
    dtype: str = "auto",
    options: KindOptions | None = None,
) -> Mixable:
    """The model of a folder, loaded; safetensors only, code that it brings along is not run.

    Args:
        folder: A transformers folder with a tokenizer; of an encoder also a sentence-transformers one.
        kind: What it is loaded as.
        device: ``auto`` is the first of cuda, mps, cpu that is there.
        dtype: ``auto`` is the checkpoint's own, on every device; or float32, bfloat16, float16, float64.
        options: How its losses are taken; None: all defaults.

    Raises:
        ModelError: The folder cannot be used as this kind; the message says what to do.

    Example::

        model = open_mixable(Path("models/llama"), "decoder")
        model.losses(mixing_rows("shots.jsonl")).mean()
    """
    chosen = KindOptions() if options is None else options
    folder = Path(folder)
    if kind not in KINDS:
        raise ModelError(f"kind {kind!r} is none of {', '.join(KINDS)}")
    on = pick_device(device)
    if kind == "encoder":
        number = stored_dtype(transformer_folder(folder)) if dtype == "auto" else _known(dtype)
        model = load_encoder(folder, device=str(on), dtype=number)
        return Encoder(model, chosen, name=str(folder), plain=not (folder / "modules.json").is_file())
    check_folder(folder)
    number = stored_dtype(folder) if dtype == "auto" else dtype
    model, tokenizer = load_model(folder, dtype=number, device=on, auto=_CLASSES[kind])
    if kind == "decoder":
        loaded = assemble(
            model, tokenizer, template="plain", batch_tokens=chosen.batch_tokens, name=str(folder)
        )
        return Decoder(loaded, chosen)
    if kind == "reranker":
        return Reranker(model, tokenizer, chosen, name=str(folder))
    return EncoderDecoder(model, tokenizer, chosen, name=str(folder))


def stored_dtype(folder: Path) -> str:
    """The floating type that most values of a checkpoint are stored in, by its torch name.

    Raises:
        ModelError: There are no weights, or none of them is a floating type.
    """
    sizes: Counter[str] = Counter()
    for tensor in folder_header(folder).values():
        if tensor.is_float:
            sizes[tensor.dtype] += tensor.end - tensor.start
    if not sizes:
        raise ModelError(f"{folder}: no weight is F64, F32, F16 or BF16; dequantise the model first")
    return _DTYPES[max(sizes, key=lambda dtype: (sizes[dtype], dtype))]


def _known(dtype: str) -> str:
    if dtype not in _DTYPES.values():
        raise ModelError(f"dtype {dtype!r} is none of auto, {', '.join(_DTYPES.values())}")
    return dtype
