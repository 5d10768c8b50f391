"""Answers to mathematical questions: where a text states one, and whether two mean the same."""

from kshot.measure.maths.equivalence import Mode, answers_equal, equivalent, normalised
from kshot.measure.maths.stated import boxed, gold_answer, stated

__all__ = ["Mode", "answers_equal", "boxed", "equivalent", "gold_answer", "normalised", "stated"]
