"""What the simulated model reads in a prompt: its text, by the headings of explore's requests."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal, TypeAlias

from kshot.models.fake.replies import content_text

Kind: TypeAlias = Literal["extend", "fill", "relevance", "answer", "self_instruct", "unknown"]
HEADINGS: Mapping[str, str] = {
    "Task": "task",
    "Path": "path",
    "Existing subtasks": "existing",
    "Refused names": "refused",
    "Already there": "there",
    "Examples": "examples",
    "Demonstrations": "demonstrations",
    "Domain": "domain",
    "Proposed subtasks": "proposed",
    "Instruction": "instruction",
    "Wanted": "wanted",
}
_HEADING = re.compile(r"^## (.+?)[ \t]*$", re.MULTILINE)
_NUMBER = re.compile(r"\d+")
_NUMBERED = re.compile(r"^\s*\d+\.\s*(.*)$")
MOST_WANTED = 64


@dataclass(frozen=True, slots=True)
class Asked:
    """One request as it was understood.

    Attributes:
        kind: What is asked for.
        path: Names from the root to the target.
        wanted: How many.
        listed: Sub-tasks that are there already or were refused.
        shown: Instructions that are there already.
        demonstrations: Instructions of examples.
        proposed: Names to be judged.
    """

    kind: Kind
    path: tuple[str, ...] = ()
    wanted: int = 1
    listed: tuple[str, ...] = ()
    shown: tuple[str, ...] = ()
    demonstrations: tuple[str, ...] = ()
    proposed: tuple[str, ...] = ()


def read(body: Mapping[str, Any]) -> Asked:
    r"""The request in a chat body; ``unknown`` where it has none of the known headings.

    >>> text = "## Task\nName: poems\n\n## Path\n- texts\n- poems\n\n## Existing subtasks\n(none)\n\n"
    >>> body = {"messages": [{"role": "user", "content": text + "## Wanted\nWanted: 3 new subtasks"}]}
    >>> read(body).kind, read(body).path, read(body).wanted
    ('extend', ('texts', 'poems'), 3)
    """
    parts = _parts(body)
    kind = _kind(parts)
    wanted = _NUMBER.search(parts.get("wanted", ""))
    return Asked(
        kind,
        tuple(_items(parts.get("path", ""))) or _names(parts),
        min(MOST_WANTED, int(wanted[0])) if wanted else 1,
        (*_items(parts.get("existing", "")), *_items(parts.get("refused", ""))),
        tuple(_items(parts.get("there", ""))),
        tuple(_instructions(parts.get("demonstrations", ""))),
        tuple(_numbered(parts.get("proposed", ""))),
    )


def _parts(body: Mapping[str, Any]) -> dict[str, str]:
    """Parts of the last user message that has any: a request asked again has a plain one after it."""
    for message in reversed(body.get("messages") or []):
        if not isinstance(message, Mapping) or message.get("role") != "user":
            continue
        text = content_text(message.get("content"))
        marks = list(_HEADING.finditer(text))
        found: dict[str, str] = {}
        for place, mark in enumerate(marks):
            end = marks[place + 1].start() if place + 1 < len(marks) else len(text)
            found.setdefault(HEADINGS.get(mark[1], mark[1]), text[mark.end() : end].strip("\n"))
        if "task" in found or "domain" in found:
            return found
    return {}


def _kind(parts: Mapping[str, str]) -> Kind:
    if "proposed" in parts:
        return "relevance"
    if "existing" in parts:
        return "extend"
    if "demonstrations" in parts:
        return "self_instruct"
    if "instruction" in parts:
        return "answer"
    return "fill" if "wanted" in parts else "unknown"


def _names(parts: Mapping[str, str]) -> tuple[str, ...]:
    text = parts.get("task") or parts.get("domain") or ""
    first = text.strip().partition("\n")[0]
    return (re.split("[:：]", first, maxsplit=1)[-1].strip(),) if first else ()


def _items(text: str) -> list[str]:
    return [line[2:].strip() for line in text.split("\n") if line.startswith("- ")]


def _numbered(text: str) -> list[str]:
    """Names of lines ``1. name: reason``."""
    found = (_NUMBERED.match(line) for line in text.split("\n"))
    return [re.split("[:：]", match[1], maxsplit=1)[0].strip() for match in found if match]


def _instructions(text: str) -> list[str]:
    """Of JSON objects, one a line; other lines are passed over."""
    found = []
    for line in text.split("\n"):
        try:
            value = json.loads(line) if line.startswith("{") else None
        except (ValueError, RecursionError):
            continue
        if isinstance(value, dict) and isinstance(value.get("instruction"), str):
            found.append(value["instruction"])
    return found
