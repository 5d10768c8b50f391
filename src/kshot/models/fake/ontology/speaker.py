"""The simulated model of a hidden ontology, as a script for ``FakeServer``."""

from __future__ import annotations

import hashlib
import json
import random
from collections.abc import Iterable, Mapping
from typing import Any, final

from kshot.models.fake.ontology.items import Said, junk, said
from kshot.models.fake.ontology.log import CoverageScore, ItemLog, score
from kshot.models.fake.ontology.reading import Asked, read
from kshot.models.fake.ontology.recall import Recall, RecallModel
from kshot.models.fake.ontology.vocabulary import ADJECTIVES, JUNK_START, NOUNS, stem
from kshot.models.fake.ontology.world import Ontology

REASON = "It is a part of this that people often ask for."
OFF = 0.5  # share of junk where the target is off the ontology


@final
class OntologySpeaker:
    r"""Replies to explore's requests from the prompt's text alone, labelled as simulated.

    - *Extend*: sub-tasks of the target as they come to mind, fewer than wanted where it knows no more;
      ``complete`` where none is left that is not listed. Of a target off the ontology, half the names are
      off it too, the others belong to its nearest known ancestor.
    - *Fill*: rows of leaves below the target; half junk off the ontology.
    - *Self-Instruct*: rows from the root, or from the top branch of a demonstration.
    - *Relevance*: whether a proposed name is below the target. *Answer*: a line of text.

    The same request (messages and seed) gets the same reply, whenever it comes; a path of one name is the
    root, however the user calls the domain.

    Attributes:
        ontology: What it knows.
        recall: How it recalls.
        log: What each row is; for scores, never for a client.

    >>> speaker = OntologySpeaker(Ontology.made((2, 3), seed=0), RecallModel(1.0), seed=0)
    >>> text = "## Task\nName: all\n\n## Path\n- all\n\n## Wanted\nWanted: 2 rows"
    >>> rows = json.loads(speaker({"messages": [{"role": "user", "content": text}]}))["rows"]
    >>> len(rows), speaker.score(row["instruction"] for row in rows).rows
    (2, 2)
    """

    def __init__(self, ontology: Ontology, recall: RecallModel, *, seed: int = 0) -> None:
        self.ontology = ontology
        self.recall = recall
        self.log = ItemLog()
        self._seed = seed
        self._draws = Recall(ontology, recall.s)

    @property
    def id(self) -> str:
        """``simulated``, so that nobody takes its figures for a model's, and what it depends on."""
        shape = self.ontology.shape
        named = shape if isinstance(shape, str) else "x".join(map(str, shape))
        return f"simulated ontology {named}, seed {self.ontology.seed}; {self.recall}, seed {self._seed}"

    def __call__(self, body: Mapping[str, Any]) -> str:
        """The reply to a request's body, as ``FakeServer`` asks for it."""
        asked, draw = read(body), self._drawn(body)
        if asked.kind == "extend":
            return self._extended(asked, draw)
        if asked.kind == "fill":
            return self._rows([self._filled(asked, draw) for _ in range(self._many(asked))])
        if asked.kind == "self_instruct":
            return self._rows([self._instructed(asked, draw) for _ in range(self._many(asked))])
        if asked.kind == "relevance":
            return json.dumps({"relevant": [self._relevant(asked, name, draw) for name in asked.proposed]})
        return junk(draw).output

    def seeds(self, count: int) -> list[dict[str, str]]:
        """Rows that a user has beforehand, as the model would recall them; they are no rows of a run."""
        draw = random.Random(f"seeds:{self._seed}:{self.ontology.seed}")
        found = [said(self.ontology, self._draws.leaf_below(0, draw), draw) for _ in range(count)]
        return [row.to_json() for row in found]

    def score(self, instructions: Iterable[str]) -> CoverageScore:
        """How much of the ontology these rows reach."""
        return score(self.log, instructions, leaves=len(self.ontology.leaves))

    def _drawn(self, body: Mapping[str, Any]) -> random.Random:
        text = json.dumps([self._seed, body.get("seed"), body.get("messages")], ensure_ascii=True)
        return random.Random(int.from_bytes(hashlib.blake2b(text.encode(), digest_size=8).digest(), "big"))

    def _target(self, asked: Asked) -> tuple[int, bool]:
        """The target, or its nearest known ancestor; and whether it is the target itself."""
        for place in range(len(asked.path) - 1, 0, -1):
            node = self.ontology.known(asked.path[place])
            if node is not None:
                return node, place == len(asked.path) - 1
        return 0, len(asked.path) <= 1

    def _many(self, asked: Asked) -> int:
        return min(asked.wanted, self.recall.per_reply)

    def _extended(self, asked: Asked, draw: random.Random) -> str:
        target, is_known = self._target(asked)
        listed = {self.ontology.known(name) for name in asked.listed}
        coming = self._draws.children_in_turn(target, draw)
        known = [child for child in coming if child in listed]
        coming = [child for child in coming if child not in listed or draw.random() >= self.recall.obey]
        off = self.recall.hall if is_known else OFF
        found, is_complete = [], is_known
        for _ in range(self._many(asked)):
            drawn = draw.random()
            if drawn < off:
                found.append(self._named(None, draw))
            elif drawn < off + self.recall.para and known:
                found.append(self._named(known[int(draw.random() * len(known))], draw, is_other=True))
            elif coming:
                found.append(self._named(coming.pop(0), draw))
        if any(child not in listed for child in coming):
            is_complete = False
        return json.dumps({"subtasks": found, "complete": is_complete})

    def _named(self, node: int | None, draw: random.Random, *, is_other: bool = False) -> dict[str, Any]:
        """A proposed sub-task; ``is_other``: under another than its usual name."""
        if node is None:
            adjective, noun = draw.choice(ADJECTIVES), draw.choice(NOUNS)
            name, rows = f"{adjective} {stem(draw, start=JUNK_START)} {noun}", [junk(draw), junk(draw)]
        else:
            names = self.ontology.names[node]
            name = names[1 + int(draw.random() * (len(names) - 1))] if is_other else names[0]
            rows = [said(self.ontology, self._draws.leaf_below(node, draw), draw) for _ in range(2)]
        return {"name": name, "reason": REASON, "examples": [row.to_json() for row in rows]}

    def _filled(self, asked: Asked, draw: random.Random) -> Said:
        target, is_known = self._target(asked)
        if not is_known and draw.random() < OFF:
            return junk(draw)
        node = 0 if draw.random() < self.recall.leak else target
        return self._fresh(node, asked, draw)

    def _instructed(self, asked: Asked, draw: random.Random) -> Said:
        node = 0
        if asked.demonstrations and draw.random() < self.recall.prime:
            shown = asked.demonstrations[int(draw.random() * len(asked.demonstrations))]
            leaf = self.ontology.leaf_of(shown)
            node = 0 if leaf is None else self.ontology.above(leaf)[-2]
        return self._fresh(node, asked, draw)

    def _fresh(self, node: int, asked: Asked, draw: random.Random) -> Said:
        """A row from below a task; one that is shown is said again only by a model that does not obey."""
        row = said(self.ontology, self._draws.leaf_below(node, draw), draw)
        if row.instruction in asked.shown and draw.random() < self.recall.obey:
            return said(self.ontology, self._draws.leaf_below(node, draw), draw)
        return row

    def _rows(self, rows: list[Said]) -> str:
        for row in rows:
            self.log.note(row.instruction, row.id)
        return json.dumps({"rows": [row.to_json() for row in rows]})

    def _relevant(self, asked: Asked, name: str, draw: random.Random) -> bool:
        target, is_known = self._target(asked)
        node = self.ontology.known(name)
        is_below = node is not None and target in self.ontology.above(node)[1:] and is_known
        return is_below == (draw.random() < self.recall.judge)
