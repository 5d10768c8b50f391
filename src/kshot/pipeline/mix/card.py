"""The card of a stand-alone mix, from its job, its plan and its facts."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import kshot
from kshot.models.checkpoint.card import CardFacts, CardMember, Library, card
from kshot.models.checkpoint.parts import Member
from kshot.models.checkpoint.provenance import is_hub_name, licence, public_name, weights_sha256


def card_of(members: Sequence[Member], facts: Mapping[str, Any], *, base: int, hashed: bool) -> str:
    """``README.md`` of a mix.

    Args:
        members: N, in the order of the facts' members.
        facts: What ``kshot_mix.json`` holds.
        base: Position of the member whose layout was taken.
        hashed: Whether the weights files of all members are hashed; that reads them all.

    Raises:
        ModelError: A weights file cannot be read.
    """
    hashes = weights_sha256(members) if hashed else ({},) * len(members)
    losses = facts["losses"]
    told = [
        CardMember(
            name=public_name(member),
            weight=row["weight"],
            revision=member.revision,
            on_hub=is_hub_name(member),
            is_lora=member.is_lora,
            sha256=sha256,
            licence=licence(member),
            interval=None if row["low"] is None else (row["low"], row["high"]),
            losses=tuple(losses[at]) if at < len(losses) else (),
        )
        for at, (member, row, sha256) in enumerate(zip(members, facts["members"], hashes, strict=True))
    ]
    return card(
        CardFacts(
            members=tuple(told),
            base=base,
            kind=facts["kind"],
            operation=facts["operation"],
            library=_library(members, base),
            version=kshot.__version__,
            examples=tuple(facts["examples"]),
            temperature=(facts.get("temperature") or {}).get("chosen"),
            seed=facts["seed"],
            command=facts["command"] or None,
            layer_weights=tuple((pattern, tuple(row)) for pattern, row in facts["layer_weights"]),
            notes=(
                *(str(facts[key]) for key in ("reason", "apart") if facts.get(key)),
                *(_public(_kinship(row), members) for row in facts.get("lineage", ())),
            ),
            warnings=tuple(_public(sentence, members) for sentence in facts["warnings"]),
        )
    )


def _kinship(row: Mapping[str, Any]) -> str:
    if row["cosine"] is None or row["distance"] is None:
        return f"{row['name']}: not comparable with the base on sampled weights"
    return (
        f"{row['name']}: on sampled weights {row['distance']:.3g} of the base's length away from it, "
        f"cosine {row['cosine']:.4f}"
    )


def _public(sentence: str, members: Sequence[Member]) -> str:
    """A sentence with the members' public names: no path of a machine goes into a card that may be shared."""
    for member in sorted(members, key=lambda one: -len(one.name)):
        sentence = sentence.replace(member.name, public_name(member))
    return sentence


def _library(members: Sequence[Member], base: int) -> Library:
    if all(member.is_lora for member in members):
        return "peft"
    has_modules = (members[base].folder / "modules.json").is_file()
    return "sentence-transformers" if has_modules else "transformers"
