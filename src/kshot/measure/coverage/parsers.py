"""Who finds verb and object in a sentence: spaCy, HanTa, or our own word lists; whichever is there."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from importlib import import_module
from importlib.metadata import PackageNotFoundError, version
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Protocol, TypeAlias, final

from kshot.errors import InputError

Pair: TypeAlias = tuple[str, str]  # lemmas of the verb and of its object

SPACY_MODELS = ("en_core_web_trf", "en_core_web_lg", "en_core_web_md", "en_core_web_sm")
_WORD_OR_MARK = re.compile(r"\w+|[^\w\s]")
_BARRIERS = ("PN", "PR", "CJ", "TO")  # pronouns, prepositions, conjunctions, "to"


class Parser(Protocol):
    """Finds the main verb and its direct object."""

    @property
    def id(self) -> str:
        """Name and version; equal ids give equal pairs."""
        ...

    def pairs(self, sentences: Sequence[str]) -> list[Pair | None]:
        """For each sentence its verb and object as lower-case lemmas, or None where there is no such pair."""
        ...


def default_parser() -> Parser:
    """The best that is installed: spaCy with an English model, else HanTa, else the built-in one.

    Example::

        verb_nouns(instructions, default_parser()).parser
    """
    from kshot.measure.coverage.plain_parser import plain_parser

    if has_spacy():
        return spacy_parser()
    return hanta_parser() if has_hanta() else plain_parser()


def has_spacy() -> bool:
    """Whether spaCy and one of its English models are installed; loads neither.

    Example::

        has_spacy()
    """
    return find_spec("spacy") is not None and any(find_spec(name) for name in SPACY_MODELS)


def has_hanta() -> bool:
    """Whether HanTa is installed; does not load it.

    Example::

        has_hanta()
    """
    return find_spec("HanTa") is not None


def spacy_parser(model: str | None = None) -> Parser:
    """A dependency parse: the root, or below it the nearest verb, and its direct object.

    ``model`` None takes the first of ``SPACY_MODELS`` that is installed.

    Raises:
        InputError: spaCy or the model is not installed.

    Source: the analysis of Self-Instruct (arXiv 2212.10560). Where the root is no verb we look at everything
    below it, level by level; its notebook follows the root's first child alone.

    Example::

        spacy_parser().pairs(["Write a short poem."])
    """
    name = model or next((one for one in SPACY_MODELS if find_spec(one)), None)
    if find_spec("spacy") is None or name is None or find_spec(name) is None:
        raise InputError(
            f"spaCy with the English model {name or SPACY_MODELS[-1]} is not installed; install both, or use "
            "hanta_parser or plain_parser"
        )
    return SpacyParser(
        import_module("spacy").load(name), f"spacy {_version('spacy')}, {name} {_version(name)}"
    )


@final
class SpacyParser:
    """Pairs out of a loaded spaCy pipeline; see ``spacy_parser``."""

    def __init__(self, pipeline: Any, name: str) -> None:
        self._pipeline, self._id = pipeline, name

    @property
    def id(self) -> str:
        """Versions of spaCy and of the model."""
        return self._id

    def pairs(self, sentences: Sequence[str]) -> list[Pair | None]:
        """Verb and object of each sentence."""
        return [_of_tree(document) for document in self._pipeline.pipe(sentences)]


def _of_tree(document: Iterable[Any]) -> Pair | None:
    level = [token for token in document if token.dep_ == "ROOT"][:1]
    while level:
        verb = next((token for token in level if token.pos_ == "VERB"), None)
        if verb is not None:
            objects = [
                child
                for child in verb.children
                if child.dep_ in ("dobj", "obj") and child.pos_ in ("NOUN", "PROPN")
            ]
            return (verb.lemma_.lower(), objects[0].lemma_.lower()) if objects else None
        level = [child for token in level for child in token.children]
    return None


def hanta_parser() -> Parser:
    """A tagger and a rule: the first verb, then the last noun of the first run of nouns after it.

    There is no pair if a pronoun, a preposition, a conjunction or an infinitive's "to" comes between. Words
    keep their case, and words joined by a hyphen are tagged apart.

    HanTa's own English model is a gzipped pickle inside its package; it is loaded from there by its whole
    path, since HanTa would take a file of that name in the working directory first.

    Raises:
        InputError: HanTa is not installed.

    Source: Explore-Instruct's demo domain: 890 pairs, mean 4.22, standard deviation 10.77.

    Example::

        hanta_parser().pairs(["Write a short poem."])
    """
    if not has_hanta():
        raise InputError("HanTa is not installed; `pip install HanTa==1.2.1`, or use plain_parser")
    module = import_module("HanTa.HanoverTagger")
    model = Path(str(module.__file__)).with_name("morphmodel_en.pgz")
    return HantaParser(module.HanoverTagger(str(model)), f"hanta {_version('HanTa')}, en")


@final
class HantaParser:
    """Pairs out of a loaded tagger; see ``hanta_parser``."""

    def __init__(self, tagger: Any, name: str) -> None:
        self._tagger, self._id = tagger, name

    @property
    def id(self) -> str:
        """Version of HanTa, and the language of its model."""
        return self._id

    def pairs(self, sentences: Sequence[str]) -> list[Pair | None]:
        """Verb and object of each sentence."""
        return [self._pair(_WORD_OR_MARK.findall(sentence)) for sentence in sentences]

    def _pair(self, words: list[str]) -> Pair | None:
        verb = noun = ""
        for _, lemma, tag in self._tagger.tag_sent(words):
            if not verb:
                verb = lemma if tag.startswith("V") else ""
            elif tag.startswith("NN"):
                noun = lemma
            elif noun or tag.startswith(_BARRIERS):
                break
        return (verb.lower(), noun.lower()) if noun else None


def _version(package: str) -> str:
    try:
        return version(package)
    except PackageNotFoundError:  # a model that is a folder on the path, not a distribution
        return "of unknown version"
