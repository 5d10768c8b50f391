"""BankScores: every expert on every shot, measured once, cached."""

from kshot.measure.scores.bank_scores import BankScores
from kshot.measure.scores.questions import Expert
from kshot.measure.scores.scoring import score_bank

__all__ = ["BankScores", "Expert", "score_bank"]
