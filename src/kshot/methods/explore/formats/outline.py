r"""A tree as a Markdown outline that a person can edit.

::

    # rewriting

    Texts are changed, their meaning stays.

    - paraphrase: Says the same in other words.
      - paraphrase for children: Easy words and short sentences.
    - "style: formal": A name with a colon and a blank stands in quotes.

The first line is the domain. What follows up to the first task is its description: the lines of a paragraph
are joined by blanks, an empty line begins a new one. A task is a line that begins with ``- `` (or ``* ``, or
``+ ``); deeper tasks are indented further. Its name ends at the first colon that a blank or the end of the line
follows, or at a full-width colon; the rest is its reason. A reason may also stand below its task, indented
further than the dash. What could be misread (such a colon in a name, a line break, white space at an end, a
quote at the beginning) is written as a JSON text in quotes, so that every name of every script comes back.
An outline has names, reasons and order only; the rest of a task's fields stays in the JSON.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator

from kshot.errors import DataError
from kshot.methods.explore.formats.text import json_text
from kshot.methods.explore.records import TaskNode, node_id
from kshot.methods.explore.tree import DEEPEST, DomainTree

_STEP = "  "
_COLON = re.compile(r":(?=\s|$)|：")
_UNPRINTED = re.compile("[\x00-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff]")
_TASK = re.compile(r"(\s*)[-*+](?:\s+(.*))?$", re.DOTALL)
_NUMBERED = re.compile(r"\s*\d{1,9}[.)]\s")
_MARKED = re.compile(r"[-*+#]|\d{1,9}[.)](\s|$)")
_QUOTED = json.JSONDecoder()


def outline_of(tree: DomainTree) -> str:
    """The tree as an outline; ``tree_of_outline`` reads it back.

    >>> tree = DomainTree.planted("rewriting", "Texts are changed.")
    >>> child = tree.add(tree.root.id, "paraphrase", reason="Says the same.")
    >>> _ = tree.add(child.id, "ratio 3:1")
    >>> print(outline_of(tree), end="")
    # rewriting
    <BLANKLINE>
    Texts are changed.
    <BLANKLINE>
    - paraphrase: Says the same.
      - ratio 3:1
    """
    root = tree.root
    lines = [f"# {_written(root.name)}", ""]
    if root.reason:
        lines += [_description(root.reason), ""]
    for node in tree:
        if node.parent is not None:
            name = json_text(node.name) if _COLON.search(node.name) else _written(node.name)
            reason = f": {_written(node.reason)}" if node.reason else ""
            lines.append(f"{_STEP * (node.depth - 1)}- {name}{reason}")
    return "\n".join(lines).rstrip("\n") + "\n"


def tree_of_outline(text: str, *, source: str = "outline") -> DomainTree:
    """The tree of an outline. The domain's origin is ``root``, that of all tasks ``person``.

    Raises:
        DataError: There is no title, a line is neither task nor reason, a name is empty, stands twice under
            its parent or is too deep; ``source`` and the line begin the message.

    >>> [node.name for node in tree_of_outline("# rewriting\\n- paraphrase\\n    - for children")]
    ['rewriting', 'paraphrase', 'for children']
    """
    lines = [(place, line.rstrip("\r")) for place, line in enumerate(text.split("\n"), start=1)]
    rest = iter(lines)
    title = next(((place, line) for place, line in rest if line.strip()), (1, ""))
    try:
        name = _title(title[1])
        paragraphs: list[list[str]] = [[]]
        begun: list[tuple[int, str]] = []
        for place, line in rest:
            if _TASK.match(line):
                begun = [(place, line)]
                break
            paragraphs.append([]) if not line.strip() else paragraphs[-1].append(line.strip())
        said = [" ".join(paragraph) for paragraph in paragraphs if paragraph]
        reason = _read(said[0]) if len(said) == 1 else "\n\n".join(said)
    except DataError as error:
        raise DataError(f"{source}:{title[0]}: {error}") from None
    root = TaskNode(node_id(None, name), name, reason=reason, origin="root")
    return _grown(root, _tasks([*begun, *rest], source), source)


def _grown(root: TaskNode, tasks: Iterable[tuple[int, int, str]], source: str) -> DomainTree:
    """The tree of a root and (line, depth, text) of each task."""
    path = [root.id]
    nodes: dict[str, dict[str, str | int]] = {}
    children: dict[str, list[str]] = {root.id: []}
    for line, depth, text in tasks:
        try:
            name, reason = _named(text)
            own = node_id(path[depth - 1], name)
            if depth > DEEPEST:
                raise DataError(f"task {name!r} is {depth} levels deep, expected at most {DEEPEST}")
            if own in nodes:
                raise DataError(f"its parent has two children named {name!r}; rename or remove one")
        except DataError as error:
            raise DataError(f"{source}:{line}: {error}") from None
        nodes[own] = {"name": name, "reason": reason, "depth": depth, "parent": path[depth - 1]}
        children[path[depth - 1]].append(own)
        children[own] = []
        path[depth:] = [own]
    made = [
        TaskNode(
            own,
            str(values["name"]),
            reason=str(values["reason"]),
            depth=int(values["depth"]),
            parent=str(values["parent"]),
            children=tuple(children[own]),
            origin="person",
        )
        for own, values in nodes.items()
    ]
    top = TaskNode(root.id, root.name, reason=root.reason, children=tuple(children[root.id]), origin="root")
    return DomainTree.of([top, *made])


def _tasks(lines: Iterable[tuple[int, str]], source: str) -> Iterator[tuple[int, int, str]]:
    """(Line, depth, text) of each task, with the lines of a reason below it joined on."""
    indents: list[int] = []
    waiting: tuple[int, int, str] | None = None
    for place, line in lines:
        task = _TASK.match(line)
        indent = len(line.expandtabs(4)) - len(line.expandtabs(4).lstrip())
        if not line.strip():
            continue
        if task is None:
            if waiting is None or indent <= indents[-1] or _NUMBERED.match(line):
                raise DataError(
                    f"{source}:{place}: found {line.strip()[:60]!r}; expected a task as '- name: reason', or "
                    "a reason indented below its task"
                )
            text = waiting[2] if _COLON.search(waiting[2]) else f"{waiting[2]}:"
            waiting = (waiting[0], waiting[1], f"{text} {line.strip()}")
            continue
        if waiting is not None:
            yield waiting
        while indents and indent < indents[-1]:
            indents.pop()
        if not indents or indent > indents[-1]:
            if waiting is not None and len(indents) < waiting[1]:
                raise DataError(
                    f"{source}:{place}: the task is indented by {indent}, like none above it; indent it like "
                    "its siblings"
                )
            indents.append(indent)
        waiting = (place, len(indents), (task[2] or "").strip())
    if waiting is not None:
        yield waiting
