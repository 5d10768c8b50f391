"""Many experts in one forward: adapters of one base model, stacked, asked the same rows together."""

from kshot.models.hf.group.group import Answers, ExpertGroup
from kshot.models.hf.group.stored import GROUP_SIZE, StoredExpert, together

__all__ = ["GROUP_SIZE", "Answers", "ExpertGroup", "StoredExpert", "together"]
