r"""A tree as a Markdown outline that a person can edit.

::

    # rewriting

    Texts are changed, their meaning stays.

    - paraphrase: Says the same in other words.
      - paraphrase for children: Easy words and short sentences.
    - "style: formal": A name with a colon and a blank stands in quotes.

The first line is the domain. What follows up to the first task is its description: the lines of a paragraph
are joined by blanks, an empty line begins a new one. A task is a line that begins with ``- `` (or ``* ``, or
``+ ``); deeper tasks are indented further. Its name ends at the first colon that a blank or the end of the
line follows, or at a full-width colon; the rest is its reason. A reason may also stand below its task,
indented further than the dash. What could be misread (such a colon in a name, a line break, white space at an
end, a quote at the beginning) is written as a JSON text in quotes, so that every name of every script comes
back. An outline has names, reasons and order only; the rest of a task's fields stays in the JSON.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace

from kshot.errors import DataError
from kshot.methods.explore.formats.text import json_text
from kshot.methods.explore.records import TaskNode, node_id
from kshot.methods.explore.tree import DEEPEST, DomainTree

_STEP = "  "
_COLON = re.compile(r":(?=\s|$)|：")
_UNPRINTED = re.compile("[\x00-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff]")
_TASK = re.compile(r"\s*[-*+](?:\s+(.*))?$", re.DOTALL)
_MARKED = re.compile(r"[-*+](\s|$)|#|\d{1,9}[.)](\s|$)")  # what a Markdown list or heading begins with
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
    r"""The tree of an outline. The domain's origin is ``root``, that of all tasks ``person``.

    Raises:
        DataError: There is no title, a line is neither task nor reason, a name is empty, stands twice under
            its parent or is too deep; ``source`` and the line begin the message.

    >>> [node.name for node in tree_of_outline("# rewriting\n- paraphrase\n    - for children")]
    ['rewriting', 'paraphrase', 'for children']
    """
    lines = [_Line(place, line.rstrip("\r")) for place, line in enumerate(text.split("\n"), start=1)]
    at = next((place for place, line in enumerate(lines) if line.text.strip()), 0)
    first = next((i for i in range(at + 1, len(lines)) if _TASK.match(lines[i].text)), len(lines))
    try:
        name = _title(lines[at].text)
        reason = _described(lines[at + 1 : first])
        root = TaskNode(node_id(None, name), name, reason=reason, origin="root")
        return _grown(root, _tasks(lines[first:]))
    except _FaultError as fault:
        raise DataError(f"{source}:{fault.place or lines[at].place}: {fault}") from None


@dataclass(frozen=True, slots=True)
class _Line:
    place: int
    text: str


@dataclass(frozen=True, slots=True)
class _Task:
    place: int
    depth: int
    text: str
    below: list[str]


class _FaultError(Exception):
    def __init__(self, sentence: str, place: int = 0) -> None:
        super().__init__(sentence)
        self.place = place


def _grown(root: TaskNode, tasks: Iterable[_Task]) -> DomainTree:
    path = [root.id]
    nodes = {root.id: root}
    children: dict[str, list[str]] = {root.id: []}
    for task in tasks:
        name, reason = _named(task)
        above = path[task.depth - 1]
        own = node_id(above, name)
        if task.depth > DEEPEST:
            raise _FaultError(
                f"task {name!r} is {task.depth} levels deep, expected at most {DEEPEST}", task.place
            )
        if own in nodes:
            twice = f"{nodes[above].name!r} has two children named {name!r}; rename or remove one"
            raise _FaultError(twice, task.place)
        nodes[own] = TaskNode(
            own, name, reason=reason, depth=task.depth, parent=nodes[above].id, origin="person"
        )
        children[above].append(own)
        children[own] = []
        path[task.depth :] = [own]
    return DomainTree.of(replace(node, children=tuple(children[own])) for own, node in nodes.items())


def _tasks(lines: Iterable[_Line]) -> Iterator[_Task]:
    indents: list[int] = []
    task: _Task | None = None
    for line in lines:
        found = _TASK.match(line.text)
        spread = line.text.expandtabs(4)
        indent = len(spread) - len(spread.lstrip())
        if not spread.strip():
            continue
        if found is None:
            if task is None or indent <= indents[-1] or _MARKED.match(line.text.strip()):
                raise _FaultError(
                    f"found {line.text.strip()[:60]!r}; expected a task as '- name: reason', or a reason "
                    "indented below its task",
                    line.place,
                )
            task.below.append(line.text.strip())
            continue
        if task is not None:
            yield task
        _step(indents, indent, line.place)
        task = _Task(line.place, len(indents), (found[1] or "").strip(), [])
    if task is not None:
        yield task


def _step(indents: list[int], indent: int, place: int) -> None:
    """Goes up or down to a task's level: ``indents`` are those of the tasks above it and its own."""
    deepest = len(indents)
    while indents and indent < indents[-1]:
        indents.pop()
    if not indents or indent > indents[-1]:
        if len(indents) < deepest:
            raise _FaultError(
                f"the task is indented by {indent} blanks, like no task above it; indent it as its siblings",
                place,
            )
        indents.append(indent)


def _title(line: str) -> str:
    if not re.match(r"#\s", line.strip()):
        raise _FaultError(f"found {line.strip()[:60]!r}; expected the domain as '# name' in the first line")
    name = line.strip()[1:].strip()
    name, rest = _unquoted(name) if name.startswith('"') else (name, "")
    if rest or not name.strip():
        raise _FaultError("the domain has no name; expected '# name' in the first line")
    return name


def _described(lines: Iterable[_Line]) -> str:
    paragraphs: list[list[str]] = [[]]
    for line in lines:
        said = line.text.strip()
        if not said:
            paragraphs.append([])
        elif _MARKED.match(said):
            wanted = "begin each task with '- ', or put the description in quotes"
            raise _FaultError(f"found {said[:60]!r} before the first task; {wanted}", line.place)
        else:
            paragraphs[-1].append(said)
    told = [" ".join(paragraph) for paragraph in paragraphs if paragraph]
    return _reason(told[0]) if len(told) == 1 else "\n\n".join(told)


def _named(task: _Task) -> tuple[str, str]:
    try:
        if task.text.startswith('"'):
            name, rest = _unquoted(task.text)
            if rest and not _COLON.match(rest):
                raise _FaultError(f"found {rest[:60]!r} after a name in quotes; expected ': reason'")
            reason = rest[1:]
        else:
            colon = _COLON.search(task.text)
            name = task.text[: colon.start()].rstrip() if colon else task.text
            reason = task.text[colon.end() :] if colon else ""
    except _FaultError as fault:
        raise _FaultError(str(fault), task.place) from None
    if not name.strip():
        raise _FaultError("a task has no name; expected '- name: reason'", task.place)
    return name, " ".join(filter(None, [_reason(reason.strip()), *task.below]))


def _unquoted(text: str) -> tuple[str, str]:
    """A text in quotes, and what follows it."""
    try:
        found, end = _QUOTED.raw_decode(text)
    except ValueError:
        raise _FaultError(
            f"{text[:60]!r} begins with a quote but is no JSON text; end it with a quote, or write it plain"
        ) from None
    return str(found), text[end:].lstrip()


def _reason(text: str) -> str:
    """A reason as it was meant: what is no JSON text as a whole stands for itself."""
    try:
        found = json.loads(text) if text.startswith('"') else text
    except ValueError:
        return text
    return str(found)


def _written(text: str) -> str:
    is_plain = text == text.strip() and not text.startswith('"') and not _UNPRINTED.search(text)
    return text if is_plain else json_text(text)


def _description(text: str) -> str:
    paragraphs = text.split("\n\n")
    is_plain = all(part and _written(part) == part and not _MARKED.match(part) for part in paragraphs)
    return text if is_plain else json_text(text)
