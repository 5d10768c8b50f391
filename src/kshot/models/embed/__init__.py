"""Embedders: sentence-transformers folders, a hashing encoder that needs no download, one that remembers."""

from kshot.models.embed.hashing import HashingEncoder
from kshot.models.embed.remember import RememberingEmbedder
from kshot.models.embed.sentence import SentenceEmbedder, load_embedder

__all__ = ["HashingEncoder", "RememberingEmbedder", "SentenceEmbedder", "load_embedder"]
