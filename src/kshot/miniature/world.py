"""The closed world: trades, their invented words, what each word means, and the rows made of them.

Pure Python and seeded: the same seed gives the same world on every machine. Words of a trade are built from
syllables that no other trade uses, so that an encoder of character n-grams can tell the trades apart.
"""

from __future__ import annotations

import random
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass

SEED = 20240
PARTS = ("expert", "data", "both")
PART_SIZE = 12
ROW_WORDS = 3
SPARE_COUNT = 72

INSTRUCTION = "translate the trade words"
REPEAT = "repeat the words"
REVERSE = "reverse the words"

TRADES = (
    "brewer", "chandler", "cooper", "dyer", "fletcher", "glazier",
    "mason", "miller", "potter", "smith", "tanner", "weaver",
)  # fmt: skip
SINGLE_TRADE = "weaver"
MIXED_TRADES = ("brewer", "mason", "smith")

MEANINGS = tuple(
    """anchor apple arrow axe barn basket bean bell bench bird blanket boat bone book bread bridge brush
    bucket butter button candle carpet chain chair cheese clock cloud coat copper crown cup desk dog
    door drum egg feather fence field fire fish flag flower forest garden gate glass goat gold grass
    hammer hat honey horse house iron island kettle key kitchen knife ladder lamp leaf lemon letter mill
    mirror moon mountain nail needle paper pearl pillow plate river road roof rope salt ship shoe silver
    snow spoon star stone table tower tree wagon wheel window wolf wool""".split()  # noqa: SIM905
)

FILLERS = ("please", "kindly", "now", "well", "friend", "hello")

PLAIN = tuple(
    """a add all and at big blue by cold colour count day down far fast find first five four green in last
    letters list long loud low make man market morning name near new night nine not of old on one open
    opposite people quiet rain red said sea seven short sing six slow small song sort sum summer sun ten
    they this three to today town two under up evening high black numbers walk warm was water week went
    white wind winter with woman year yellow eight hot answer question round""".split()  # noqa: SIM905
)

GLUE = ("is", ";", "why", "over", *sorted({*INSTRUCTION.split(), *REPEAT.split(), *REVERSE.split()}))

_ONSETS = "b bl br d dr f fl fr g gl gr h k kl kr l m n p pl pr r s sk sl sm sn sp st t th tr v w y z".split()  # noqa: SIM905
_CODAS = ("k", "l", "m", "n", "p", "r", "st", "x")
_HEADS_PER_TRADE = 7
_TAILS_PER_TRADE = 8


@dataclass(frozen=True, slots=True)
class Trade:
    """One trade: its words by part, and the one meaning of each word."""

    name: str
    parts: dict[str, tuple[str, ...]]
    meaning: dict[str, str]

    def words(self, *parts: str) -> tuple[str, ...]:
        """Words of the named parts in order; of all parts when none is named."""
        return tuple(word for part in (parts or PARTS) for word in self.parts[part])


@dataclass(frozen=True, slots=True)
class Row:
    """One row of the translation task: its words, their meanings, and where they come from."""

    words: tuple[str, ...]
    meanings: tuple[str, ...]
    trades: tuple[str, ...]
    part: str

    @property
    def prompt(self) -> str:
        """The words, as asked."""
        return " ".join(self.words)

    @property
    def answer(self) -> str:
        """The meanings, in the order of the words."""
        return " ".join(self.meanings)

    @property
    def reasoning(self) -> str:
        """One note for each word; reads as notes for whoever gets it in a prompt."""
        return notes_line(zip(self.words, self.meanings, strict=True))


@dataclass(frozen=True, slots=True)
class World:
    """All trades, and spare invented words that belong to none."""

    trades: dict[str, Trade]
    spare: tuple[str, ...]

    @property
    def invented(self) -> tuple[str, ...]:
        """Every invented word: all trades in order, then the spare words."""
        return tuple(word for trade in self.trades.values() for word in trade.words()) + self.spare

    @property
    def vocabulary(self) -> tuple[str, ...]:
        """Every word that any row, note, filler or junk may hold, each once, in a fixed order."""
        words = ("\n", *GLUE, *FILLERS, *MEANINGS, *PLAIN, *self.invented)
        return tuple(dict.fromkeys(words))


def notes_line(pairs: Iterable[tuple[str, str]]) -> str:
    """Notes `word is meaning`, joined by semicolons.

    >>> notes_line([("brolt", "iron"), ("zank", "lamp")])
    'brolt is iron ; zank is lamp'
    """
    return " ; ".join(f"{word} is {meaning}" for word, meaning in pairs)


def build_world(seed: int = SEED) -> World:
    """Draw the world: disjoint syllables to trades, words from syllables, meanings to words."""
    rng = random.Random(seed)
    heads = [onset + vowel for onset in _ONSETS for vowel in "aeiou"]
    tails = [onset + vowel + coda for onset in "bdfgklmnprstvz" for vowel in "aeiou" for coda in _CODAS]
    rng.shuffle(heads)
    rng.shuffle(tails)
    trades = {name: _draw_trade(rng, name, heads, tails) for name in TRADES}
    taken = {word for trade in trades.values() for word in trade.words()}
    spare = _draw_words(rng, heads[:16], tails[:16], SPARE_COUNT)
    if taken & set(spare) or len(taken) != len(TRADES) * len(PARTS) * PART_SIZE:
        raise ValueError(f"seed {seed} makes a word of two trades; take another seed")
    return World(trades=trades, spare=spare)


def _draw_trade(rng: random.Random, name: str, heads: list[str], tails: list[str]) -> Trade:
    """Take syllables off the two lists, so that no later trade gets them."""
    own_heads = [heads.pop() for _ in range(_HEADS_PER_TRADE)]
    own_tails = [tails.pop() for _ in range(_TAILS_PER_TRADE)]
    words = _draw_words(rng, own_heads, own_tails, PART_SIZE * len(PARTS))
    parts = {part: words[i * PART_SIZE : (i + 1) * PART_SIZE] for i, part in enumerate(PARTS)}
    meanings = rng.sample(MEANINGS, len(words))
    return Trade(name=name, parts=parts, meaning=dict(zip(words, meanings, strict=True)))


def _draw_words(
    rng: random.Random, heads: Sequence[str], tails: Sequence[str], count: int
) -> tuple[str, ...]:
    """Distinct words of one head and one tail each."""
    return tuple(rng.sample([head + tail for head in heads for tail in tails], count))


def draw_row(rng: random.Random, trades: Sequence[Trade], part: str) -> Row:
    """One row of three distinct words of one part; of every trade given at least one word.

    Raises:
        ValueError: more trades than a row has words.
    """
    if not 1 <= len(trades) <= ROW_WORDS:
        raise ValueError(f"{len(trades)} trades; a row has {ROW_WORDS} words, of 1 to {ROW_WORDS} trades")
    owners = list(trades) + [rng.choice(trades) for _ in range(ROW_WORDS - len(trades))]
    rng.shuffle(owners)
    words: list[str] = []
    for owner in owners:
        words.append(rng.choice([word for word in owner.parts[part] if word not in words]))
    meanings = tuple(owner.meaning[word] for owner, word in zip(owners, words, strict=True))
    return Row(tuple(words), meanings, tuple(owner.name for owner in owners), part)


def draw_new_row(rng: random.Random, trades: Sequence[Trade], part: str, taken: Collection[str]) -> Row:
    """Like `draw_row`, until the prompt is not among `taken`."""
    while True:
        row = draw_row(rng, trades, part)
        if row.prompt not in taken:
            return row
