"""A base model with one adapter: the weights are shared, and the base stays as it was."""

from __future__ import annotations

import dataclasses
import hashlib
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, final

from kshot.data.example import Conversation
from kshot.data.template import Target
from kshot.errors import AdapterError, collected
from kshot.models.base import ChoiceScores, Reply, TokenLosses
from kshot.models.hf.choices import choice_scores
from kshot.models.hf.generate import Decoding, generate_replies
from kshot.models.hf.loading import Loaded, first_line, quiet
from kshot.models.hf.losses import token_losses

if TYPE_CHECKING:
    from torch import Tensor

_WEIGHTS = "adapter_model.safetensors"


@final
class AdaptedModel:
    """A ``LanguageModel`` and ``LossModel``: a base model with the adapter of a PEFT folder.

    PEFT attaches the adapter for the length of a call and it is taken off again, so any number of adapted
    models of one base can be used in turn while one adapter at a time is in memory. The adapter is checked
    in full when the object is made and again at every use.

    Raises:
        AdapterError: The folder is no adapter, or does not fit the base tensor by tensor.
    """

    def __init__(self, base: Loaded, folder: str | Path, *, base_id: str) -> None:
        self.folder = Path(folder)
        check_files(self.folder)
        self._base = base
        self._loaded = dataclasses.replace(base, name=self.folder.name)
        self._id = f"{base_id}+{folder}@{adapter_hash(self.folder)}"
        with self._attached():
            pass

    @property
    def id(self) -> str:
        """The base's id, the adapter's folder, and a hash of its weights and configuration."""
        return self._id

    def generate(
        self,
        conversations: Sequence[Conversation],
        *,
        max_new_tokens: int = 64,
        temperature: float = 0.0,
        seed: int = 0,
        stop: Sequence[str] = (),
    ) -> list[Reply]:
        """One reply a conversation, in order; see ``generate_replies``."""
        decoding = Decoding(max_new_tokens, temperature, seed, stop)
        with self._attached():
            return generate_replies(self._loaded, conversations, decoding)

    def token_losses(
        self, conversations: Sequence[Conversation], targets: Sequence[Target]
    ) -> list[TokenLosses]:
        """Losses of each target after its conversation, in order."""
        with self._attached():
            return token_losses(self._loaded, conversations, targets)

    def choice_scores(
        self, conversations: Sequence[Conversation], choices: Sequence[Sequence[str]]
    ) -> list[ChoiceScores]:
        """Log-likelihood of every choice of every row as the next reply."""
        with self._attached():
            return choice_scores(self._loaded, conversations, choices)

    @contextmanager
    def _attached(self) -> Iterator[None]:
        with untouched(self._base.model):
            with quiet():
                attach(self._base.model, self.folder)
            yield


@contextmanager
def untouched(model: Any) -> Iterator[None]:
    """Whatever is attached to a model inside the block is taken off after it, errors or not.

    Modules, hooks, gradient flags, modes and PEFT's mark are put back by reference; weights are not copied,
    so nothing may be merged into them inside the block.
    """
    import torch

    modules = list(model.modules())
    held = [
        (m, dict(m._modules), dict(m._forward_hooks), dict(m._forward_pre_hooks), m.training) for m in modules
    ]
    gradients = [(parameter, parameter.requires_grad) for parameter in model.parameters()]
    marked = model.__dict__.get("peft_config")
    # making an adapter draws random numbers before they are overwritten
    with torch.random.fork_rng(devices=_cuda_devices(model)):
        try:
            yield
        finally:
            for module, children, hooks, early_hooks, training in held:
                _refill(module._modules, children)
                _refill(module._forward_hooks, hooks)
                _refill(module._forward_pre_hooks, early_hooks)
                module.training = training
            for parameter, wanted in gradients:
                parameter.requires_grad_(wanted)
            if marked is None:
                model.__dict__.pop("peft_config", None)


def attach(model: Any, folder: Path) -> None:
    """Put the adapter of a PEFT folder on a model, in evaluation mode; use inside ``untouched``.

    Raises:
        AdapterError: A tensor is missing, unknown, of another shape or no number, or PEFT refuses.
    """
    from peft import PeftConfig, PeftModel, set_peft_model_state_dict

    state = _read(folder)
    try:
        config = PeftConfig.from_pretrained(str(folder))
        config.inference_mode = True
        adapted = PeftModel(model, config)
    except Exception as error:  # peft raises ValueError, TypeError, KeyError, NotImplementedError ...
        reason = first_line(error)
        raise AdapterError(f"{folder.name}: does not fit this base model ({reason})") from error
    _check_fit(folder, state, adapted)
    set_peft_model_state_dict(adapted, state)
    adapted.eval()


def _check_fit(folder: Path, state: Mapping[str, Tensor], adapted: Any) -> None:
    """Tensor by tensor: PEFT itself only warns about keys that are missing or unknown."""
    from peft import get_peft_model_state_dict

    expected = get_peft_model_state_dict(adapted, save_embedding_layers=False)
    found = [f"tensor {key} is missing" for key in sorted(expected.keys() - state.keys())]
    found += [f"tensor {key} is unknown to this base model" for key in sorted(state.keys() - expected.keys())]
    for key in sorted(expected.keys() & state.keys()):
        have, want = tuple(state[key].shape), tuple(expected[key].shape)
        if have != want:
            found.append(f"tensor {key} is {have}, expected {want}")
        elif not bool(state[key].isfinite().all()):
            found.append(f"tensor {key} holds NaN or infinity")
    if found:
        raise AdapterError(
            collected([f"{folder.name}: {finding}" for finding in found])
            + "\nthe adapter was made for another base model or is damaged; kshot bank audit says more"
        )


def check_files(folder: Path) -> None:
    """Looks whether a PEFT adapter's two files are there.

    Raises:
        AdapterError: One is not, or the weights are pickled.
    """
    if not folder.is_dir():
        raise AdapterError(f"{folder}: no such folder; expected a PEFT adapter folder")
    if not (folder / "adapter_config.json").is_file():
        raise AdapterError(f"{folder}: adapter_config.json is missing; expected a PEFT adapter folder")
    if (folder / _WEIGHTS).is_file():
        return
    if (folder / "adapter_model.bin").is_file():
        raise AdapterError(
            f"{folder}: has pickled weights only (adapter_model.bin), which kshot does not open; "
            "convert them where you trust them: load with PeftModel.from_pretrained and save_pretrained again"
        )
    raise AdapterError(f"{folder}: {_WEIGHTS} is missing")


def _read(folder: Path) -> dict[str, Tensor]:
    from safetensors import SafetensorError
    from safetensors.torch import load_file

    try:
        state: dict[str, Tensor] = load_file(folder / _WEIGHTS)
    except (SafetensorError, OSError) as error:
        raise AdapterError(
            f"{folder.name}: {_WEIGHTS} is cut short or no safetensors file ({error}); download it again"
        ) from error
    return state


def adapter_hash(folder: Path) -> str:
    """16 hexadecimal digits over the configuration and the weights of a PEFT folder, streamed.

    Raises:
        OSError: One of the two files cannot be read.
    """
    total = hashlib.sha256()
    for name in ("adapter_config.json", _WEIGHTS):
        with (folder / name).open("rb") as file:
            total.update(hashlib.file_digest(file, "sha256").digest())
    return total.hexdigest()[:16]


def _refill(live: Any, held: Mapping[Any, Any]) -> None:
    if dict(live) != held or list(live) != list(held):
        live.clear()
        live.update(held)


def _cuda_devices(model: Any) -> list[int]:
    device = next(model.parameters()).device
    return [device.index or 0] if device.type == "cuda" else []
