"""Conversations as tokens, without torch: rendering, tokenising, and where a target begins."""

from kshot.models.text.encoded import Encoded
from kshot.models.text.text_format import TextFormat, mask_preview

__all__ = ["Encoded", "TextFormat", "mask_preview"]
