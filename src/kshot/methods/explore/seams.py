"""Where the parts of exploring meet: what a request tells the model, and what is read from its reply."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Literal, Protocol, TypeAlias

from kshot.methods.explore.records import Item, Refusal, Row
from kshot.methods.explore.spending import Spent
from kshot.methods.explore.tree import DomainTree
from kshot.models.asking import Decoding, Question

Language: TypeAlias = Literal["en", "zh"]
Action: TypeAlias = Literal["look_ahead", "from_shots", "back_track", "probe"]
SAMPLED = Decoding(max_new_tokens=2048, temperature=1.0)  # of every request that looks for something new
NOTHING = Spent()
JUDGED = Decoding(max_new_tokens=1024)  # of checks and second answers


@dataclass(frozen=True, slots=True)
class Place:
    """Where a task stands, as a request shows it.

    Attributes:
        path: Names from the root to the task, both included.
        reason: Why the task belongs to its parent; of the root, the domain's description.
        children: Names of the task's children.
        siblings: Names of the parent's other children.
    """

    path: tuple[str, ...]
    reason: str = ""
    children: tuple[str, ...] = ()
    siblings: tuple[str, ...] = ()

    @classmethod
    def of(cls, tree: DomainTree, task: str) -> Place:
        """Of the task with this id.

        >>> tree = DomainTree.planted("rewriting", "Texts are changed.")
        >>> Place.of(tree, tree.add(tree.root.id, "paraphrase", reason="Other words.").id).path
        ('rewriting', 'paraphrase')
        """
        return cls(
            tree.path(task),
            tree[task].reason,
            tuple(node.name for node in tree.children(task)),
            tuple(node.name for node in tree.siblings(task)),
        )

    @property
    def name(self) -> str:
        """The task's."""
        return self.path[-1]


@dataclass(frozen=True, slots=True)
class ExtendRequest:
    """A request for more children of a task.

    Attributes:
        id: Of the request; see ``request_id``.
        place: The task.
        wanted: How many new names, 1 to 12.
        action: ``look_ahead`` before the task has children (``from_shots``: of a domain that shots began),
            ``back_track`` after, ``probe`` where the existing children are not shown.
        examples: Of the parent (at the root its own), up to 2; ``from_shots`` shows all.
        elsewhere: Nearest names in other parts of the tree.
        refused: Names that were refused under this task before.
        decoding: How the reply is drawn.
    """

    id: str
    place: Place
    wanted: int
    action: Action = "look_ahead"
    examples: tuple[Item, ...] = ()
    elsewhere: tuple[str, ...] = ()
    refused: tuple[str, ...] = ()
    decoding: Decoding = SAMPLED


@dataclass(frozen=True, slots=True)
class FillRequest:
    """A request for more rows of a task.

    Attributes:
        id: Of the request.
        place: The task.
        wanted: How many rows, 1 to 10.
        examples: Two, drawn by seed.
        verbs: Main verbs of what is there already, with counts, most frequent first.
        nearby: A few instructions that are there already: newest, and most central.
        decoding: How the reply is drawn.
    """

    id: str
    place: Place
    wanted: int
    examples: tuple[Item, ...] = ()
    verbs: tuple[tuple[str, int], ...] = ()
    nearby: tuple[str, ...] = ()
    decoding: Decoding = SAMPLED


@dataclass(frozen=True, slots=True)
class Named:
    """A task that a reply proposes."""

    name: str
    reason: str = ""
    examples: tuple[Item, ...] = ()


@dataclass(frozen=True, slots=True)
class NamesReply:
    """What a reply to an ``ExtendRequest`` says.

    Attributes:
        named: Proposed tasks, in the order of the reply.
        is_complete: Whether the model says that there are no more.
        is_cut: Whether the reply ended early; only its last, incomplete entry is missing then.
    """

    named: tuple[Named, ...] = ()
    is_complete: bool = False
    is_cut: bool = False


@dataclass(frozen=True, slots=True)
class RowsReply:
    """What a reply to a ``FillRequest`` says; ``malformed`` counts entries without an instruction."""

    items: tuple[Item, ...] = ()
    is_cut: bool = False
    malformed: int = 0


class ExplorePrompts(Protocol):
    """The wording of all requests in one language, and how replies are read.

    Each request has a check; a reply that fails it is asked for once more, with what was wrong.
    """

    @property
    def id(self) -> str:
        """Name, language and a hash of the wording."""
        ...

    @property
    def language(self) -> Language:
        """Of the rows that are asked for."""
        ...

    def extend(self, request: ExtendRequest) -> Question:
        """The question for more children; step ``grow``."""
        ...

    def fill(self, request: FillRequest) -> Question:
        """The question for more rows; step ``fill``."""
        ...

    def answer(self, item: Item, place: Place) -> Question:
        """The question for the output of one row, in a second pass; step ``answer``."""
        ...

    def relevance(self, place: Place, named: tuple[Named, ...]) -> Question:
        """Which of a batch of proposed tasks belong to the task; step ``relevance``."""
        ...

    def read_names(self, text: str) -> NamesReply:
        """Of a reply to ``extend``; never raises: what cannot be read is not there."""
        ...

    def read_rows(self, text: str) -> RowsReply:
        """Of a reply to ``fill``, likewise."""
        ...

    def read_answer(self, text: str) -> str:
        """Of a reply to ``answer``; empty where there is none."""
        ...

    def read_relevance(self, text: str, count: int) -> tuple[bool, ...]:
        """Of a reply to ``relevance``: one verdict a name; what it does not name is relevant."""
        ...


RowRule: TypeAlias = Callable[[Item], str]  # the name of the rule that the item breaks; empty where it passes


@dataclass(frozen=True, slots=True)
class Progress:
    """Told after each round: what was done, for a progress line and for whoever writes it down.

    Attributes:
        stage: What is going on.
        round: From 1.
        rows: Rows that this round kept, in canonical order.
        refused: What this round refused, in canonical order.
        spent: By all rounds together.
        failed: Requests of this round that gave nothing usable.
        stopped: Why nothing more is asked; empty while it goes on.
    """

    stage: Literal["grow", "fill", "attach"]
    round: int
    rows: tuple[Row, ...] = ()
    refused: tuple[Refusal, ...] = ()
    spent: Spent = NOTHING
    failed: int = 0
    stopped: str = ""


@dataclass(slots=True)
class Exploration:
    """All that growing and filling read and change: what is written down after each round, and resumed from.

    Attributes:
        tree: Of tasks, with their counts.
        rows: Kept, in the order of their commits.
        refused: Names and rows, likewise.
        spent: So far.
    """

    tree: DomainTree
    rows: list[Row] = field(default_factory=list)
    refused: list[Refusal] = field(default_factory=list)
    spent: Spent = NOTHING
