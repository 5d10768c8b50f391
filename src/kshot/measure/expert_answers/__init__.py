"""What experts say of rows: class probabilities out of fold, or of a language model."""

from kshot.measure.expert_answers.language_model import choice_probabilities
from kshot.measure.expert_answers.out_of_fold import OutOfFold, out_of_fold_probabilities

__all__ = [
    "OutOfFold",
    "choice_probabilities",
    "out_of_fold_probabilities",
]
