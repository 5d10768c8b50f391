"""One linear layer of a model that PEFT has put mixtures on."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, final

import torch
from peft.tuners.tuners_utils import BaseTunerLayer, check_adapters_to_merge
from torch import Tensor, nn

from kshot.errors import ModelError
from kshot.methods.moe.config import KshotMoeConfig
from kshot.methods.moe.layer import first_router
from kshot.methods.moe.mixer import Mixer, Run, Weights
from kshot.methods.moe.names import ROUTER, ModuleShape, factor

_FRESH_SPREAD = 0.01  # of A; B is zero


@final
class KshotMoeLayer(nn.Module, BaseTunerLayer):  # type: ignore[misc]
    """A linear layer with one mixture an adapter name; parameters lie in PEFT's usual dictionaries by name.

    Attributes:
        base_layer: The layer that it stands for, called as a module.
        mixers: Adapter name to its computation.
    """

    other_param_names = ("mixers",)
    active_adapters: Any  # these three are BaseTunerLayer's
    get_base_layer: Any
    _move_adapter_to_device_of_base_layer: Any

    def __init__(self, base_layer: nn.Module, run: Run) -> None:
        super().__init__()
        self.base_layer = base_layer
        self.adapter_layer_names: tuple[str, ...] = ()
        self.mixers: dict[str, Mixer] = {}
        self.merged_adapters: list[str] = []
        self._run = run

    def add_mixture(self, name: str, shape: ModuleShape, config: KshotMoeConfig) -> None:
        """Parameters of a mixture under an adapter name, random until its tensors are loaded."""
        settings = config.settings()
        self._put(ROUTER, name, first_router(len(shape.ranks), shape.inputs, settings))
        for at in shape.present:
            self._put(factor("A", at), name, torch.randn(shape.ranks[at], shape.inputs) * _FRESH_SPREAD)
            self._put(factor("B", at), name, torch.zeros(shape.outputs, shape.ranks[at]))
        self.mixers[name] = Mixer(shape.ranks, shape.scalings, settings, run=self._run)
        self._move_adapter_to_device_of_base_layer(name)
        self.set_adapter(self.active_adapters, inference_mode=config.inference_mode)

    def forward(self, x: Tensor, *args: Any, **kwargs: Any) -> Tensor:
        """The base's output with every active mixture added."""
        if self._disable_adapters and self.merged:
            self.unmerge()
        out: Tensor = self.base_layer(x, *args, **kwargs)
        if self._disable_adapters or self.merged:
            return out
        for name in self.active_adapters:
            if name in self.mixers:
                out = self.mixers[name].add(out, x, self.weights(name), training=self.training)
        return out

    def train(self, mode: bool = True) -> KshotMoeLayer:
        """As torch's; what is kept between calls is dropped."""
        for mixer in self.mixers.values():
            mixer.forget()
        return super().train(mode)

    def weights(self, name: str = "default") -> Weights:
        """The parameters of a mixture."""
        held, present = self._modules, self.mixers[name].present
        a = [held[factor("A", at)]._parameters[name] for at in present]  # type: ignore[union-attr]
        b = [held[factor("B", at)]._parameters[name] for at in present]  # type: ignore[union-attr]
        return Weights(held[ROUTER]._parameters[name], a, b)  # type: ignore[union-attr, arg-type]

    def gates(self, x: Tensor, name: str | None = None) -> Tensor:
        """(..., E) the weight of each expert for each token of this layer's input, in evaluation."""
        name = name or next(each for each in self.active_adapters if each in self.mixers)
        return self.mixers[name].gates(x, self.weights(name).router)

    def set_adapter(self, adapter_names: str | list[str], inference_mode: bool = False) -> None:
        """Activates mixtures; what does not train by their settings stays frozen."""
        super().set_adapter(adapter_names, inference_mode=inference_mode)
        self._freeze()

    def set_requires_grad(self, adapter_names: str | Sequence[str], requires_grad: bool = True) -> None:
        """Gradients on or off; what does not train by a mixture's settings stays frozen."""
        super().set_requires_grad(adapter_names, requires_grad=requires_grad)
        self._freeze()

    def merge(self, safe_merge: bool = False, adapter_names: list[str] | None = None) -> None:
        """Adds mixtures of static gates to the base's weight.

        Raises:
            ModelError: Gates depend on the token, the weight is packed, or the sum is no number.
        """
        for name in check_adapters_to_merge(self, adapter_names):
            if name in self.mixers:
                self._shift(name, 1.0, safe=safe_merge)
                self.merged_adapters.append(name)

    def unmerge(self) -> None:
        """Takes merged mixtures off again, up to rounding."""
        while self.merged_adapters:
            self._shift(self.merged_adapters.pop(), -1.0, safe=False)

    def _shift(self, name: str, sign: float, *, safe: bool) -> None:
        base = self.get_base_layer()
        weight = base.weight
        if not weight.is_floating_point() or weight.ndim != 2:
            raise ModelError(
                f"a {type(base).__name__} holds packed weights; a mixture cannot be merged into them"
            )
        with torch.no_grad():
            delta = sign * self.mixers[name].delta(self.weights(name))
            delta = delta.T if type(base).__name__ == "Conv1D" else delta
            merged = (weight + delta.to(weight.device)).to(weight.dtype)
        if safe and not bool(merged.isfinite().all()):
            raise ModelError(f"mixture {name!r} merged into the weights gives NaN or infinity; it is damaged")
        weight.data = merged

    def _freeze(self) -> None:
        for name, mixer in self.mixers.items():
            if mixer.settings.train != "joint":
                weights = self.weights(name)
                for tensor in (*weights.a, *weights.b):
                    tensor.requires_grad_(False)

    def _put(self, attribute: str, name: str, value: Tensor) -> None:
        if attribute not in self._modules:
            setattr(self, attribute, nn.ParameterDict())
            self.adapter_layer_names = (*self.adapter_layer_names, attribute)
        getattr(self, attribute)[name] = nn.Parameter(value)
