"""Whether the tokenizer that lies in an adapter's folder gives the base's token ids."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from kshot.models.lora.config import Problem


def tokenizer_problem(adapter: Path, base: Path, *, rows: int | None) -> Problem | None:
    """How an adapter's ``tokenizer.json`` differs from the base's; None where either is absent or they agree.

    Code ``added_tokens``: it has tokens that the base's lacks (a padding token apart), so the adapter was
    trained on ids that the base never saw. Code ``tokenizer``: ids differ otherwise, or cannot be read.
    Merges and normalisers are not compared.
    """
    if not (adapter / "tokenizer.json").is_file() or not (base / "tokenizer.json").is_file():
        return None
    own, known = _tokens(adapter), _tokens(base)
    if own is None or known is None:
        where = "its tokenizer.json" if own is None else "the base's tokenizer.json"
        return Problem("tokenizer", f"{where} cannot be read, so token ids are not compared")
    padding = _padding(adapter)
    added = sorted(own.keys() - known.keys() - padding, key=lambda token: (own[token], token))
    if added:
        beyond = (
            f"; the base's embedding has {rows} rows" if rows is not None and own[added[-1]] >= rows else ""
        )
        shown = ", ".join(f"{token!r} ({own[token]})" for token in added[:3])
        return Problem(
            "added_tokens", f"its tokenizer has {len(added)} tokens that the base's lacks: {shown}{beyond}"
        )
    moved = sorted(token for token in own.keys() & known.keys() if own[token] != known[token])
    lost = len(known.keys() - own.keys())
    if moved or lost:
        first = f", first {moved[0]!r}: {own[moved[0]]}, base {known[moved[0]]}" if moved else ""
        return Problem(
            "tokenizer", f"its tokenizer gives {len(moved)} tokens other ids and lacks {lost}{first}"
        )
    return None


def _tokens(folder: Path) -> dict[str, int] | None:
    try:
        content = json.loads((folder / "tokenizer.json").read_text(encoding="utf-8"))
        vocabulary = content["model"]["vocab"]
        if isinstance(vocabulary, list):  # unigram: pieces with their scores
            vocabulary = {piece[0]: index for index, piece in enumerate(vocabulary)}
        added = {token["content"]: token["id"] for token in content.get("added_tokens") or ()}
        return {str(token): int(index) for token, index in {**vocabulary, **added}.items()}
    except (OSError, ValueError, KeyError, TypeError, IndexError, AttributeError, RecursionError):
        return None


def _padding(folder: Path) -> set[str]:
    found = set()
    for name in ("tokenizer_config.json", "special_tokens_map.json"):
        try:
            value: Any = json.loads((folder / name).read_text(encoding="utf-8"))["pad_token"]
        except (OSError, ValueError, KeyError, TypeError, RecursionError):
            continue
        found.add(str(value.get("content")) if isinstance(value, dict) else str(value))
    return found
