"""Registers the mixture of LoRA experts with PEFT: the one import with an effect.

After ``import kshot.peft``, folders of type ``KSHOT_MOE`` load like any adapter:
``PeftModel.from_pretrained``, ``AutoPeftModelForCausalLM``, ``load_adapter``, ``save_pretrained``.
"""

from __future__ import annotations

from peft.utils.peft_types import PeftType, register_peft_method

from kshot.methods.moe.config import KshotMoeConfig
from kshot.methods.moe.names import PEFT_TYPE, PREFIX
from kshot.methods.moe.tuner import KshotMoeModel, mixture_layers
from kshot.methods.moe.tuner_layer import KshotMoeLayer

__all__ = ["KshotMoeConfig", "KshotMoeLayer", "KshotMoeModel", "mixture_layers", "register"]


def register() -> None:
    """Make PEFT know ``KSHOT_MOE``; done by the import, and harmless to repeat.

    PEFT registers only names that are members of its enumeration of types, so the member is added first.
    """
    if PEFT_TYPE in PeftType._member_map_:
        return
    member = str.__new__(PeftType, PEFT_TYPE)
    member._name_, member._value_ = PEFT_TYPE, PEFT_TYPE
    member.__objclass__, member._sort_order_ = PeftType, len(PeftType._member_names_)
    type.__setattr__(PeftType, PEFT_TYPE, member)
    PeftType._member_names_.append(PEFT_TYPE)
    PeftType._member_map_[PEFT_TYPE] = member
    PeftType._value2member_map_[PEFT_TYPE] = member
    register_peft_method(
        name=PEFT_TYPE.lower(), config_cls=KshotMoeConfig, model_cls=KshotMoeModel, prefix=PREFIX
    )


register()
