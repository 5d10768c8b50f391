"""LoRA adapters as numbers: read from PEFT folders, compared and added exactly, written back."""

from kshot.models.lora.adapter import LoraAdapter, concatenated
from kshot.models.lora.delta import LoraDelta, ab_cosines, gram
from kshot.models.lora.mixed import MixedLora, mixed_lora

__all__ = ["LoraAdapter", "LoraDelta", "MixedLora", "ab_cosines", "concatenated", "gram", "mixed_lora"]
