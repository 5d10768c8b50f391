"""What only the server knows: which leaf each row that it wrote belongs to; and the score by it."""

from __future__ import annotations

import hashlib
import math
import threading
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import final

from kshot.models.fake.ontology.items import JUNK, TEMPLATES

MOST_ITEMS = 2_000_000


@final
class ItemLog:
    """Opaque ids by content hash. Bounded: beyond ``most`` the oldest are forgotten. Safe between threads.

    >>> log = ItemLog()
    >>> log.note("Sort the list.", 7)
    >>> log.id_of("Sort the list."), log.id_of("Something else.")
    (7, None)
    """

    def __init__(self, *, most: int = MOST_ITEMS) -> None:
        self._most = most
        self._ids: dict[bytes, int] = {}
        self._lock = threading.Lock()

    def __len__(self) -> int:
        """How many distinct instructions are remembered."""
        return len(self._ids)

    def note(self, instruction: str, number: int) -> None:
        """Remembers what an instruction is."""
        key = _key(instruction)
        with self._lock:
            self._ids.setdefault(key, number)
            if len(self._ids) > self._most:
                del self._ids[next(iter(self._ids))]

    def id_of(self, instruction: str) -> int | None:
        """Its opaque id; None where the server never wrote it, or forgot it."""
        return self._ids.get(_key(instruction))

    def to_json(self) -> dict[str, int]:
        """Plain values, for another process."""
        with self._lock:
            return {key.hex(): number for key, number in self._ids.items()}

    @classmethod
    def from_json(cls, value: Mapping[str, int]) -> ItemLog:
        """What ``to_json`` gave."""
        found = cls()
        found._ids = {bytes.fromhex(key): int(number) for key, number in value.items()}
        return found


@dataclass(frozen=True, slots=True)
class CoverageScore:
    """How much of the ontology a set of rows reaches.

    Attributes:
        rows: How many rows.
        leaf_recall: Share of the leaves with one row or more.
        leaf_recall_3: The same with three or more.
        evenness: exp(entropy of rows over leaves) over the number of leaves: 1 if all have equally many.
        off_share: Share of the rows that are off the ontology.
        repeats: Share of the rows whose template an earlier row has.
        unknown: Rows that the server did not write.
    """

    rows: int
    leaf_recall: float
    leaf_recall_3: float
    evenness: float
    off_share: float
    repeats: float
    unknown: int = 0


def score(log: ItemLog, instructions: Iterable[str], *, leaves: int) -> CoverageScore:
    """The score of rows by their instructions; ``leaves`` of the ontology are to be reached.

    >>> log = ItemLog()
    >>> log.note("a", 60)
    >>> log.note("b", 61)
    >>> found = score(log, ["a", "b"], leaves=4)
    >>> found.leaf_recall, found.evenness, found.off_share
    (0.25, 0.25, 0.0)
    """
    return score_ids((log.id_of(text) for text in instructions), leaves=leaves)


def score_ids(numbers: Iterable[int | None], *, leaves: int) -> CoverageScore:
    """The same from opaque ids."""
    found = list(numbers)
    on = [number for number in found if number is not None and number != JUNK]
    by_leaf = Counter(number // TEMPLATES for number in on)
    entropy = math.log(len(on)) - sum(n * math.log(n) for n in by_leaf.values()) / len(on) if on else 0.0
    total = max(1, len(found))
    return CoverageScore(
        rows=len(found),
        leaf_recall=len(by_leaf) / leaves,
        leaf_recall_3=sum(count >= 3 for count in by_leaf.values()) / leaves,
        evenness=math.exp(entropy) / leaves if on else 0.0,
        off_share=sum(number == JUNK for number in found) / total,
        repeats=(len(on) - len(set(on))) / total,
        unknown=sum(number is None for number in found),
    )


def _key(instruction: str) -> bytes:
    return hashlib.blake2b(instruction.encode("utf-8", "surrogatepass"), digest_size=8).digest()
