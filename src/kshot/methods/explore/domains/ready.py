"""The three domains of the paper as ready starting points, in our own words, in English and Chinese."""

from __future__ import annotations

from dataclasses import replace
from types import MappingProxyType
from typing import Literal, get_args

from kshot.data.nearest import proposal
from kshot.errors import InputError
from kshot.methods.explore.domains import chinese, english
from kshot.methods.explore.tree import DomainTree

Ready = Literal["brainstorming", "rewriting", "mathematics"]
READY: tuple[str, ...] = get_args(Ready)
_BY_LANGUAGE = MappingProxyType({"en": english.DOMAINS, "zh": chinese.DOMAINS})


def ready(name: str, *, language: str = "en") -> DomainTree:
    """The root of a ready domain: its name, what belongs to it, and a few examples to guide requests.

    Raises:
        InputError: There is no such domain, or not in that language.

    >>> ready("rewriting").root.name, ready("rewriting", language="zh").root.name
    ('rewriting', '改写')

    Source: the domains are those of arXiv 2310.09168; names, descriptions and examples are ours.
    """
    if language not in _BY_LANGUAGE:
        raise InputError(f"there is no ready domain in {language!r}; languages: {', '.join(_BY_LANGUAGE)}")
    domains = _BY_LANGUAGE[language]
    if name not in domains:
        names = ", ".join(READY)
        raise InputError(f"there is no ready domain {name!r}; ready: {names}{proposal(name, READY)}")
    called, description, examples = domains[name]
    tree = DomainTree.planted(called, description)
    tree.put(replace(tree.root, examples=examples))
    return tree
