"""The model card of a mix: what went in, with which weights and why, and how to load what came out."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field
from typing import Literal, TypeAlias

from kshot.models.kinds.base import AUTO_CLASSES, KindName

Library: TypeAlias = Literal["transformers", "sentence-transformers", "peft"]
_SPECIAL = re.compile(r"([\\`*_\[\]|~$])")


@dataclass(frozen=True, slots=True)
class CardMember:
    """One input of a mix, as the card tells it.

    Attributes:
        name: To be shown; no path of a machine.
        weight: In the mix.
        revision: Of the hub.
        on_hub: Whether the name is one of the hub.
        is_lora: Whether it is an adapter.
        sha256: Of its weights files, by path in its folder.
        licence: That its card states.
        interval: 2.5 to 97.5 percent of the weight, by bootstrap over the examples.
        losses: (K,) nats per term of each example.
    """

    name: str
    weight: float
    revision: str | None = None
    on_hub: bool = False
    is_lora: bool = False
    sha256: Mapping[str, str] = field(default_factory=dict)
    licence: str | None = None
    interval: tuple[float, float] | None = None
    losses: tuple[float, ...] = ()


@dataclass(frozen=True, slots=True)
class CardFacts:
    """What a card says; plain data.

    Attributes:
        members: N inputs in the order of the weights.
        base: Position of the one whose layout and small files were taken.
        kind: Of the models.
        operation: ``linear`` and so on.
        library: That loads the output.
        version: Of kshot.
        examples: (K,) identities of the examples that the losses are of; no texts.
        temperature: Of the softmax over losses, where weights came from one.
        seed: Of whatever was drawn.
        command: As it was run; nothing is taken out of it.
        layer_weights: Patterns of tensor names with weights of their own.
        notes: Further lines, such as a cosine to the base.
        warnings: Of the plan.
    """

    members: tuple[CardMember, ...]
    base: int
    kind: KindName
    operation: str
    library: Library
    version: str
    examples: tuple[str, ...] = ()
    temperature: float | None = None
    seed: int | None = None
    command: str | None = None
    layer_weights: tuple[tuple[str, tuple[float, ...]], ...] = ()
    notes: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()


def card(facts: CardFacts) -> str:
    r"""The text of ``README.md``: front matter that the hub reads, then tables; any name is safe in it.

    >>> facts = CardFacts(
    ...     (CardMember("a|b", 0.25), CardMember("owner/c", 0.75, on_hub=True)),
    ...     0, "decoder", "linear", "transformers", "0.1.0")
    >>> print(card(facts).split("## Load")[0].rstrip())
    ---
    base_model:
    - owner/c
    library_name: transformers
    tags:
    - merge
    - kshot
    ---
    <BLANKLINE>
    # A mix of 2 models
    <BLANKLINE>
    2 models (decoder) mixed by kshot 0.1.0, operation linear. Layout and tokenizer are those of a\|b.
    <BLANKLINE>
    | model | weight | revision |
    |---|---:|---|
    | a\|b (base) | 0.250000 |  |
    | owner/c | 0.750000 |  |
    """
    parts = [
        _front_matter(facts),
        f"# A mix of {_count(facts)}",
        _opening(facts),
        _members(facts),
        *_settings(facts),
        *_layers(facts),
        *_losses(facts),
        *_listed("Warnings", facts.warnings),
        *_listed("Notes", facts.notes),
        _loading(facts),
        *_hashes(facts),
    ]
    return "\n\n".join(parts) + "\n"


def _front_matter(facts: CardFacts) -> str:
    import yaml

    matter: dict[str, object] = {}
    if bases := list(dict.fromkeys(one.name for one in facts.members if one.on_hub)):
        matter["base_model"] = bases
    matter["library_name"] = facts.library
    licences = {one.licence for one in facts.members}
    if len(licences) == 1 and (agreed := licences.pop()) is not None:
        matter["license"] = agreed
    matter["tags"] = ["merge", "kshot"]
    return f"---\n{yaml.safe_dump(matter, allow_unicode=True, sort_keys=False)}---"


def _count(facts: CardFacts) -> str:
    what = "adapter" if all(one.is_lora for one in facts.members) else "model"
    return f"{len(facts.members)} {what}{'s' if len(facts.members) != 1 else ''}"


def _opening(facts: CardFacts) -> str:
    said = f"{_count(facts)} ({facts.kind}) mixed by kshot {_safe(facts.version)}"
    said += f", operation {_safe(facts.operation)}."
    return f"{said} Layout and tokenizer are those of {_safe(facts.members[facts.base].name)}."


def _members(facts: CardFacts) -> str:
    intervals = any(one.interval for one in facts.members)
    losses = any(one.losses for one in facts.members)
    heads = ["model", "weight"] + ["95 % interval"] * intervals + ["mean loss"] * losses + ["revision"]
    rows = []
    for at, one in enumerate(facts.members):
        marks = [word for word, true in (("base", at == facts.base), ("adapter", one.is_lora)) if true]
        row = [_safe(one.name) + (f" ({', '.join(marks)})" if marks else ""), f"{one.weight:.6f}"]
        row += [f"{one.interval[0]:.6f} to {one.interval[1]:.6f}" if one.interval else ""] * intervals
        row += [f"{math.fsum(one.losses) / len(one.losses):.6f}" if one.losses else ""] * losses
        rows.append([*row, _safe(one.revision or "")])
    return _table(heads, rows, right={1} | ({3 if intervals else 2} if losses else set()))


def _settings(facts: CardFacts) -> list[str]:
    said = []
    if facts.temperature is not None:
        said.append(f"weights by softmax of negative loss, temperature {facts.temperature:g}")
    if facts.seed is not None:
        said.append(f"seed {facts.seed}")
    found = [f"Settings: {'; '.join(said)}."] if said else []
    return [*found, "Command:\n\n" + _fenced(facts.command, "sh")] if facts.command else found


def _layers(facts: CardFacts) -> list[str]:
    if not facts.layer_weights:
        return []
    heads = ["tensors", *(_safe(one.name) for one in facts.members)]
    rows = [[_safe(pattern), *(f"{w:.6f}" for w in weights)] for pattern, weights in facts.layer_weights]
    return ["## Weights of single layers", _table(heads, rows, right=set(range(1, len(heads))))]


def _losses(facts: CardFacts) -> list[str]:
    if not any(one.losses for one in facts.members):
        return []
    count = max(len(one.losses) for one in facts.members)
    heads = ["example", *(_safe(one.name) for one in facts.members)]
    rows = [
        [
            _safe(facts.examples[k]) if k < len(facts.examples) else str(k + 1),
            *(f"{one.losses[k]:.6f}" if k < len(one.losses) else "" for one in facts.members),
        ]
        for k in range(count)
    ]
    said = "Nats per term, of each model before the mix. They chose the weights, so they are no evidence."
    return ["## Losses on the examples", said, _table(heads, rows, right=set(range(1, len(heads))))]


def _listed(title: str, lines: Sequence[str]) -> list[str]:
    return [f"## {title}", "\n".join(f"- {_safe(line)}" for line in lines)] if lines else []


def _loading(facts: CardFacts) -> str:
    if facts.library == "sentence-transformers":
        kind = "CrossEncoder" if facts.kind == "reranker" else "SentenceTransformer"
        code = f'from sentence_transformers import {kind}\n\nmodel = {kind}("path/to/this/folder")'
    elif facts.library == "peft":
        code = 'from peft import PeftModel\n\nmodel = PeftModel.from_pretrained(base, "path/to/this/folder")'
    else:
        auto = AUTO_CLASSES[facts.kind]
        code = (
            f"from transformers import {auto}, AutoTokenizer\n\n"
            f'model = {auto}.from_pretrained("path/to/this/folder")\n'
            'tokenizer = AutoTokenizer.from_pretrained("path/to/this/folder")'
        )
    return "## Load\n\n" + _fenced(code, "python")


def _hashes(facts: CardFacts) -> list[str]:
    rows = [
        [_safe(one.name), _safe(path), f"`{digest}`"]
        for one in facts.members
        for path, digest in sorted(one.sha256.items())
    ]
    return ["## Weights files of the inputs", _table(["model", "file", "sha256"], rows)] if rows else []


def _table(
    heads: Sequence[str], rows: Sequence[Sequence[str]], *, right: AbstractSet[int] = frozenset()
) -> str:
    rule = "|".join("---:" if at in right else "---" for at in range(len(heads)))
    return "\n".join([f"| {' | '.join(heads)} |", f"|{rule}|", *(f"| {' | '.join(row)} |" for row in rows)])


def _safe(text: str) -> str:
    """One line whose characters mean themselves in Markdown and HTML."""
    line = " ".join("".join(c if c.isprintable() else " " for c in text).split())
    line = line.replace("&", "&amp;").replace("<", "&lt;")
    return _SPECIAL.sub(r"\\\1", line)


def _fenced(text: str, language: str) -> str:
    longest = max((len(run) for run in re.findall("`+", text)), default=0)
    fence = "`" * max(3, longest + 1)
    return f"{fence}{language}\n{text.strip()}\n{fence}"
