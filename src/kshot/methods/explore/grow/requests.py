"""What a request for children tells: the task's place and the state of exploration around it."""

from __future__ import annotations

import hashlib
import random
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import replace

from kshot.methods.explore.grow.names import NameVectors
from kshot.methods.explore.grow.nearest import Elsewhere, refused_names
from kshot.methods.explore.grow.options import GrowOptions
from kshot.methods.explore.grow.plan import Ask
from kshot.methods.explore.records import Item, TaskNode, request_id
from kshot.methods.explore.seams import SAMPLED, Action, Exploration, ExtendRequest, Place
from kshot.methods.explore.tree import DomainTree
from kshot.models.asking import Decoding


def requests_of(
    found: Exploration, asks: Sequence[Ask], options: GrowOptions, *, vectors: NameVectors
) -> list[ExtendRequest]:
    """The requests of a round, in the order of its asks; they depend on the committed state alone."""
    elsewhere = Elsewhere(found.tree, vectors)
    refused: defaultdict[str, list[tuple[str, str]]] = defaultdict(list)
    for one in found.refused:
        if one.kind == "name":
            refused[one.node].append((one.text, one.rule))
    made = []
    for ask in asks:
        node = found.tree[ask.node]
        name = request_id(ask.kind, node.id, node.names.calls)
        is_probe = ask.kind == "probe"
        action = _action(node, is_probe=is_probe)
        drawn = drawn_examples(found.tree, node.id, name, options)
        place = Place.of(found.tree, node.id)
        made.append(
            ExtendRequest(
                name,
                replace(place, children=()) if is_probe else place,
                ask.wanted,
                action,
                examples=node.examples if action == "from_shots" else drawn,
                elsewhere=elsewhere.names(node.id, most=options.elsewhere),
                refused=() if is_probe else refused_names(refused[node.id], most=options.refused),
                decoding=decoding_of(name, seed=options.seed, sample=node.names.calls),
            )
        )
    return made


def _action(node: TaskNode, *, is_probe: bool) -> Action:
    if is_probe:
        return "probe"
    if node.children:
        return "back_track"
    return "from_shots" if node.origin == "shots" else "look_ahead"


def drawn_examples(tree: DomainTree, task: str, request: str, options: GrowOptions) -> tuple[Item, ...]:
    """Examples for a request: of the nearest task above that has any, else the task's own; drawn by seed."""
    at = tree[task].parent
    while at is not None and not tree[at].examples:
        at = tree[at].parent
    pool = tree[task].examples if at is None else tree[at].examples
    if len(pool) <= options.examples:
        return pool
    return tuple(random.Random(_number(options.seed, "examples", request)).sample(pool, options.examples))


def decoding_of(request: str, *, seed: int, sample: int) -> Decoding:
    """How a request's reply is drawn: by the run's seed and the request's name, never by time or order.

    >>> decoding_of("extend:a1:0", seed=0, sample=0) == decoding_of("extend:a1:0", seed=0, sample=0)
    True
    """
    return replace(SAMPLED, seed=_number(seed, "decoding", request), sample=sample)


def _number(*parts: object) -> int:
    """31 bits: what every endpoint takes as a seed."""
    text = "\n".join(map(str, parts))
    return int.from_bytes(hashlib.sha256(text.encode("utf-8", "surrogatepass")).digest()[:4], "big") >> 1
