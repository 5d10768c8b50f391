"""A small world to grow a tree in: a speaker that reads the layout of the requests as a model would."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import pytest

from kshot.data.example import Message
from kshot.methods.explore.seams import Exploration, ExplorePrompts
from kshot.methods.explore.tree import DomainTree


def parts(text: str) -> dict[str, str]:
    """Heading to body."""
    pieces = re.split(r"^## (.+)$", text, flags=re.MULTILINE)
    return {heading: body.strip() for heading, body in zip(pieces[1::2], pieces[2::2], strict=True)}


def listed(body: str) -> list[str]:
    return [line[2:] for line in body.splitlines() if line.startswith("- ")]


def reply_of(names: Sequence[str], *, is_complete: bool = False) -> str:
    """A reply to an extend request."""
    named = [
        {
            "name": name,
            "reason": f"{name} belongs here",
            "examples": [{"instruction": f"Do the {name} thing.", "input": "", "output": "Done."}],
        }
        for name in names
    ]
    return json.dumps({"subtasks": named, "complete": is_complete})


@dataclass
class Speaker:
    """Names the children of a task that are not listed yet, in order, as many as are wanted.

    Attributes:
        world: Task name to the names of its children.
        requests: What it read for children: (path, existing, wanted), in the order of arrival.
        texts: Of the same requests, heading to body.
        checks: Likewise of the requests whether names are relevant.
    """

    world: Mapping[str, Sequence[str]]
    says_complete: bool = True
    requests: list[tuple[tuple[str, ...], tuple[str, ...], int]] = field(default_factory=list)
    texts: list[dict[str, str]] = field(default_factory=list)
    checks: list[dict[str, str]] = field(default_factory=list)

    def text(self, prompt: str) -> str:
        found = parts(prompt)
        if "Proposed subtasks" in found:
            self.checks.append(found)
            lines = found["Proposed subtasks"].splitlines()
            return json.dumps({"relevant": ["off topic" not in line for line in lines]})
        self.texts.append(found)
        path = tuple(listed(found["Path"]))
        known = listed(found["Existing subtasks"])
        wanted = int(re.findall(r"\d+", found["Wanted"])[0])
        self.requests.append((path, tuple(known), wanted))
        left = [name for name in self.world.get(path[-1], ()) if name not in known]
        if not left and not self.says_complete:
            left = list(known)
        return reply_of(left[:wanted], is_complete=self.says_complete and len(left) <= wanted)

    def script(self, turns: Sequence[Message]) -> str:
        """For a ``ScriptedModel``."""
        return self.text(next(turn.content for turn in turns if "## Task" in turn.content))

    def serve(self, body: Mapping[str, Any]) -> str:
        """For a ``FakeServer``."""
        return self.text(next(turn["content"] for turn in body["messages"] if "## Task" in turn["content"]))


@pytest.fixture
def speaker() -> type[Speaker]:
    return Speaker


@pytest.fixture
def said():
    return reply_of


@pytest.fixture
def prompts() -> ExplorePrompts:
    from kshot.methods.explore.prompts import standard

    return standard("en")


@pytest.fixture
def planted():
    def make(name: str = "rewriting", description: str = "Texts are changed.") -> Exploration:
        return Exploration(DomainTree.planted(name, description))

    return make
