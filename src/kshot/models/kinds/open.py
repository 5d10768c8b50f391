"""A model folder opened as one of the four kinds that can be mixed."""

from __future__ import annotations

from pathlib import Path

from kshot.errors import ModelError
from kshot.models.checkpoint.modules import transformer_folder
from kshot.models.hf.loading import assemble, check_folder, load_model, pick_device
from kshot.models.kinds.base import AUTO_CLASSES, KINDS, KindName, Mixable
from kshot.models.kinds.decoder import Decoder
from kshot.models.kinds.encoder import Encoder
from kshot.models.kinds.encoder_folder import load_encoder
from kshot.models.kinds.options import KindOptions
from kshot.models.kinds.reranker import Reranker
from kshot.models.kinds.seq2seq import EncoderDecoder
from kshot.models.safetensor_files import TORCH_NAMES, stored_dtype

__all__ = ["KindOptions", "open_mixable"]


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
    model, tokenizer = load_model(folder, dtype=number, device=on, auto=AUTO_CLASSES[kind])
    if kind == "decoder":
        loaded = assemble(
            model, tokenizer, template="plain", batch_tokens=chosen.batch_tokens, name=str(folder)
        )
        return Decoder(loaded, chosen)
    if kind == "reranker":
        return Reranker(model, tokenizer, chosen, name=str(folder))
    return EncoderDecoder(model, tokenizer, chosen, name=str(folder))


def _known(dtype: str) -> str:
    if dtype not in TORCH_NAMES.values():
        raise ModelError(f"dtype {dtype!r} is none of auto, {', '.join(TORCH_NAMES.values())}")
    return dtype
