"""A small local web page: rows accepted or rejected, and pairs of answers voted on blind."""

from kshot.serve.review.app import make_review_app
from kshot.serve.review.deck import Card, Deck, pairs_deck, rows_deck
from kshot.serve.review.listen import serve_review
from kshot.serve.review.votes import Vote, VoteFile

__all__ = [
    "Card",
    "Deck",
    "Vote",
    "VoteFile",
    "make_review_app",
    "pairs_deck",
    "rows_deck",
    "serve_review",
]
