"""What experts say of rows: class probabilities of a classifier, out of fold, or of a language model."""

from kshot.measure.expert_answers.classifier import classifier_probabilities
from kshot.measure.expert_answers.drawn import drawn_answers
from kshot.measure.expert_answers.language_model import choice_probabilities
from kshot.measure.expert_answers.out_of_fold import OutOfFold, out_of_fold_probabilities

__all__ = [
    "OutOfFold",
    "choice_probabilities",
    "classifier_probabilities",
    "drawn_answers",
    "out_of_fold_probabilities",
]
