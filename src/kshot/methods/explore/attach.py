"""Rows that the user has already, sorted under the tasks of a tree, so that only gaps are paid for."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass

from kshot.data.example import LETTERS, Example
from kshot.errors import InputError
from kshot.measure.similarity import nearest
from kshot.methods.explore.records import Item, Row, row_id
from kshot.methods.explore.seams import Exploration
from kshot.methods.explore.tree import DomainTree
from kshot.models.base import Embedder

_CHARACTERS = 2000  # of an instruction that are embedded; embedders cut off earlier
_BLOCK_ROWS = 1024


@dataclass(frozen=True, slots=True)
class Assigned:
    """A row under its nearest task; ``place`` is its place among the items, ``cosine`` how near it is."""

    place: int
    row: Row
    cosine: float


@dataclass(frozen=True, slots=True)
class Unassigned:
    """An item that is near to no task; ``node`` is the nearest one all the same."""

    place: int
    item: Item
    node: str
    cosine: float


@dataclass(frozen=True, slots=True)
class Attached:
    """Both sides: every item stands in one of the three, in the order of the items.

    Attributes:
        assigned: Rows with their tasks.
        unassigned: Items below the floor.
        repeats: Places of items that equal an earlier row of the same task.
    """

    assigned: tuple[Assigned, ...] = ()
    unassigned: tuple[Unassigned, ...] = ()
    repeats: tuple[int, ...] = ()

    @property
    def rows(self) -> tuple[Row, ...]:
        """The rows that were assigned."""
        return tuple(one.row for one in self.assigned)


def attach(
    tree: DomainTree,
    items: Sequence[Item],
    *,
    embedder: Embedder,
    floor: float,
    sources: Sequence[str] = (),
    known: Collection[str] = (),
) -> Attached:
    """Every item under the task whose text is nearest to its own, if the cosine is at least ``floor``.

    Ties go to the earlier task in preorder. Items are embedded a block at a time, so that beside them and the
    tasks' vectors nothing is held.

    Args:
        tree: The tasks; the domain itself is one of them.
        items: What is to be sorted in.
        embedder: Of items and tasks alike.
        floor: A cosine, from -1 to 1.
        sources: Where each item stood, as ``file:line``; none, or one an item.
        known: Ids of rows that are there already: equal ones are repeats.

    Raises:
        InputError: ``floor`` is no cosine, or the sources are not as many as the items.

    Example::

        attach(tree, items, embedder=HashingEncoder(), floor=0.2).rows
    """
    if not -1 <= floor <= 1:
        raise InputError(f"floor is {floor}, expected a cosine from -1 to 1")
    if sources and len(sources) != len(items):
        raise InputError(
            f"there are {len(sources)} sources for {len(items)} items; give one for each, or none"
        )
    ids = [node.id for node in tree]
    assigned: list[Assigned] = []
    unassigned: list[Unassigned] = []
    repeats: list[int] = []
    seen = set(known)
    for place, (task, cosine) in enumerate(_nearest(tree, items, embedder)):
        item, node = items[place], ids[task]
        if cosine < floor:
            unassigned.append(Unassigned(place, item, node, cosine))
            continue
        row = Row(row_id(node, item), node, item, sources[place] if sources else "", origin="attached")
        if row.id in seen:
            repeats.append(place)
        else:
            seen.add(row.id)
            assigned.append(Assigned(place, row, cosine))
    return Attached(tuple(assigned), tuple(unassigned), tuple(repeats))


def commit(found: Exploration, attached: Attached) -> None:
    """Puts assigned rows behind those of an exploration, and counts them as kept under their tasks.

    >>> found = Exploration(DomainTree.planted("sums"))
    >>> row = Row("r", found.tree.root.id, Item("1 + 1?", "", "2"), origin="attached")
    >>> commit(found, Attached((Assigned(0, row, 0.5),)))
    >>> found.rows[0].id, found.tree.root.rows.kept
    ('r', 1)
    """
    found.rows.extend(attached.rows)
    for node, count in Counter(row.node for row in attached.rows).items():
        found.tree.put(found.tree[node].with_rows("", kept=count))


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


def task_text(tree: DomainTree, node: str) -> str:
    """What a task is, for an embedder: name and reason, then the names between it and the domain.

    >>> tree = DomainTree.planted("rewriting", "Texts are changed.")
    >>> style = tree.add(tree.root.id, "style")
    >>> task_text(tree, tree.add(style.id, "formal", reason="As in a letter.").id)
    'formal: As in a letter. (style)'
    """
    task = tree[node]
    said = f"{task.name}: {task.reason}" if task.reason else task.name
    between = tree.path(node)[1:-1]
    return f"{said} ({' > '.join(between)})" if between else said


def item_text(item: Item) -> str:
    """What an item asks for, for an embedder: its instruction alone, or its input where that is empty.

    The input says what a row is about, not which task it is: on the released demo, a sentence encoder put
    49 % of the rows under their own task by the instruction, and 34 % with the input beside it.

    >>> item_text(Item("Sum up.", "A long text."))
    'Sum up.'
    """
    return (item.instruction if item.instruction.strip() else item.input)[:_CHARACTERS]


def _nearest(tree: DomainTree, items: Sequence[Item], embedder: Embedder) -> Iterator[tuple[int, float]]:
    """Of each item, the place of its nearest task in preorder, and their cosine."""
    tasks = embedder.encode([task_text(tree, node.id) for node in tree])  # (T, D)
    for start in range(0, len(items), _BLOCK_ROWS):
        vectors = embedder.encode([item_text(item) for item in items[start : start + _BLOCK_ROWS]])
        places, cosines = nearest(vectors, tasks, k=1)  # (B, 1)
        yield from zip(places[:, 0].tolist(), cosines[:, 0].tolist(), strict=True)
