"""What instructions ask for, as pairs of a verb and its object: how many there are, and how even they are."""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from kshot.errors import InputError
from kshot.measure.coverage.parsers import Parser, default_parser

_END = re.compile(r"(?<=[.!?])\s+|(?<=[。！？])|\n")


@dataclass(frozen=True, slots=True)
class VerbNouns:
    """Verb-noun pairs of distinct instructions, as one parser sees them.

    Attributes:
        parser: Name and version; figures of two parsers are never compared.
        texts: Distinct instructions.
        pairs: (verb, noun, count), most frequent first, ties by the words.
    """

    parser: str
    texts: int
    pairs: tuple[tuple[str, str, int], ...]

    @property
    def counts(self) -> tuple[int, ...]:
        """Of the pairs, most frequent first: the rank-abundance curve."""
        return tuple(number for _, _, number in self.pairs)

    @property
    def parsed(self) -> int:
        """Instructions in which the parser found a pair."""
        return sum(self.counts)

    @property
    def parsed_share(self) -> float:
        """The same as a share of the distinct instructions; 0 without any."""
        return self.parsed / self.texts if self.texts else 0.0

    @property
    def unique(self) -> int:
        """Different pairs."""
        return len(self.pairs)

    @property
    def mean(self) -> float:
        """Mean count of a pair; 0 without any."""
        return self.parsed / self.unique if self.pairs else 0.0

    @property
    def std(self) -> float:
        """Population standard deviation of the counts; 0 without any."""
        if not self.pairs:
            return 0.0
        return math.sqrt(sum((number - self.mean) ** 2 for number in self.counts) / self.unique)

    @property
    def effective(self) -> float:
        """exp(entropy): how many equally frequent pairs would be as even; 0 without any."""
        return effective_number(self.counts)


def verb_nouns(instructions: Iterable[str], parser: Parser | None = None) -> VerbNouns:
    """The pairs of distinct instructions: of each the first sentence's main verb and its object, as lemmas.

    ``parser`` None takes ``default_parser``. Instructions without a pair are counted in ``texts`` alone.

    Source: Self-Instruct (arXiv 2212.10560) and Explore-Instruct (2310.09168), their data-centric analysis.

    >>> from kshot.measure.coverage.plain_parser import plain_parser
    >>> found = verb_nouns(["Write a poem.", "Write poems on cats.", "Name a town.", "Why?"], plain_parser())
    >>> found.pairs, found.mean, found.parsed_share
    ((('write', 'poem', 2), ('name', 'town', 1)), 1.5, 0.75)
    """
    reader = default_parser() if parser is None else parser
    texts = list(dict.fromkeys(instructions))
    found = Counter(pair for pair in reader.pairs([first_sentence(text) for text in texts]) if pair)
    ranked = sorted(found.items(), key=lambda entry: (-entry[1], entry[0]))
    return VerbNouns(reader.id, len(texts), tuple((verb, noun, number) for (verb, noun), number in ranked))


def first_sentence(text: str) -> str:
    """Up to the first stop, question or exclamation mark with a blank behind it, or the first line's end.

    >>> first_sentence("Name 3.5 things. Then stop.")
    'Name 3.5 things.'
    """
    return next((part.strip() for part in _END.split(text.strip()) if part.strip()), "")


def effective_number(counts: Iterable[int]) -> float:
    """exp(entropy) of the shares of counts; zeros do not matter; 0 where all are.

    >>> round(effective_number([5, 5, 0]), 6), effective_number([])
    (2.0, 0.0)
    """
    present = [number for number in counts if number > 0]
    total = sum(present)
    if not total:
        return 0.0
    return math.exp(math.log(total) - math.fsum(number * math.log(number) for number in present) / total)


@dataclass(frozen=True, slots=True)
class Rarefied:
    """What n of the parsed instructions, drawn without replacement, would show on average.

    Attributes:
        n: Parsed instructions.
        unique: Expected number of different pairs.
        mean: n / unique.
        std: Square root of (expected sum of squared counts / unique - mean squared).
        effective: exp(expected entropy).
    """

    n: int
    unique: float
    mean: float
    std: float
    effective: float


def rarefied(found: VerbNouns, n: int) -> Rarefied:
    """The figures at n parsed instructions, in closed form (hypergeometric): no draw, no seed.

    At n = ``found.parsed`` they are the figures themselves.

    Raises:
        InputError: n is below 0 or above what there is.

    Source: rarefaction, Hurlbert 1971; the entropy is summed over the hypergeometric distribution.

    >>> found = VerbNouns("p", 4, (("write", "poem", 2), ("name", "town", 1), ("list", "fact", 1)))
    >>> round(rarefied(found, 2).unique, 6), rarefied(found, 4).unique
    (1.833333, 3.0)
    """
    total = found.parsed
    if not 0 <= n <= total:
        raise InputError(f"n is {n}; {total} instructions have a pair, so expected 0 to {total}")
    if n == 0:
        return Rarefied(0, 0.0, 0.0, 0.0, 0.0)
    unique = squares = spread = 0.0
    for size, pairs in Counter(found.counts).items():  # pairs of one count share one distribution
        chances = _chances(total, size, n)
        unique += pairs * math.fsum(chance for number, chance in chances if number)
        squares += pairs * math.fsum(chance * number * number for number, chance in chances)
        spread += pairs * math.fsum(
            chance * number * math.log(number) for number, chance in chances if number
        )
    mean = n / unique
    std = math.sqrt(max(0.0, squares / unique - mean * mean))
    return Rarefied(n, unique, mean, std, math.exp(math.log(n) - spread / n))


def at_equal_size(found: Sequence[VerbNouns], n: int | None = None) -> tuple[Rarefied, ...]:
    """Each at the same number of parsed instructions: ``n``, by default the least that any of them has.

    Raises:
        InputError: They come from different parsers, or n is above what one of them has.

    >>> few = VerbNouns("p", 1, (("write", "poem", 1),))
    >>> many = VerbNouns("p", 4, (("write", "poem", 4),))
    >>> [one.n for one in at_equal_size([few, many])]
    [1, 1]
    """
    same_parser(found)
    size = min((one.parsed for one in found), default=0) if n is None else n
    return tuple(rarefied(one, size) for one in found)


def same_parser(found: Sequence[VerbNouns]) -> str:
    """The parser of all of them; empty of none.

    Raises:
        InputError: They come from different parsers: what is a pair to one is none to the other.

    >>> same_parser([VerbNouns("p 1", 0, ())])
    'p 1'
    """
    parsers = sorted({one.parser for one in found})
    if len(parsers) > 1:
        raise InputError(
            f"verb-noun pairs of {len(parsers)} parsers ({', '.join(parsers)}) cannot be compared; "
            "parse all datasets with one of them"
        )
    return parsers[0] if parsers else ""


def _chances(total: int, size: int, drawn: int) -> list[tuple[int, float]]:
    """(k, chance that k of ``size`` marked ones are among ``drawn`` of ``total``), without chances of 0."""
    least, most = max(0, drawn - (total - size)), min(size, drawn)
    all_ways = _log_ways(total, drawn)
    return [
        (k, math.exp(_log_ways(size, k) + _log_ways(total - size, drawn - k) - all_ways))
        for k in range(least, most + 1)
    ]


def _log_ways(total: int, drawn: int) -> float:
    return math.lgamma(total + 1) - math.lgamma(drawn + 1) - math.lgamma(total - drawn + 1)
