"""Retrieval: the insights of a pool that are nearest to a query, and those that came into question."""

from kshot.methods.panda.retrieve.options import Retrieval, entry_text
from kshot.methods.panda.retrieve.retriever import Retriever, open_retriever, prompt_of, search

__all__ = [
    "Retrieval",
    "Retriever",
    "entry_text",
    "open_retriever",
    "prompt_of",
    "search",
]
