"""What is shown, card by card: rows of an exploration, or pairs of answers without their names."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal, TypeAlias

from kshot.data.formats.json_rows import parse_row
from kshot.errors import DataError, InputError, collected
from kshot.measure.judge import Pair
from kshot.methods.explore.records import Row
from kshot.methods.explore.tree import DomainTree

Mode: TypeAlias = Literal["rows", "pairs"]
ROWS, TREE, REVIEWS = "rows.jsonl", "tree.json", "reviews.jsonl"


@dataclass(frozen=True, slots=True)
class Card:
    """One thing to decide on.

    Attributes:
        id: What the verdict is kept under.
        parts: Headings and texts, in the order of the page.
        group: The task's path, where there is one; what cards are filtered by.
        flipped: Of a pair, whether B's answer stands left.
    """

    id: str
    parts: tuple[tuple[str, str], ...]
    group: str = ""
    flipped: bool = False


@dataclass(frozen=True, slots=True)
class Deck:
    """All cards, and what may be said of them.

    Attributes:
        mode: ``rows`` takes accept and reject; ``pairs`` takes left, right and tie.
        cards: In the order in which they are shown.
        names: Of pairs, what A and B are; told when all are voted on.
        left_out: Of pairs, how many have equal answers, so that there is nothing to vote on.
    """

    mode: Mode
    cards: tuple[Card, ...]
    names: tuple[str, str] = ("A", "B")
    left_out: int = 0
    places: dict[str, int] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "places", {card.id: place for place, card in enumerate(self.cards)})
        if len(self.places) < len(self.cards):
            raise DataError("two cards have one id; verdicts are kept by id, so each needs its own")

    @property
    def verdicts(self) -> tuple[str, ...]:
        """What the page offers."""
        return ("accept", "reject") if self.mode == "rows" else ("left", "right", "tie")

    @property
    def kept_as(self) -> tuple[str, ...]:
        """What a file of votes may hold."""
        return ("accept", "reject") if self.mode == "rows" else ("a", "b", "tie")

    def to_kept(self, card: Card, said: str) -> str:
        """The verdict of the page as the file has it: sides become systems."""
        sides = {"left": "b" if card.flipped else "a", "right": "a" if card.flipped else "b"}
        return sides.get(said, said)

    def to_page(self, card: Card, kept: str) -> str:
        """The other way round."""
        sides = {"a": "right" if card.flipped else "left", "b": "left" if card.flipped else "right"}
        return sides.get(kept, kept)

    def groups(self) -> dict[str, int]:
        """Tasks in the order of their first card, with the number of their cards."""
        found: dict[str, int] = {}
        for card in self.cards:
            found[card.group] = found.get(card.group, 0) + 1
        return found


def rows_deck(place: Path) -> tuple[Deck, Path]:
    """The kept rows of an exploration's folder (or a file of such rows), and where their verdicts go.

    A last line that is not whole, as of a process that is at work, is left out.

    Raises:
        InputError: There are no rows.
        DataError: A line is no row.

    Example::

        deck, reviews = rows_deck(Path("out"))
    """
    file = place / ROWS if place.is_dir() else place
    if not file.is_file():
        raise InputError(f"{file}: there is no such file; give the folder of an exploration that has rows")
    rows = _rows(file)
    if not rows:
        raise InputError(f"{file}: there are no rows yet; fill the exploration first")
    names = _task_names(file.with_name(TREE))
    cards = tuple(
        Card(
            row.id,
            (("Instruction", row.item.instruction), ("Input", row.item.input), ("Output", row.item.output)),
            names.get(row.node, row.node),
        )
        for row in rows
    )
    return Deck("rows", cards), file.with_name(REVIEWS)


def pairs_deck(pairs: Sequence[Pair], *, names: tuple[str, str] = ("A", "B"), seed: int = 0) -> Deck:
    """Pairs of answers, the sides of each swapped or not by a hash of the seed and its id.

    >>> deck = pairs_deck([Pair("1", "2 + 2?", "4", "5"), Pair("2", "Same?", "x", "x")])
    >>> [name for name, _ in deck.cards[0].parts], deck.left_out
    (['Question', 'Left', 'Right'], 1)

    Raises:
        InputError: All answers are equal.
    """
    told = [pair for pair in pairs if not pair.is_equal]
    if not told:
        raise InputError(f"{len(pairs)} pairs, and all have equal answers; there is nothing to vote on")
    return Deck("pairs", tuple(_card(pair, seed) for pair in told), names, len(pairs) - len(told))


def _card(pair: Pair, seed: int) -> Card:
    text = f"{seed}\n{pair.id}"
    flipped = bool(hashlib.sha256(text.encode("utf-8", "surrogatepass")).digest()[0] & 1)
    left, right = (pair.b, pair.a) if flipped else (pair.a, pair.b)
    return Card(pair.id, (("Question", pair.question), ("Left", left), ("Right", right)), "", flipped)


def _rows(file: Path) -> list[Row]:
    found: list[Row] = []
    wrong: list[str] = []
    with file.open("rb") as lines:
        for number, raw in enumerate(lines, start=1):
            if not raw.endswith(b"\n") or not raw.strip():
                continue
            try:
                values = parse_row(raw.decode("utf-8"))
                if isinstance(values, str):
                    raise DataError(values)
                found.append(Row.from_json(values))
            except (DataError, UnicodeDecodeError) as error:
                wrong.append(f"{file}:{number}: {error}")
    if wrong:
        raise DataError(collected(wrong))
    return found


def _task_names(file: Path) -> dict[str, str]:
    if not file.is_file():
        return {}
    tree = DomainTree.load(file)
    return {node.id: " / ".join(tree.path(node.id)) for node in tree}
