"""What instructions cover: verb-noun pairs, their evenness at equal size, rows over tasks, and yields."""

from kshot.measure.coverage.datasets import DatasetCoverage, side_by_side
from kshot.measure.coverage.parsers import (
    HantaParser,
    Pair,
    Parser,
    SpacyParser,
    default_parser,
    hanta_parser,
    has_hanta,
    has_spacy,
    spacy_parser,
)
from kshot.measure.coverage.plain_parser import PlainParser, plain_parser
from kshot.measure.coverage.tree_coverage import TreeCoverage, YieldPoint, coverage_of, yield_curve
from kshot.measure.coverage.verb_nouns import (
    Rarefied,
    VerbNouns,
    at_equal_size,
    effective_number,
    first_sentence,
    rarefied,
    same_parser,
    verb_nouns,
)

__all__ = [
    "DatasetCoverage",
    "HantaParser",
    "Pair",
    "Parser",
    "PlainParser",
    "Rarefied",
    "SpacyParser",
    "TreeCoverage",
    "VerbNouns",
    "YieldPoint",
    "at_equal_size",
    "coverage_of",
    "default_parser",
    "effective_number",
    "first_sentence",
    "hanta_parser",
    "has_hanta",
    "has_spacy",
    "plain_parser",
    "rarefied",
    "same_parser",
    "side_by_side",
    "spacy_parser",
    "verb_nouns",
    "yield_curve",
]
