"""BankScores: every expert on every shot, measured once, cached."""

from kshot.measure.scores.bank_scores import BankScores, Expert, score_bank

__all__ = ["BankScores", "Expert", "score_bank"]
