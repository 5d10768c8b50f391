"""What is drawn for a request: by hashes of the run's seed and the request's name, never of time or order."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import replace
from typing import TypeVar

from kshot.methods.explore.seams import SAMPLED
from kshot.models.asking import Decoding

T = TypeVar("T")
SEEDS = 1 << 31  # what every server takes for a seed


def drawn_number(seed: int, *names: object) -> int:
    """A number from 0 to 2**48 - 1 that depends on the seed and the names alone."""
    text = "\n".join(map(str, (seed, *names))).encode("utf-8", "surrogatepass")
    return int.from_bytes(hashlib.blake2b(text, digest_size=6).digest(), "big")


def decoding_of(seed: int, request: str, ordinal: int, *, base: Decoding = SAMPLED) -> Decoding:
    """How the reply to a request is drawn: like ``base``, with a seed of its own.

    >>> decoding_of(0, "fill:a1:3", 3) == decoding_of(0, "fill:a1:3", 3)
    True
    """
    return replace(base, seed=drawn_number(seed, request, "decoding") % SEEDS, sample=ordinal)


def picked(pool: Sequence[T], count: int, *, seed: int, request: str) -> tuple[T, ...]:
    """Some of a pool, without repeats, in the order of the pool; all where there are no more.

    >>> picked("ab", 3, seed=0, request="fill:a1:0")
    ('a', 'b')
    """
    chosen: dict[int, None] = {}
    ordinal = 0
    while len(chosen) < min(count, len(pool)):
        chosen[drawn_number(seed, request, "pick", ordinal) % len(pool)] = None
        ordinal += 1
    return tuple(pool[place] for place in sorted(chosen))
