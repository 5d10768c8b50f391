"""What exploring writes to a language model, in English and Chinese, and how it reads the replies."""

from kshot.methods.explore.prompts.chinese import CHINESE
from kshot.methods.explore.prompts.english import ENGLISH
from kshot.methods.explore.prompts.layout import example_line, listed, one_line, prompt, section
from kshot.methods.explore.prompts.schema import (
    NAMES_FORMAT,
    RELEVANCE_FORMAT,
    ROWS_FORMAT,
)
from kshot.methods.explore.prompts.standard import StandardPrompts, standard
from kshot.methods.explore.prompts.wording import Form, Headings, Wording

__all__ = [
    "CHINESE",
    "ENGLISH",
    "NAMES_FORMAT",
    "RELEVANCE_FORMAT",
    "ROWS_FORMAT",
    "Form",
    "Headings",
    "StandardPrompts",
    "Wording",
    "example_line",
    "listed",
    "one_line",
    "prompt",
    "section",
    "standard",
]
