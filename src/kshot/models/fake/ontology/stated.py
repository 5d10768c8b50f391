"""A simulated model as it is stated on a command line: ``8x6x8:s=1.5,obey=0.9``."""

from __future__ import annotations

import math
from dataclasses import fields

from kshot.errors import InputError
from kshot.models.fake.ontology.recall import RecallModel
from kshot.models.fake.ontology.speaker import OntologySpeaker
from kshot.models.fake.ontology.world import Ontology, Shape

WHOLE = ("per_reply", "seed")


def stated_speaker(text: str) -> OntologySpeaker:
    """The speaker of ``SHAPE`` or ``SHAPE:NAME=VALUE,...``; names are those of ``RecallModel``, and seed.

    Raises:
        InputError: It is not written so, or a value makes no sense.

    >>> speaker = stated_speaker("8x6x8:s=1.5,seed=3")
    >>> len(speaker.ontology.leaves), speaker.recall.s, speaker.ontology.seed
    (384, 1.5, 3)
    """
    shape, _, rest = text.partition(":")
    known = ("seed", *(field.name for field in fields(RecallModel)))
    values: dict[str, float] = {}
    for part in filter(None, rest.split(",")):
        name, _, value = part.partition("=")
        if name.strip() not in known:
            raise InputError(f"ontology {text!r}: {name.strip()!r} is unknown; expected {', '.join(known)}")
        values[name.strip()] = _number(value, text)
    seed = int(values.pop("seed", 0))
    whole = {name: int(value) for name, value in values.items() if name in WHOLE}
    recall = RecallModel(**(values | whole))  # type: ignore[arg-type]  # whole numbers where they are expected
    return OntologySpeaker(Ontology.made(stated_shape(shape), seed=seed), recall, seed=seed)


def _number(value: str, text: str) -> float:
    try:
        found = float(value)
    except ValueError:
        found = math.nan
    if not math.isfinite(found):
        raise InputError(f"ontology {text!r}: {value!r} is no number; write for example 8x6x8:s=1.5")
    return found


def stated_shape(text: str) -> Shape:
    """The shape that ``8x6x8``, or ``irregular``, stands for.

    Raises:
        InputError: It is not written so.

    >>> stated_shape("16x10x8")
    (16, 10, 8)
    """
    if text == "irregular":
        return "irregular"
    if not all(part.isascii() and part.isdigit() for part in text.split("x")):
        raise InputError(f"ontology {text!r}: expected a shape as 8x6x8, or irregular; then :s=1.5,obey=0.9")
    return tuple(int(part) for part in text.split("x"))
