"""A domain made of the user's words, and of the shots where there are some."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from kshot.data.example import Example
from kshot.errors import InputError
from kshot.methods.explore.attach import item_of_example
from kshot.methods.explore.tree import DomainTree

MOST_SEEDS = 8  # as many demonstrations as a request of Self-Instruct has


def domain_of(
    shots: Sequence[Example],
    *,
    name: str,
    description: str = "",
    instruction: str = "",
    most: int = MOST_SEEDS,
) -> DomainTree:
    """The root of a domain whose examples are some of the shots, evenly spread over their order.

    ``instruction`` is the task's own, for shots whose prompt is the text alone; see ``item_of_example``.

    Raises:
        InputError: ``most`` is below 1, or the name is empty.

    >>> shots = [Example(f"Add 1 to {n}.", str(n + 1)) for n in range(20)]
    >>> root = domain_of(shots, name="sums", most=2).root
    >>> root.origin, [item.instruction for item in root.examples]
    ('shots', ['Add 1 to 0.', 'Add 1 to 10.'])
    """
    if most < 1:
        raise InputError(f"at most {most} shots were asked for as examples; expected at least 1")
    count = min(most, len(shots))
    chosen = [shots[place * len(shots) // count] for place in range(count)]
    tree = DomainTree.planted(name, description)
    items = tuple(item_of_example(shot, instruction=instruction) for shot in chosen)
    tree.put(replace(tree.root, origin="shots" if items else "root", examples=items))
    return tree
