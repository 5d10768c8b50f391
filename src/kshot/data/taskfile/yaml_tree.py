"""YAML read strictly: a plain tree of mappings, lists, texts and numbers, and the line of every part.

Refused are anchors and aliases (they can grow without end), tags, duplicate keys, several documents, and
files above 1 MB. Scalars follow YAML 1.2: only ``true`` and ``false`` are truth values, so that a label
``no`` stays a text, and ``010`` is ten.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeAlias

import yaml

from kshot.data.nearest import no_such_path
from kshot.errors import TaskError

Place: TypeAlias = tuple[str | int, ...]
LARGEST_FILE = 1_000_000
DEEPEST = 32
MOST_PARTS = 20_000
_INTEGER = re.compile(r"[-+]?[0-9]{1,18}")
_NUMBER = re.compile(r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]{1,4})?")
_SURROGATE = re.compile("[\ud800-\udfff]")
_WORDS: dict[str, Any] = {"": None, "~": None, "null": None, "true": True, "false": False}


@dataclass(frozen=True, slots=True)
class YamlTree:
    """A YAML document: its value, and the line (from 1) of every key and list entry by its place."""

    name: str
    value: Any
    lines: dict[Place, int] = field(default_factory=dict)

    def where(self, place: Place) -> str:
        """``task.yaml:7`` for a place, or for the nearest part around it that the file has."""
        while place and place not in self.lines:
            place = place[:-1]
        return f"{self.name}:{self.lines.get(place, 1)}"


def read_yaml(path: Path) -> YamlTree:
    """A YAML file as a tree.

    Raises:
        TaskError: The file cannot be read, or holds something that is refused.
    """
    try:
        if path.is_dir():
            raise TaskError(f"{path}: this is a folder; give the task file in it, as {path / 'task.yaml'}")
        if not path.exists():
            raise TaskError(f"{path}: {no_such_path(path)}")
        if not path.is_file():
            raise TaskError(f"{path}: this is no regular file; expected a task file")
        with path.open("rb") as file:
            data = file.read(LARGEST_FILE + 1)
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or error
        raise TaskError(f"{path}: the file cannot be read ({reason})") from None
    if len(data) > LARGEST_FILE:
        raise TaskError(
            f"{path}: the file has more than 1 MB; a task file is short, rows belong in files of rows"
        )
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        raise TaskError(f"{path.name}:{line}: the bytes are no UTF-8; save the file as UTF-8") from None
    return parse_yaml(text, name=path.name)


def parse_yaml(text: str, *, name: str) -> YamlTree:
    """A YAML text as a tree.

    >>> parse_yaml("labels: [yes, no]", name="task.yaml").value
    {'labels': ['yes', 'no']}

    Raises:
        TaskError: The text is no YAML, or holds something that is refused.
    """
    if not text.strip():
        raise TaskError(f"{name}: the file is empty; `kshot init DIR` writes a task to start from")
    try:
        _refuse_events(text, name)
        node = yaml.compose(text, Loader=yaml.SafeLoader)
    except yaml.YAMLError as error:
        raise TaskError(_sentence(error, text, name)) from None
    if node is None:
        raise TaskError(f"{name}: the file is empty; `kshot init DIR` writes a task to start from")
    tree = YamlTree(name, None, {(): _line(node)})
    return YamlTree(name, _value(node, (), tree), tree.lines)


def _refuse_events(text: str, name: str) -> None:
    """Looks at the stream before anything is built from it."""
    depth = documents = 0
    for number, event in enumerate(yaml.parse(text, Loader=yaml.SafeLoader)):
        line = event.start_mark.line + 1 if event.start_mark else 1
        if isinstance(event, yaml.DocumentStartEvent):
            documents += 1
        if documents > 1:
            raise TaskError(f"{name}:{line}: a second document begins here; a task file holds one")
        if isinstance(event, yaml.AliasEvent) or getattr(event, "anchor", None) is not None:
            raise TaskError(
                f"{name}:{line}: anchors (&) and aliases (*) are not allowed; write the value out"
            )
        if getattr(event, "tag", None) is not None:
            raise TaskError(f"{name}:{line}: tags (!) are not allowed; write a plain value")
        depth += isinstance(event, yaml.CollectionStartEvent)
        depth -= isinstance(event, yaml.CollectionEndEvent)
        if number > MOST_PARTS:
            raise TaskError(
                f"{name}:{line}: more than {MOST_PARTS} keys and values; rows belong in files of rows"
            )
        if depth > DEEPEST:
            raise TaskError(f"{name}:{line}: nested more than {DEEPEST} deep; a task file is nearly flat")


def _value(node: yaml.Node, place: Place, tree: YamlTree) -> Any:
    if isinstance(node, yaml.MappingNode):
        return _mapping(node, place, tree)
    if isinstance(node, yaml.SequenceNode):
        values = []
        for index, child in enumerate(node.value):
            tree.lines[(*place, index)] = _line(child)
            values.append(_value(child, (*place, index), tree))
        return values
    text = str(node.value)
    if _SURROGATE.search(text):
        raise TaskError(
            f"{tree.name}:{_line(node)}: half a character (a surrogate escape); write the whole character"
        )
    return text if getattr(node, "style", None) is not None else _plain(text)


def _mapping(node: yaml.MappingNode, place: Place, tree: YamlTree) -> dict[str, Any]:
    values: dict[str, Any] = {}
    for key_node, child in node.value:
        if not isinstance(key_node, yaml.ScalarNode):
            raise TaskError(f"{tree.name}:{_line(key_node)}: a key is a list or a mapping, expected a word")
        key = str(key_node.value)
        if key in values:
            first = tree.lines[(*place, key)]
            raise TaskError(
                f"{tree.name}:{_line(key_node)}: key {key!r} stands twice (first in line {first})"
            )
        tree.lines[(*place, key)] = _line(key_node)
        values[key] = _value(child, (*place, key), tree)
    return values


def _plain(text: str) -> Any:
    """An unquoted scalar under YAML 1.2's core rules."""
    if text.lower() in _WORDS and text in (text.lower(), text.capitalize(), text.upper()):
        return _WORDS[text.lower()]
    if _INTEGER.fullmatch(text):
        return int(text)
    if _NUMBER.fullmatch(text):
        return float(text)
    return text


def _line(node: yaml.Node) -> int:
    return int(node.start_mark.line) + 1


def _sentence(error: yaml.YAMLError, text: str, name: str) -> str:
    # Only the parser's own words: its full message quotes the line, which may hold a secret.
    if isinstance(error, yaml.MarkedYAMLError):
        mark = error.problem_mark or error.context_mark
        where = f"{name}:{mark.line + 1}" if mark else name
        return (
            f"{where}: this is no valid YAML ({error.problem or error.context}); check indentation and quotes"
        )
    if isinstance(error, yaml.reader.ReaderError):
        line = text.count("\n", 0, error.position) + 1
        return f"{name}:{line}: a control character stands here; a task file is plain text"
    return f"{name}: this is no valid YAML; check indentation and quotes"
