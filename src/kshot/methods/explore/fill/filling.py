"""Tasks get their rows: what is missing is asked for, with the state of what is there already."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from kshot.methods.explore.fill.draws import picked
from kshot.methods.explore.fill.options import FillOptions
from kshot.methods.explore.fill.rounds import Examples, Job, filled
from kshot.methods.explore.records import Item, TaskNode
from kshot.methods.explore.seams import Exploration, ExplorePrompts, Progress
from kshot.methods.explore.spending import Limits
from kshot.methods.explore.tree import DomainTree
from kshot.models.base import LanguageModel

USUAL = FillOptions()
UNLIMITED = Limits()


def fill(
    found: Exploration,
    model: LanguageModel,
    *,
    prompts: ExplorePrompts,
    options: FillOptions = USUAL,
    limits: Limits = UNLIMITED,
) -> Iterator[Progress]:
    """Asks for rows until each task has its count or yields too little, and changes ``found`` in place.

    A round's requests go where the most new rows are to be expected. They run in lanes side by side; a
    request sees what was committed before the round, and the replies before it in its own lane. At the
    round's end the rows are judged in canonical order (task in preorder, ordinal of the request, place in
    the reply): by the rules for single rows, then by exact and near repeats. So equal replies give equal
    rows, in whatever order they arrive.

    A task is asked for no more (``full``) when it has its count, when too few of its last 30 rows were kept,
    or when two rounds gave it nothing new. Reached limits close no task: a larger limit goes on.

    Whoever iterates writes ``found`` down after each round; a new start on it goes on where it was, and on
    one that has everything it yields nothing.

    Args:
        found: The tree, with what is there already.
        model: Who is asked.
        prompts: The wording.
        options: How many rows, how they are asked for, what does not stay.
        limits: The most that may be planned, growing included; never exceeded, a token being what the
            reply says. A reply is taken to be as long as it may be, until it is there.

    Yields:
        A ``Progress`` for each committed round, with its rows and refusals in canonical order.

    Raises:
        KshotError: The model cannot be asked on; ``found`` is as after the last round. A spent budget of
            the endpoint is no error: what arrived is committed, and ``stopped`` says why nothing follows.

    Source: arXiv 2310.09168 and its release, which fills without showing what is there, and filters later.

    Example::

        found = Exploration(DomainTree.load(Path("tree.md")))
        for progress in fill(found, endpoint, prompts=standard("en"), limits=Limits(calls=500)):
            print(progress.round, len(found.rows))
    """
    yield from filled(
        found, model, Job(prompts, options, limits, prompts.fill, drawn_examples(found.tree, options))
    )


def drawn_examples(tree: DomainTree, options: FillOptions) -> Examples:
    """Draws a request's examples: of the task's own and its kept rows; without any, of its nearest ancestor.

    >>> from kshot.methods.explore.records import TaskNode
    >>> root = TaskNode("a1", "list rivers", examples=(Item("List three rivers."),))
    >>> drawn_examples(DomainTree(root), FillOptions())(root, (), (), "fill:a1:0")
    (Item(instruction='List three rivers.', input='', output=''),)
    """

    def drawn(node: TaskNode, kept: Sequence[Item], own: Sequence[Item], request: str) -> tuple[Item, ...]:
        pool = (*node.examples, *kept)
        at = node
        while not pool and at.parent is not None:
            at = tree[at.parent]
            pool = at.examples
        return picked(pool, options.examples, seed=options.seed, request=request)

    return drawn
