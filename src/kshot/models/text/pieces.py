"""A text as the tokens of a model, so that parts of it can be exchanged for others."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property
from typing import TYPE_CHECKING, final

if TYPE_CHECKING:
    from tokenizers import Tokenizer

_LOST = "\ufffd"  # what a token that is half a character decodes to


@final
class TextPieces:
    """Takes texts apart and puts tokens together; special tokens are neither found nor offered."""

    def __init__(self, tokenizer: Tokenizer) -> None:
        self._tokenizer = tokenizer

    def split(self, text: str) -> list[int]:
        """The tokens of a text, nothing added."""
        ids: list[int] = self._tokenizer.encode(text, add_special_tokens=False).ids
        return ids

    def join(self, tokens: Sequence[int]) -> str:
        """The text of tokens."""
        text: str = self._tokenizer.decode(list(tokens), skip_special_tokens=True)
        return text.strip()

    @cached_property
    def exchangeable(self) -> tuple[int, ...]:
        """Every token that stands for visible text of its own, ascending."""
        special = {at for at, token in self._tokenizer.get_added_tokens_decoder().items() if token.special}
        ids = [at for at in sorted(self._tokenizer.get_vocab().values()) if at not in special]
        texts = self._tokenizer.decode_batch([[at] for at in ids], skip_special_tokens=False)
        return tuple(at for at, text in zip(ids, texts, strict=True) if text.strip() and _LOST not in text)
