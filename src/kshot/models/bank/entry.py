"""BankEntry: what an adapter folder says about itself; card, configuration, file, hash. Nothing is judged."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, final

from kshot.errors import collected
from kshot.models.hf.adapted import adapter_hash
from kshot.models.lora.config import LoraConfig
from kshot.models.lora.files import PICKLED, WEIGHTS, AdapterFiles, adapter_files
from kshot.models.safetensor_files import file_sha256

_LONGEST_CARD = 1 << 20
_FRONT_MATTER = re.compile(r"\A\ufeff?---[ \t]*\r?\n(.*?)^---[ \t]*\r?$", re.DOTALL | re.MULTILINE)


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class BankEntry:
    """One adapter of a bank, as its folder tells.

    Attributes:
        name: Its folder within the bank.
        base: The base model that it declares.
        ranks: The ranks of its modules, each once, ascending; ``alphas`` likewise.
        targets: Last parts of the names of its modules, each once.
        size_bytes: Of the weights file.
        sha256: Of the weights file; None where there is none.
        content: Hash over weights and configuration, by which an ``AdaptedModel`` is called too: what tells
            adapters apart that share a weights file. Empty where one of the two cannot be read.
        licence: As its card states it; ``datasets`` likewise.
        problem: Why it cannot be used with any base; None where it can be read.
    """

    name: str
    folder: Path
    base: str | None = None
    ranks: tuple[int, ...] = ()
    alphas: tuple[float, ...] = ()
    targets: tuple[str, ...] = ()
    size_bytes: int = 0
    sha256: str | None = None
    content: str = ""
    licence: str | None = None
    datasets: tuple[str, ...] = ()
    peft_type: str | None = None
    problem: str | None = None

    @property
    def rank_text(self) -> str:
        """``16``, or ``16, 24`` where modules differ."""
        return ", ".join(map(str, self.ranks))

    @property
    def alpha_text(self) -> str:
        """As ``rank_text``."""
        return ", ".join(f"{alpha:g}" for alpha in self.alphas)

    def to_row(self) -> dict[str, Any]:
        """A JSON object."""
        return {
            "name": self.name, "folder": str(self.folder), "base": self.base, "rank": self.rank_text,
            "alpha": self.alpha_text, "targets": ", ".join(self.targets), "size": self.size_bytes,
            "sha256": self.sha256, "licence": self.licence, "datasets": list(self.datasets),
            "peft_type": self.peft_type, "problem": self.problem,
        }  # fmt: skip


def bank_entry(name: str, folder: Path) -> BankEntry:
    """Look at one adapter folder. Nothing is raised: what is wrong stands in ``problem``."""
    files = adapter_files(folder)
    card = _card(folder / "README.md")
    weights = next((folder / n for n in (WEIGHTS, PICKLED) if (folder / n).is_file()), None)
    config = files.config
    declared = (config.base if config else None) or next(iter(_texts(card.get("base_model"))), None)
    ranks, alphas = _shapes(files, config)
    try:
        size, digest = (weights.stat().st_size, file_sha256(weights)) if weights else (0, None)
        unreadable: list[str] = []
    except OSError as error:
        size, digest, unreadable = 0, None, [f"{weights}: cannot be read ({error.strerror})"]
    return BankEntry(
        name=name,
        folder=folder,
        base=declared,
        ranks=ranks,
        alphas=alphas,
        targets=_targets(files, config),
        size_bytes=size,
        sha256=digest,
        content=_content(folder),
        licence=_licence(card),
        datasets=_texts(card.get("datasets")),
        peft_type=files.peft_type,
        problem=collected([p.sentence for p in files.problems] + unreadable) or None,
    )


def _content(folder: Path) -> str:
    try:
        return adapter_hash(folder)
    except OSError:
        return ""


def _shapes(files: AdapterFiles, config: LoraConfig | None) -> tuple[tuple[int, ...], tuple[float, ...]]:
    if config is None:
        return (), ()
    if not files.pairs:
        return (config.rank,), (config.alpha,)
    ranks = sorted({config.rank_of(module) for module in files.pairs})
    return tuple(ranks), tuple(sorted({config.alpha_of(module) for module in files.pairs}))


def _targets(files: AdapterFiles, config: LoraConfig | None) -> tuple[str, ...]:
    if files.pairs or config is None:
        return tuple(sorted({module.rsplit(".", 1)[-1] for module in files.pairs}))
    return (config.targets,) if isinstance(config.targets, str) else tuple(sorted(config.targets))


def _card(path: Path) -> dict[str, Any]:
    """The front matter of a model card; empty where there is none that can be read."""
    import yaml

    try:
        with path.open(encoding="utf-8") as file:
            found = _FRONT_MATTER.match(file.read(_LONGEST_CARD))
        card = yaml.safe_load(found[1]) if found else None
    except (OSError, ValueError, RecursionError, yaml.YAMLError):
        return {}
    return card if isinstance(card, dict) else {}


def _licence(card: dict[str, Any]) -> str | None:
    named = _texts(card.get("license_name")) if card.get("license") == "other" else ()
    return ", ".join(named or _texts(card.get("license"))) or None


def _texts(value: Any) -> tuple[str, ...]:
    if isinstance(value, str):
        return (value,) if value.strip() else ()
    items = value if isinstance(value, Iterable) and not isinstance(value, dict) else ()
    return tuple(item for item in items if isinstance(item, str) and item.strip())
