"""A causal language model from a folder or the hub: checked, then loaded, with a hash of its content."""

from __future__ import annotations

import hashlib
import json
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from kshot.errors import ModelError
from kshot.models.text.chat import read_json
from kshot.models.text.text_format import TemplateChoice, TextFormat

if TYPE_CHECKING:
    import torch

_READ = ("*.safetensors", "*.json", "*.jinja", "*.txt", "*.model")
_TOKENIZERS = ("tokenizer.json", "tokenizer.model", "vocab.json", "vocab.txt", "tekken.json")


@dataclass(frozen=True, slots=True)
class Loaded:
    """A model ready to be asked.

    Attributes:
        model: The transformers model, in evaluation mode.
        text: How it reads conversations.
        device: Where it is.
        batch_tokens: Padded tokens of a batch, at most.
        end_ids: Tokens that end a reply.
        limit: Positions that the model has; None where it names no limit.
        name: For messages.
    """

    model: Any
    text: TextFormat
    device: torch.device
    batch_tokens: int
    end_ids: frozenset[int]
    limit: int | None
    name: str


def resolved(path_or_id: str | Path, *, revision: str | None = None, more_files: Sequence[str] = ()) -> Path:
    """The local folder of a model: the given one, or the hub's copy without pickled weights.

    Args:
        path_or_id: A folder, or a hub name.
        revision: Of the hub.
        more_files: Patterns of further files to fetch from the hub.

    Raises:
        ModelError: There is no such folder, nor such a model on the hub, or the hub cannot be reached.
    """
    folder = Path(path_or_id)
    if folder.is_dir():
        return folder
    name = str(path_or_id)
    if folder.exists() or name.startswith((".", "/", "~")) or name.count("/") > 1:
        raise ModelError(f"{name}: no such folder; expected a model folder or a hub name like owner/model")
    from huggingface_hub import snapshot_download

    try:
        return Path(snapshot_download(name, revision=revision, allow_patterns=[*_READ, *more_files]))
    except Exception as error:  # the hub client raises a dozen kinds
        reason = first_line(error)
        raise ModelError(
            f"{name}: no such folder here, and the hub gave no such model ({reason}); "
            "check the name, or download it and give the folder"
        ) from error


def check_folder(folder: Path) -> None:
    """Refuse what would load wrongly or not at all, before anything is loaded.

    Raises:
        ModelError: config.json, weights or tokenizer are missing, only pickled weights are there, or a
            safetensors file is cut short.
    """
    if not (folder / "config.json").is_file():
        raise ModelError(f"{folder}: config.json is missing; expected a transformers model folder")
    files = sorted(folder.glob("*.safetensors"))
    if not files:
        pickled = sorted(path.name for path in [*folder.glob("*.bin"), *folder.glob("*.pt")])
        if pickled:
            raise ModelError(
                f"{folder}: has pickled weights only ({pickled[0]}), which kshot does not open; convert them "
                'where you trust them: python -c "from transformers import AutoModelForCausalLM as M; '
                f"M.from_pretrained('{folder}').save_pretrained('{folder}')\""
            )
        raise ModelError(f"{folder}: no *.safetensors file; expected model weights")
    for path in files:
        _check_safetensors(path)
    _check_shards(folder)
    if not any((folder / name).is_file() for name in _TOKENIZERS):
        raise ModelError(
            f"{folder}: no tokenizer ({', '.join(_TOKENIZERS[:3])} ...); save the one that the model was "
            "trained with: AutoTokenizer.from_pretrained(...).save_pretrained(folder)"
        )


def folder_hash(folder: Path, *extra: str) -> str:
    """16 hexadecimal digits over weights, configuration and tokenizer files, and over ``extra`` words."""
    total = hashlib.sha256(json.dumps(extra).encode())
    for path in sorted({path for pattern in _READ for path in folder.glob(pattern)}):
        with path.open("rb") as file:
            total.update(f"{path.name}\n{hashlib.file_digest(file, 'sha256').hexdigest()}\n".encode())
    return total.hexdigest()[:16]


def pick_device(device: str) -> torch.device:
    """``auto`` is the first of cuda, mps, cpu that is there.

    Raises:
        ModelError: The name is none, or there is no such device.
    """
    import torch

    if device == "auto":
        if torch.cuda.is_available():
            return torch.device("cuda")
        return torch.device("mps" if torch.backends.mps.is_available() else "cpu")
    try:
        found = torch.device(device)
        torch.empty(0, device=found)
    except (RuntimeError, AssertionError, ValueError) as error:
        reason = first_line(error)
        raise ModelError(f"device {device!r} cannot be used here ({reason}); use auto or cpu") from error
    return found


def load_model(
    folder: Path, *, dtype: str, device: torch.device, auto: str = "AutoModelForCausalLM"
) -> tuple[Any, Any]:
    """The model in evaluation mode, and its tokenizer.

    Args:
        folder: A checked folder.
        dtype: See ``HfModel.load``.
        device: Where the model goes.
        auto: The transformers class that picks the architecture.

    Raises:
        ModelError: The dtype has no such name, the model is of no known kind, weights are missing or of
            another shape, or the tokenizer knows more tokens than the model.
    """
    import transformers

    read_json(folder / "config.json")  # refuses a damaged one; transformers heeds its attention setting
    with quiet():
        try:
            tokenizer = transformers.AutoTokenizer.from_pretrained(
                folder, local_files_only=True, trust_remote_code=False
            )
            model, info = getattr(transformers, auto).from_pretrained(
                folder,
                dtype=_torch_dtype(dtype, device),
                local_files_only=True,
                use_safetensors=True,
                trust_remote_code=False,
                output_loading_info=True,
            )
        except ModelError:
            raise
        except Exception as error:  # transformers raises OSError, ValueError, RuntimeError, KeyError ...
            reason = first_line(error)
            raise ModelError(f"{folder}: cannot be loaded with {auto}: {reason}") from error
    missing = sorted([*info["missing_keys"], *(str(key) for key in info["mismatched_keys"])])
    if missing:
        raise ModelError(
            f"{folder}: {len(missing)} weights are missing or of another shape, first {missing[0]}; "
            f"the folder is no complete model for {auto}"
        )
    _check_vocabulary(folder, tokenizer, model)
    return model.to(device).eval(), tokenizer


def assemble(model: Any, tokenizer: Any, *, template: TemplateChoice, batch_tokens: int, name: str) -> Loaded:
    """A model and its tokenizer made ready to be asked."""
    text = TextFormat.of(tokenizer, template=template, name=name)
    named = [getattr(config, "eos_token_id", None) for config in (model.config, model.generation_config)]
    ends = {text.end_id, text.special_id("eos_token")}
    for found in named:
        ends |= set(found) if isinstance(found, list | tuple) else {found}
    return Loaded(
        model=model,
        text=text,
        device=model.device,
        batch_tokens=batch_tokens,
        end_ids=frozenset(end for end in ends if end is not None),
        limit=getattr(model.config.get_text_config(), "max_position_embeddings", None),
        name=name,
    )


@contextmanager
def quiet() -> Iterator[None]:
    """No progress bars, no loading notes, no warnings inside the block of what transformers 6 will remove.

    The last come from PEFT's own calls; nobody but PEFT can heed them.
    """
    from transformers.utils import logging

    bars, level = logging.is_progress_bar_enabled(), logging.get_verbosity()
    logging.disable_progress_bar()
    logging.set_verbosity_error()
    try:
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", message=r".*will be removed in v6", category=FutureWarning)
            yield
    finally:
        logging.set_verbosity(level)
        if bars:
            logging.enable_progress_bar()


def first_line(error: BaseException) -> str:
    """What an upstream error says in one line, or its kind where it says nothing."""
    text = str(error).strip()
    return text.splitlines()[0] if text else type(error).__name__


def _torch_dtype(dtype: str, device: torch.device) -> Any:
    import torch

    if dtype == "auto":
        return torch.float32 if device.type == "cpu" else "auto"
    names = {name: getattr(torch, name) for name in ("float32", "bfloat16", "float16", "float64")}
    if dtype not in names:
        raise ModelError(f"dtype {dtype!r} is none of auto, {', '.join(names)}")
    return names[dtype]


def _check_safetensors(path: Path) -> None:
    from safetensors import SafetensorError, safe_open

    try:
        with safe_open(path, framework="numpy") as file:
            file.keys()
    except (SafetensorError, OSError) as error:
        raise ModelError(
            f"{path}: is cut short or no safetensors file ({error}); download it again"
        ) from error


def _check_shards(folder: Path) -> None:
    index = folder / "model.safetensors.index.json"
    if not index.is_file():
        return
    try:
        shards = set(json.loads(index.read_text(encoding="utf-8"))["weight_map"].values())
    except (ValueError, KeyError, AttributeError) as error:
        raise ModelError(f"{index}: cannot be read ({error}); download it again") from error
    absent = sorted(shard for shard in shards if not (folder / shard).is_file())
    if absent:
        raise ModelError(f"{folder}: {absent[0]} is missing ({len(absent)} of {len(shards)} shards)")


def _check_vocabulary(folder: Path, tokenizer: Any, model: Any) -> None:
    largest = max(tokenizer.get_vocab().values(), default=-1)
    rows = model.get_input_embeddings().weight.shape[0]
    if largest >= rows:
        raise ModelError(
            f"{folder}: the tokenizer has ids up to {largest}, the model's embedding {rows} rows; "
            "use the tokenizer that the model was trained with"
        )
