"""What exploring leaves behind: tasks in a tree, rows under them, and everything that was refused."""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any, Literal, TypeAlias, get_args

from kshot.errors import DataError

Origin: TypeAlias = Literal["root", "shots", "person", "look_ahead", "back_track", "import"]
ORIGINS: tuple[Origin, ...] = get_args(Origin)
RECENT = 30  # rows whose fate tells whether a task still yields


@dataclass(frozen=True, slots=True)
class Item:
    """An instruction with its input and answer, as a model or a file gave it."""

    instruction: str
    input: str = ""
    output: str = ""


@dataclass(frozen=True, slots=True)
class Counts:
    """How many names or rows were asked for, came, and stayed.

    Attributes:
        calls: Requests that were made for them; the next request's ordinal.
        asked: How many were asked for.
        delivered: How many came.
        kept: How many stayed.
        refused: By rule, how many did not; sorted by rule.
    """

    calls: int = 0
    asked: int = 0
    delivered: int = 0
    kept: int = 0
    refused: tuple[tuple[str, int], ...] = ()

    def plus(
        self,
        *,
        calls: int = 0,
        asked: int = 0,
        delivered: int = 0,
        kept: int = 0,
        refused: Iterable[str] = (),
    ) -> Counts:
        """These and more; ``refused`` names the rule of each refusal.

        >>> Counts(kept=1).plus(kept=2, refused=["repeat", "repeat"])
        Counts(calls=0, asked=0, delivered=0, kept=3, refused=(('repeat', 2),))
        """
        found = Counter(dict(self.refused))
        found.update(refused)
        return Counts(
            self.calls + calls,
            self.asked + asked,
            self.delivered + delivered,
            self.kept + kept,
            tuple(sorted(found.items())),
        )

    def to_json(self) -> dict[str, Any]:
        """Plain values."""
        named = {name: getattr(self, name) for name in ("calls", "asked", "delivered", "kept")}
        return named | {"refused": dict(self.refused)}

    @classmethod
    def from_json(cls, value: Mapping[str, Any]) -> Counts:
        """What ``to_json`` wrote.

        Raises:
            DataError: A count is no whole number from 0.
        """
        numbers = [value.get(name, 0) for name in ("calls", "asked", "delivered", "kept")]
        refused = value.get("refused", {})
        if not isinstance(refused, Mapping) or not all(
            isinstance(n, int) and not isinstance(n, bool) and n >= 0 for n in (*numbers, *refused.values())
        ):
            raise DataError(f"counts are {value!r}; expected whole numbers from 0")
        calls, asked, delivered, kept = numbers
        return cls(calls, asked, delivered, kept, tuple(sorted(refused.items())))


@dataclass(frozen=True, slots=True)
class TaskNode:
    """One task of the domain.

    Attributes:
        id: Hash of the parent's id and the name; see ``node_id``.
        name: As written, in any script.
        reason: Why it belongs to its parent; of the root, the description of the domain.
        depth: 0 for the root.
        parent: Id; None for the root.
        children: Ids, in order.
        origin: How it came into the tree.
        closed: Why it is asked for no more children; empty while it is open.
        full: Why it is asked for no more rows; empty while it wants some.
        names: Of the children that were asked for.
        rows: Of the rows that were asked for; ``kept`` counts rows attached by the user too.
        recent: The last rows that came, oldest first: 1 kept, 0 refused; at most ``RECENT``.
        low_yields: How many calls for children in a row yielded too little.
        is_complete: Whether the last call for children ended with the model saying that there are no more.
        examples: Of the task, as they came with its name; they guide requests and are no rows.
        requests: Ids of the requests that led to it.
        dry_rounds: How many rounds in a row asked for rows and kept none.
    """

    id: str
    name: str
    reason: str = ""
    depth: int = 0
    parent: str | None = None
    children: tuple[str, ...] = ()
    origin: Origin = "look_ahead"
    closed: str = ""
    full: str = ""
    names: Counts = Counts()
    rows: Counts = Counts()
    recent: str = ""
    low_yields: int = 0
    is_complete: bool = False
    examples: tuple[Item, ...] = ()
    requests: tuple[str, ...] = ()
    dry_rounds: int = 0

    def with_rows(self, fates: str, **counts: Any) -> TaskNode:
        """The task after more rows came: ``fates`` as in ``recent``, ``counts`` as ``Counts.plus``."""
        return replace(self, recent=(self.recent + fates)[-RECENT:], rows=self.rows.plus(**counts))


@dataclass(frozen=True, slots=True)
class Row:
    """One kept example of a task.

    Attributes:
        id: Hash of node and content; see ``row_id``.
        node: Id of its task.
        item: Instruction, input, output.
        request: Id of the request it came with (``fill:NODE:ORDINAL``), or where an attached row stood.
        origin: ``fill``, or ``attached`` for a row that the user had.
        answer_request: Id of the second request for its output, where one was made.
    """

    id: str
    node: str
    item: Item
    request: str = ""
    origin: Literal["fill", "attached"] = "fill"
    answer_request: str = ""

    def to_json(self) -> dict[str, Any]:
        """A line of ``rows.jsonl``: flat, so that other tools read it as alpaca rows."""
        flat = {"instruction": self.item.instruction, "input": self.item.input, "output": self.item.output}
        found = {"id": self.id, "node": self.node, **flat, "request": self.request, "origin": self.origin}
        return found | ({"answer_request": self.answer_request} if self.answer_request else {})

    @classmethod
    def from_json(cls, value: Mapping[str, Any]) -> Row:
        """What ``to_json`` wrote.

        Raises:
            DataError: A field is missing or no text.
        """
        item = item_of(value)
        for name in ("id", "node"):
            if not isinstance(value.get(name), str):
                raise DataError(f"field {name!r} is missing or no text; expected a row as kshot writes it")
        origin: Literal["fill", "attached"] = "attached" if value.get("origin") == "attached" else "fill"
        return cls(
            value["id"],
            value["node"],
            item,
            request=str(value.get("request", "")),
            origin=origin,
            answer_request=str(value.get("answer_request", "")),
        )


@dataclass(frozen=True, slots=True)
class Refusal:
    """A name or a row that came and did not stay.

    Attributes:
        kind: What it is.
        node: Id of the task it was meant for: a name's would-be parent, a row's task.
        rule: Why, in the same word for the same reason.
        text: The name, or the instruction.
        item: The whole row, where it is one.
        reason: A name's reason, as it came.
        score: The number that decided, where one did.
        near: What it repeats: the id of a node or row.
        request: Id of the request it came with.
    """

    kind: Literal["name", "row"]
    node: str
    rule: str
    text: str
    item: Item | None = None
    reason: str = ""
    score: float | None = None
    near: str = ""
    request: str = ""

    def to_json(self) -> dict[str, Any]:
        """A line of ``refused.jsonl``."""
        item = self.item
        flat = {} if item is None else {"input": item.input, "output": item.output}
        found = {"kind": self.kind, "node": self.node, "rule": self.rule, "text": self.text, **flat}
        return found | {
            name: value
            for name in ("reason", "score", "near", "request")
            if (value := getattr(self, name)) not in ("", None)
        }

    @classmethod
    def from_json(cls, value: Mapping[str, Any]) -> Refusal:
        """What ``to_json`` wrote.

        Raises:
            DataError: A field is missing.
        """
        missing = [name for name in ("kind", "node", "rule", "text") if not isinstance(value.get(name), str)]
        if missing or value["kind"] not in ("name", "row"):
            raise DataError(
                f"field {(missing or ['kind'])[0]!r} is missing; expected a refusal as kshot writes it"
            )
        is_row = value["kind"] == "row"
        item = (
            Item(value["text"], str(value.get("input", "")), str(value.get("output", ""))) if is_row else None
        )
        texts = {name: str(value.get(name, "")) for name in ("reason", "near", "request")}
        kind: Literal["name", "row"] = "row" if is_row else "name"
        return cls(
            kind, value["node"], value["rule"], value["text"], item=item, score=value.get("score"), **texts
        )


def node_id(parent: str | None, name: str) -> str:
    """12 hexadecimal digits: a hash of the parent's id and the name; names of any script differ.

    >>> node_id(None, "改写") != node_id(None, "翻译"), len(node_id(None, "rewriting"))
    (True, 12)
    """
    text = json.dumps([parent or "", name], ensure_ascii=False)
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()[:12]


def row_id(node: str, item: Item) -> str:
    """16 hexadecimal digits: a hash of the task's id and the row's content."""
    text = json.dumps([node, item.instruction, item.input, item.output], ensure_ascii=False)
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()[:16]


def request_id(kind: str, node: str, ordinal: int) -> str:
    """How a request is named, whenever it is made: equal names, equal prompts.

    >>> request_id("fill", "a1", 3)
    'fill:a1:3'
    """
    return f"{kind}:{node}:{ordinal}"


def item_of(value: Mapping[str, Any]) -> Item:
    """The item of a plain object with ``instruction``, and perhaps ``input`` and ``output``.

    Raises:
        DataError: A field is missing or no text.
    """
    found = [value.get("instruction"), value.get("input", ""), value.get("output", "")]
    for name, text in zip(("instruction", "input", "output"), found, strict=True):
        if not isinstance(text, str):
            raise DataError(f"field {name!r} is {type(text).__name__}, expected text")
    return Item(*map(str, found))
