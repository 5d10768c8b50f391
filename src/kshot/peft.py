"""Registers the mixture of LoRA experts with PEFT: the one import with an effect."""
