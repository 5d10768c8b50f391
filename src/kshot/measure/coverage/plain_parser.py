"""Verb and object by word lists and endings alone: English, no dependency, and its limits are known."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Final, final

from kshot.measure.coverage.lexicon import (
    ADVERBS,
    BARRIERS,
    DETERMINERS,
    IRREGULAR_NOUNS,
    IRREGULAR_VERBS,
    LEADS,
    PRONOUNS,
    QUALITIES,
    UNCHANGED_NOUNS,
    VERBS,
)
from kshot.measure.coverage.parsers import Pair, Parser

_VERSION: Final = 1
_WORD_OR_MARK = re.compile(r"[A-Za-z]+(?:['’-][A-Za-z]+)*|\d[\d.,]*|[^\w\s]")
_MARK = re.compile(r"[^\w\s]")
_QUALITY = re.compile(r"(?:ous|ful|less|able|ible|ish|ical)$")
_SIBILANT = re.compile(r"(?:s|x|z|ch|sh)es$")
_SAID_TO_SOMEONE = frozenset({"me", "us"})


def plain_parser() -> Parser:
    """The built-in parser: a list of common verbs, closed word classes, and endings.

    The first known verb counts, or an unknown first word that is followed by a determiner; then the last
    word of the first run of words that may be nouns, up to a preposition, a conjunction, a pronoun, a mark,
    an adverb or a participle. Nothing if one of them comes between.

    Limits: English alone. It has no grammar: an adjective that ends like a noun is taken for one where
    nothing follows it; a verb that is missing in its list is seen only at the start; questions seldom have
    a pair; rare plurals are cut by rule. Good for comparing datasets with one another, not for quoting.

    >>> plain_parser().pairs(["Write two short stories about a cat.", "Is it raining?"])
    [('write', 'story'), None]
    """
    return PlainParser()


@final
class PlainParser:
    """See ``plain_parser``."""

    @property
    def id(self) -> str:
        """Name and version of the word lists and rules."""
        return f"kshot plain {_VERSION}, en"

    def pairs(self, sentences: Sequence[str]) -> list[Pair | None]:
        """Verb and object of each sentence."""
        return [_pair(_WORD_OR_MARK.findall(sentence)) for sentence in sentences]


def _pair(words: list[str]) -> Pair | None:
    lower = [word.lower().replace("’", "'") for word in words]
    begin = next((at for at, word in enumerate(lower) if word not in LEADS and not _MARK.match(word)), None)
    if begin is None:
        return None
    for at in range(begin, len(lower)):
        before = lower[at - 1] if at > begin else ""
        verb = _verb(lower[at], before)
        if not verb and at == begin and _may_be_unknown_verb(lower, at):
            verb = lower[at]
        if verb:
            noun = _object(lower[at + 1 :])
            return (verb, noun) if noun else None
    return None


def _verb(word: str, before: str) -> str:
    """The lemma, if the word can be a verb where it stands; else nothing."""
    if before in DETERMINERS or before in QUALITIES:
        return ""
    return verb_lemma(word)


def verb_lemma(word: str) -> str:
    """The base form of a known verb in any regular or listed form; empty for any other word.

    >>> [verb_lemma(word) for word in ("writing", "listed", "re-write", "wrote", "table")]
    ['write', 'list', 're-write', 'write', '']
    """
    base = word.removeprefix("re-")
    again = word[: len(word) - len(base)]
    if base in VERBS:
        return again + base
    if base in IRREGULAR_VERBS:
        return again + IRREGULAR_VERBS[base]
    for ending, extra in (("ies", "y"), ("ied", "y"), ("es", ""), ("s", ""), ("ed", ""), ("ing", "")):
        if base.endswith(ending):
            stem = base[: -len(ending)] + extra
            for form in (stem, stem + "e", stem[:-1] if stem[-2:-1] == stem[-1:] else stem):
                if form in VERBS:
                    return again + form
    return ""


def _may_be_unknown_verb(words: Sequence[str], at: int) -> bool:
    follows = words[at + 1] if at + 1 < len(words) else ""
    known = words[at] in DETERMINERS or words[at] in BARRIERS or words[at] in PRONOUNS
    return words[at].isalpha() and not known and follows in DETERMINERS and follows != "all"


def _object(words: Sequence[str]) -> str:
    """The last noun of the first run; a word in -ing alone stands in where nothing follows it."""
    noun = gerund = ""
    for at, word in enumerate(words):
        if not at and word in _SAID_TO_SOMEONE:
            continue
        if word in BARRIERS or word in PRONOUNS or _MARK.match(word):
            break
        is_modifier = _is_modifier(word)
        is_verb_form = word.endswith(("ing", "ed")) or word in IRREGULAR_VERBS
        is_participle = is_verb_form and bool(verb_lemma(word))
        if noun and (is_modifier or is_participle):
            break
        if is_participle and word.endswith("ing"):
            gerund = word
        if not (is_modifier or is_participle):
            noun = word
    return noun_lemma(noun or gerund)


def _is_modifier(word: str) -> bool:
    """Whether it is a determiner, a number, an adverb or a known adjective, also in its comparative."""
    if word in DETERMINERS or word in ADVERBS or word in QUALITIES or word[0].isdigit():
        return True
    if (word.endswith("ly") and len(word) > 4 and word not in UNCHANGED_NOUNS) or _QUALITY.search(word):
        return True
    stems = [word.removesuffix(ending) for ending in ("er", "est") if word.endswith(ending)]
    return any(form in QUALITIES for stem in stems for form in (stem, stem + "e", stem[:-1] + "y"))


def noun_lemma(word: str) -> str:
    """The singular, by rule and a short list.

    >>> [noun_lemma(word) for word in ("stories", "boxes", "analyses", "sentences", "news", "glass")]
    ['story', 'box', 'analysis', 'sentence', 'news', 'glass']
    """
    word = word.removesuffix("'s")
    if word in IRREGULAR_NOUNS:
        return IRREGULAR_NOUNS[word]
    if word in UNCHANGED_NOUNS or word.endswith(("ss", "us", "is")) or len(word) < 4:
        return word
    if word.endswith("ies"):
        return word[:-3] + "y"
    if _SIBILANT.search(word) and not word.endswith(("ses", "zes")):
        return word[:-2]
    if word.endswith(("sses", "zzes")):
        return word[:-2]
    return word.removesuffix("s")
