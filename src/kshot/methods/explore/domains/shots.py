"""A domain made of the shots; and examples as items, and back."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from kshot.data.example import LETTERS, Example
from kshot.errors import InputError
from kshot.methods.explore.records import Item
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
    """The root of a domain whose examples are some of the shots: evenly spread over their order.

    ``instruction`` is the task's own, for shots whose prompt is the text alone; see ``item_of_example``.

    Raises:
        InputError: There are no shots, ``most`` is below 1, or the name is empty.

    >>> shots = [Example(f"Add 1 to {n}.", str(n + 1)) for n in range(20)]
    >>> root = domain_of(shots, name="sums", most=2).root
    >>> root.origin, [item.instruction for item in root.examples]
    ('shots', ['Add 1 to 0.', 'Add 1 to 10.'])
    """
    if not shots or most < 1:
        raise InputError(f"a domain is made of {len(shots)} shots, at most {most}; expected at least one")
    count = min(most, len(shots))
    chosen = [shots[place * len(shots) // count] for place in range(count)]
    tree = DomainTree.planted(name, description)
    items = tuple(item_of_example(shot, instruction=instruction) for shot in chosen)
    tree.put(replace(tree.root, origin="shots", examples=items))
    return tree


def item_of_example(example: Example, *, instruction: str = "") -> Item:
    r"""A labelled row as instruction, input and output: the other way round than alpaca rows are read.

    The prompt's first line is the instruction, the rest the input; with ``instruction`` the whole prompt is
    the input. Choices stand at the end of the input, one a line. The answer alone is the output; reasoning,
    system and earlier turns have no place in an item and are left out.

    >>> item_of_example(Example("Sum up.\nA long text.", "Short."))
    Item(instruction='Sum up.', input='A long text.', output='Short.')
    """
    first, _, rest = example.prompt.partition("\n")
    if instruction:
        first, rest = instruction, example.prompt
    elif not first.strip() or not rest:
        first, rest = example.prompt, ""
    lettered = [f"{letter}. {text}" for letter, text in zip(LETTERS, example.choices or (), strict=False)]
    return Item(first, "\n".join([*([rest] if rest else []), *lettered]), example.answer)


def example_of_item(item: Item, *, source: str | None = None) -> Example:
    r"""An item as a labelled row: its prompt as kshot's reader of alpaca rows makes it.

    Raises:
        DataError: Instruction and input are empty.

    >>> example_of_item(Item("Sum up.", "A long text.", "Short.")).prompt
    'Sum up.\nA long text.'
    """
    prompt = f"{item.instruction}\n{item.input}" if item.input else item.instruction
    return Example(prompt, item.output, source=source)
