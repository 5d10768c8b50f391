"""The mixture inside PEFT: the tuner that places its layers and adds the balance loss."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, final

import torch
from peft.tuners.tuners_utils import BaseTuner
from torch import Tensor, nn

from kshot.errors import AdapterError, ModelError, collected
from kshot.methods.moe.config import KshotMoeConfig
from kshot.methods.moe.layer import linear_shape
from kshot.methods.moe.mixer import Run
from kshot.methods.moe.names import PREFIX, ModuleShape
from kshot.methods.moe.tuner_layer import KshotMoeLayer

_IGNORED = -100  # transformers' label for tokens that are not learned


@final
class KshotMoeModel(BaseTuner):  # type: ignore[misc]
    """PEFT's tuner of type ``KSHOT_MOE``."""

    prefix = PREFIX
    tuner_layer_cls = KshotMoeLayer
    model: nn.Module
    target_module_mapping: Mapping[str, list[str]] = {}

    def forward(self, *args: Any, **kwargs: Any) -> Any:
        """The model's output; in training the balance loss, as the mean over layers, is added to its loss."""
        if not self.training:
            return self.model(*args, **kwargs)
        run = self._run
        run.real, run.terms, run.is_blind = kwargs.get("attention_mask"), [], False
        run.is_read = run.was_read = True
        try:
            outputs = self.model(*args, **kwargs)
            return _with_balance(outputs, run, kwargs)
        finally:
            run.terms, run.is_read = [], False  # the mask stays: gradient checkpointing comes back to it

    @property
    def _run(self) -> Run:
        found: Run = self.__dict__.setdefault("_shared_run", Run())
        return found

    @staticmethod
    def _check_target_module_exists(config: KshotMoeConfig, key: str) -> Any:
        if not config.is_fresh:
            return key in config.modules
        return BaseTuner._check_target_module_exists(config, key)

    def _prepare_adapter_config(self, config: KshotMoeConfig, _model_config: Any) -> KshotMoeConfig:
        if not config.target_modules:
            raise AdapterError(
                "a mixture without modules: give target_modules, or load a folder that has them"
            )
        if config.is_fresh:
            config.modules.clear()  # of another model, where the configuration is used again
        names = {name for name, _ in self.model.named_modules()}
        missing = sorted(config.modules.keys() - names)
        if missing:
            told = [f"module {name} is not in the {type(self.model).__name__}" for name in missing]
            raise AdapterError(collected(told) + "\nuse the base model that the mixture was made for")
        return config

    def _create_and_replace(  # noqa: PLR0913 - PEFT's signature
        self,
        config: KshotMoeConfig,
        adapter_name: str,
        target: nn.Module,
        target_name: str,
        parent: nn.Module,
        current_key: str,
        parameter_name: str | None = None,
    ) -> None:
        if isinstance(target, KshotMoeLayer):
            target.add_mixture(adapter_name, _shape(config, current_key, target.get_base_layer()), config)
            return
        shape = _shape(config, current_key, target)
        new = KshotMoeLayer(target, self._run)
        new.set_adapter(self.active_adapters)
        new.add_mixture(adapter_name, shape, config)
        self._replace_module(parent, target_name, new, target)


def mixture_layers(model: nn.Module) -> dict[str, KshotMoeLayer]:
    """The layers with mixtures of a model that PEFT has wrapped, by their names within the base model.

    Example::

        for module, layer in mixture_layers(adapted).items():
            layer.register_forward_pre_hook(lambda layer, inputs: seen.append(layer.gates(inputs[0])))
    """
    return {
        name.removeprefix("base_model.model."): module
        for name, module in model.named_modules()
        if isinstance(module, KshotMoeLayer)
    }


def _with_balance(outputs: Any, run: Run, inputs: Mapping[str, Any]) -> Any:
    if not run.terms or not torch.is_grad_enabled():
        return outputs
    if run.is_blind:
        raise ModelError(
            "the balance loss gets no gradient through reentrant checkpointing; give "
            "gradient_checkpointing_kwargs={'use_reentrant': False}, or set balance to 0"
        )
    loss = outputs[0] if isinstance(outputs, tuple) else getattr(outputs, "loss", None)
    if loss is None or inputs.get("labels") is None:
        return outputs
    total = loss + _share(inputs) * torch.stack([term.to(loss.device) for term in run.terms]).mean()
    if isinstance(outputs, tuple):
        return (total, *outputs[1:])
    outputs.loss = total
    return outputs


def _share(inputs: Mapping[str, Any]) -> Tensor | float:
    """This batch's share of the step's learned tokens, where the trainer divides the loss by all of them."""
    items = inputs.get("num_items_in_batch")
    return 1.0 if items is None else (inputs["labels"] != _IGNORED).sum() / items


def _shape(config: KshotMoeConfig, module: str, base: nn.Module) -> ModuleShape:
    """What the mixture is on a module; a fresh one is written into the configuration."""
    have = linear_shape(base)
    if have is None:
        raise AdapterError(f"{module}: is a {type(base).__name__}, expected a linear layer")
    if module not in config.modules:
        count = len(config.experts)
        fresh = ModuleShape(*have, (config.r,) * count, (config.alpha / config.r,) * count)
        config.modules[module] = fresh.to_json()
        config.fan_in_fan_out |= type(base).__name__ == "Conv1D"
    shape = config.shape(module)
    if have != (shape.inputs, shape.outputs):
        raise AdapterError(
            f"{module}: maps {have[0]} to {have[1]}, but the mixture was made for {shape.inputs} to "
            f"{shape.outputs}; use the base model that it was made for"
        )
    return shape
