"""Whether two model folders turn text into the same token ids, told from their small files."""

from __future__ import annotations

import filecmp
import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from kshot.errors import ModelError
from kshot.models.text.chat import chat_files, read_json

_SENTENCEPIECE = ("tokenizer.model", "spiece.model", "sentencepiece.bpe.model", "spm.model", "source.spm")
_PIPELINE = ("normalizer", "pre_tokenizer", "post_processor")
_SETTINGS = ("do_lower_case", "add_bos_token", "add_eos_token", "padding_side", "add_prefix_space")


@dataclass(frozen=True, slots=True)
class Vocabulary:
    """What a tokenizer's files say; what a file does not tell is None.

    Attributes:
        ids: Token to id, added tokens included.
        merges: Of a byte-pair encoding, in order.
        scores: Of a unigram model, by id.
        pipeline: Steps around the model: normaliser and the like.
        sentencepiece: sha256 of a SentencePiece file.
        file: That the ids are from; another one may leave out added tokens.
    """

    ids: Mapping[str, int] | None = None
    merges: tuple[tuple[str, str], ...] | None = None
    scores: tuple[float, ...] | None = None
    pipeline: Mapping[str, Any] | None = None
    sentencepiece: str | None = None
    file: str | None = None


@dataclass(frozen=True, slots=True)
class TokenizerDifferences:
    """Sentences about a tokenizer against another; ``ids``: token ids differ, ``others``: the rest."""

    ids: tuple[str, ...]
    others: tuple[str, ...]


def tokenizer_differences(folder: Path, base: Path, *, name: str) -> TokenizerDifferences:
    """How the tokenizer of a folder differs from that of ``base``, which is called ``name`` in the sentences.

    A token that one side lacks counts as a difference of ids, a padding token apart. A folder without a
    tokenizer has none.

    Raises:
        ModelError: A file is damaged.

    Example::

        tokenizer_differences(Path("fine-tuned"), Path("base"), name="base").ids
    """
    if _same_file(folder / "tokenizer.json", base / "tokenizer.json"):  # large, and equal as a rule
        return TokenizerDifferences((), tuple(_setting_differences(folder, base, name)))
    own, known = _vocabulary(folder), _vocabulary(base)
    if own == Vocabulary():
        return TokenizerDifferences((), ())
    if known == Vocabulary():
        return TokenizerDifferences((), (f"has a tokenizer, but {name} has none",))
    padding = {chat_files(one)[1].get("pad_token") for one in (folder, base)}
    ids, others = _id_differences(own, known, name, padding - {None})
    others += _pipeline_differences(own, known, name)
    others += _setting_differences(folder, base, name)
    return TokenizerDifferences(tuple(ids), tuple(others))


def _same_file(one: Path, other: Path) -> bool:
    return one.is_file() and other.is_file() and filecmp.cmp(one, other, shallow=False)


def _id_differences(
    own: Vocabulary, known: Vocabulary, name: str, padding: set[str | None]
) -> tuple[list[str], list[str]]:
    ids: list[str] = []
    others: list[str] = []
    if own.ids is not None and known.ids is not None:
        added = sorted(own.ids.keys() - known.ids.keys(), key=lambda token: (own.ids or {})[token])
        lost = sorted(known.ids.keys() - own.ids.keys(), key=lambda token: (known.ids or {})[token])
        moved = sorted(t for t in own.ids.keys() & known.ids.keys() if own.ids[t] != known.ids[t])
        other = "" if own.file == known.file else f" in {known.file}"
        for tokens, what in (
            (added, f"has tokens that {name} lacks{other}"),
            (lost, f"lacks tokens of {name}{other}"),
        ):
            serious = [token for token in tokens if token not in padding]
            if serious and own.file == known.file:
                ids.append(f"its tokenizer {what}: {_shown(serious)}; a mix needs one vocabulary")
            elif serious:
                others.append(f"its {own.file} {what}: {_shown(serious)}; files of two kinds may do so")
            elif tokens:
                others.append(f"its tokenizer {what}: {_shown(tokens)}, for padding only")
        if moved:
            first = moved[0]
            ids.append(
                f"its tokenizer gives {len(moved)} tokens other ids, first {first!r}: {own.ids[first]}, "
                f"{name} {known.ids[first]}"
            )
        for part, one, two in (("merges", own.merges, known.merges), ("scores", own.scores, known.scores)):
            if not ids and None not in (one, two) and one != two:
                ids.append(f"its tokenizer has other {part} than {name}'s, so texts get other tokens")
    elif own.sentencepiece and known.sentencepiece:
        if own.sentencepiece != known.sentencepiece:
            ids.append(f"its SentencePiece file differs from {name}'s")
    else:
        others.append(
            f"its tokenizer cannot be compared with {name}'s: they have no file of the same kind; save both "
            "with AutoTokenizer.from_pretrained(...).save_pretrained(...) of one version"
        )
    return ids, others


def _pipeline_differences(own: Vocabulary, known: Vocabulary, name: str) -> list[str]:
    if own.pipeline is None or known.pipeline is None:
        return []
    parts = [part for part in _PIPELINE if own.pipeline.get(part) != known.pipeline.get(part)]
    return [f"its tokenizer has another {part} than {name}; {name}'s is used" for part in parts]


def _setting_differences(folder: Path, base: Path, name: str) -> list[str]:
    (template, special), (known_template, known_special) = chat_files(folder), chat_files(base)
    found = []
    for key in sorted(special.keys() & known_special.keys()):
        if special[key] != known_special[key]:
            found.append(f"its {key} is {special[key]!r}, {name}'s {known_special[key]!r}; {name}'s is used")
    if template != known_template:
        said = "has a chat template" if known_template is None else "has no chat template"
        said = "has another chat template" if template and known_template else said
        found.append(f"{said} than {name}; {name}'s is used" if "another" in said else
                     f"{said}, unlike {name}; {name}'s files are used")  # fmt: skip
    own, known = (read_json(one / "tokenizer_config.json") for one in (folder, base))
    for key in _SETTINGS:
        if key in own and key in known and own[key] != known[key]:
            found.append(f"its {key} is {own[key]!r}, {name}'s {known[key]!r}; {name}'s is used")
    return found


def _vocabulary(folder: Path) -> Vocabulary:
    model = next((folder / one for one in _SENTENCEPIECE if (folder / one).is_file()), None)
    digest = hashlib.sha256(model.read_bytes()).hexdigest() if model else None
    path = folder / "tokenizer.json"
    try:
        if path.is_file():
            return _fast(json.loads(path.read_text(encoding="utf-8")), digest)
        path = folder / "vocab.txt"
        if path.is_file():
            lines = path.read_text(encoding="utf-8").split("\n")
            words = lines[:-1] if lines and not lines[-1] else lines
            ids = {word.rstrip("\r"): at for at, word in enumerate(words)}
            return Vocabulary(ids, sentencepiece=digest, file=path.name)
        path = folder / "vocab.json"
        if path.is_file():
            merges = folder / "merges.txt"
            found = _merges(merges.read_text(encoding="utf-8").splitlines()) if merges.is_file() else None
            ids = _with_added(json.loads(path.read_text(encoding="utf-8")), folder)
            return Vocabulary(ids, found, sentencepiece=digest, file=path.name)
    except (OSError, ValueError, KeyError, TypeError, IndexError, AttributeError, RecursionError) as error:
        raise ModelError(f"{path}: cannot be read as a tokenizer ({error!r}); save it again") from error
    return Vocabulary(sentencepiece=digest)


def _fast(content: Mapping[str, Any], digest: str | None) -> Vocabulary:
    model = content["model"]
    vocabulary, scores = model["vocab"], None
    if isinstance(vocabulary, list):  # unigram: pieces with their scores
        scores = tuple(float(piece[1]) for piece in vocabulary)
        vocabulary = {piece[0]: at for at, piece in enumerate(vocabulary)}
    added = {token["content"]: token["id"] for token in content.get("added_tokens") or ()}
    ids = {str(token): int(at) for token, at in {**vocabulary, **added}.items()}
    pipeline = {part: content.get(part) for part in _PIPELINE}
    return Vocabulary(ids, _merges(model.get("merges")), scores, pipeline, digest, "tokenizer.json")


def _with_added(vocabulary: Mapping[str, Any], folder: Path) -> dict[str, int]:
    added = read_json(folder / "added_tokens.json")
    return {str(token): int(at) for token, at in {**vocabulary, **added}.items()}


def _merges(lines: Any) -> tuple[tuple[str, str], ...] | None:
    """Older files have ``"a b"`` where newer ones have ``["a", "b"]``."""
    if lines is None:
        return None
    kept = [
        line for line in lines if not (isinstance(line, str) and (line.startswith("#version") or not line))
    ]
    pairs = (line.split(" ", 1) if isinstance(line, str) else line for line in kept)
    return tuple((str(a), str(b)) for a, b in pairs)


def _shown(tokens: list[str]) -> str:
    more = f" ... ({len(tokens)})" if len(tokens) > 3 else ""
    return ", ".join(repr(token) for token in tokens[:3]) + more
