"""LoRA adapters as numbers: read from PEFT folders, compared and added exactly, written back."""

from kshot.models.lora.adapter import LoraAdapter, concatenated
from kshot.models.lora.delta import LoraDelta, ab_cosines, gram

__all__ = ["LoraAdapter", "LoraDelta", "ab_cosines", "concatenated", "gram"]
