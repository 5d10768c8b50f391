"""What PANDA writes to a language model, and how it reads the replies."""

from kshot.methods.panda.prompts.bare import BarePrompts
from kshot.methods.panda.prompts.block import (
    CASE,
    INSIGHTS_LINE,
    NOTE,
    PROBABILITY,
    RANKED,
    insight_block,
)
from kshot.methods.panda.prompts.marks import FIELD, fields, marked
from kshot.methods.panda.prompts.open import Style, open_prompts
from kshot.methods.panda.prompts.reading import likeliest, read_answer
from kshot.methods.panda.prompts.standard import PREFERRED, RIVAL, TEXT, StandardPrompts

__all__ = [
    "CASE",
    "FIELD",
    "INSIGHTS_LINE",
    "NOTE",
    "PREFERRED",
    "PROBABILITY",
    "RANKED",
    "RIVAL",
    "TEXT",
    "BarePrompts",
    "StandardPrompts",
    "Style",
    "fields",
    "insight_block",
    "likeliest",
    "marked",
    "open_prompts",
    "read_answer",
]
