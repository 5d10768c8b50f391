"""Scoring a bank of adapters: experts in groups against PEFT's own ways and against the base alone."""
