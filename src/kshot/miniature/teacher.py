"""A simulated LLM that knows the miniature's trades: a script for ``FakeServer``, labelled as simulated.

What it shows is whether a pool that was explored goes through data selection and training, and how many of
its rows end up in the right places. It says nothing of any real model.
"""

from __future__ import annotations

import hashlib
import json
import random
from collections.abc import Mapping, Sequence
from typing import Any, Final, final

from kshot.errors import InputError
from kshot.miniature import NAMES, data_folder, truth
from kshot.miniature.world import INSTRUCTION, PARTS, PLAIN, Row, Trade, draw_new_row
from kshot.models.fake.ontology.reading import Asked, read
from kshot.models.fake.replies import request_text

DOMAIN: Final = "trade words"
DESCRIPTION: Final = (
    "Translating the words that tradespeople use among themselves into plain words, trade by trade."
)
GROUPS: Final = {
    "tools": "expert",
    "wares": "data",
    "customs": "both",
}  # name of a sub-task: part of the words
OFF: Final = 0.5  # share of junk where the task is none that it knows


@final
class Teacher:
    r"""Replies to explore's requests from the prompt's text alone: JSON, as ``wanted``.

    - *Extend*: at the root trades, as they come to mind (``1 / rank^s``, ranks shuffled by seed), none that
      is listed; at a trade the three groups of its words; elsewhere none, and that the list is complete.
    - *Fill* and *Self-Instruct*: rows of the trade or group; at the root of trades by the same weights. A
      task that it does not know gets junk half of the time, else what its parent would get. No row is a
      shot or test row of a task of the miniature, or stands in the prompt.
    - *Relevance*: whether a name is one that it would give. *Answer*: the meanings of the words it knows.

    The same request gets the same reply, whenever it comes.

    Args:
        s: Recall bias: 0 recalls all trades alike.
        seed: Of ranks and draws.

    Raises:
        InputError: ``s`` is below 0.

    >>> text = "## Task\nName: weaver\n\n## Wanted\nWanted: 2 rows"
    >>> rows = json.loads(Teacher()({"messages": [{"role": "user", "content": text}]}))["rows"]
    >>> [row["instruction"].partition("\n")[0] for row in rows]
    ['translate the trade words', 'translate the trade words']
    """

    def __init__(self, *, s: float = 1.0, seed: int = 0) -> None:
        if not s >= 0:
            raise InputError(f"s is {s}; expected a recall bias from 0")
        self._trades = _trades()
        self._taken = _prompts()
        self._seed = seed
        self._s = s
        ranks = list(range(1, len(self._trades) + 1))
        random.Random(f"teacher:{seed}").shuffle(ranks)
        self._weights = {name: rank**-s for name, rank in zip(self._trades, ranks, strict=True)}

    @property
    def id(self) -> str:
        """Says that it is simulated."""
        return f"simulated teacher of the miniature, s = {self._s:g}, seed {self._seed}"

    @property
    def weights(self) -> dict[str, float]:
        """How readily each trade comes to its mind."""
        return dict(self._weights)

    def __call__(self, body: Mapping[str, Any]) -> str:
        """The reply to a request's body."""
        asked, draw = read(body), self._draw(body)
        if asked.kind == "extend":
            return self._extended(asked, draw)
        if asked.kind in ("fill", "self_instruct"):
            return json.dumps({"rows": self._rows(asked, draw)})
        if asked.kind == "relevance":
            known = set(self._children(asked.path))
            return json.dumps({"relevant": [_plain(name) in known for name in asked.proposed]})
        return self._answer(body)

    def seeds(self, count: int) -> list[dict[str, str]]:
        """Rows that a user has beforehand, as they come to its mind: none is of a task's file."""
        draw, shown = random.Random(f"seeds:{self._seed}"), set[str]()
        return [self._row((), draw, shown) for _ in range(count)]

    def _draw(self, body: Mapping[str, Any]) -> random.Random:
        text = json.dumps([self._seed, body.get("seed"), body.get("messages")])
        return random.Random(hashlib.sha256(text.encode()).hexdigest())

    def _extended(self, asked: Asked, draw: random.Random) -> str:
        listed = {_plain(name) for name in asked.listed}
        coming = [name for name in self._children(asked.path) if name not in listed]
        found: list[str] = []
        while coming and len(found) < asked.wanted:
            found.append(draw.choices(coming, [self._weights.get(name, 1.0) for name in coming])[0])
            coming.remove(found[-1])
        named = [
            {
                "name": name,
                "reason": f"They have words of their own: {name}.",
                "examples": [self._row((*asked.path, name), draw, set()) for _ in range(2)],
            }
            for name in found
        ]
        return json.dumps({"subtasks": named, "complete": not coming})

    def _children(self, path: Sequence[str]) -> list[str]:
        """Sub-tasks that it knows of a task."""
        if len(path) <= 1 and _plain(path[-1] if path else "") not in self._trades:
            return list(self._trades)
        name = _plain(path[-1])
        return [f"{name} {group}" for group in GROUPS] if name in self._trades else []

    def _rows(self, asked: Asked, draw: random.Random) -> list[dict[str, str]]:
        shown = {text.removeprefix(INSTRUCTION).strip() for text in asked.shown}
        return [self._row(asked.path, draw, shown) for _ in range(asked.wanted)]

    def _row(self, path: Sequence[str], draw: random.Random, shown: set[str]) -> dict[str, str]:
        trade, parts, is_known = self._target(path)
        if not is_known and draw.random() < OFF:
            asked, said = (" ".join(draw.choices(PLAIN, k=draw.randint(4, 8))) for _ in range(2))
            return {"instruction": f"answer the question\n{asked}", "input": "", "output": said}
        name = trade or draw.choices(list(self._weights), list(self._weights.values()))[0]
        row = draw_new_row(draw, [self._trades[name]], draw.choice(parts), self._taken | shown)
        shown.add(row.prompt)
        return {"instruction": f"{INSTRUCTION}\n{row.prompt}", "input": "", "output": _output(row, draw)}

    def _target(self, path: Sequence[str]) -> tuple[str, tuple[str, ...], bool]:
        """Trade (empty: any) and parts of the deepest task that it knows; whether that is the last."""
        for place in range(len(path) - 1, -1, -1):
            name, _, group = _plain(path[place]).partition(" ")
            if name in self._trades and (not group or group in GROUPS):
                return name, (GROUPS[group],) if group else PARTS, place == len(path) - 1
        return "", PARTS, len(path) <= 1

    def _answer(self, body: Mapping[str, Any]) -> str:
        meanings = {word: said for trade in self._trades.values() for word, said in trade.meaning.items()}
        words = request_text(body).partition("## Instruction")[2].split()
        return " ".join(meanings[word] for word in words if word in meanings) or "I know none of these words."


def _trades() -> dict[str, Trade]:
    """The trades of the shipped data."""
    found = {}
    for name, words in truth().trades.items():
        parts = {part: tuple(word for word in words if words[word]["part"] == part) for part in PARTS}
        found[name] = Trade(name, parts, {word: facts["meaning"] for word, facts in words.items()})
    return found


def _prompts() -> set[str]:
    """Prompts of all shots and test rows of the shipped tasks."""
    files = [data_folder() / "tasks" / name / f"{kind}.jsonl" for name in NAMES for kind in ("shots", "test")]
    lines = (line for file in files for line in file.read_text(encoding="utf-8").splitlines())
    return {json.loads(line)["prompt"] for line in lines}


def _plain(name: str) -> str:
    return " ".join(name.casefold().split())


def _output(row: Row, draw: random.Random) -> str:
    """The answer, half the time with its reasoning on the next line, as in the open data."""
    return f"{row.answer}\n{row.reasoning}" if draw.random() < 0.5 else row.answer
