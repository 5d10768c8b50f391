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
from kshot.models.fake.ontology.world import Ontology, name_key

REASON = "It is a part of this that people often ask for."
OFF = 0.5  # share of junk rows where the target is off the ontology
MOST_INVENTED = 6  # sub-tasks of a task off the ontology


@final
class OntologySpeaker:
    r"""Replies to explore's requests from the prompt's text alone, labelled as simulated.

    - *Extend*: sub-tasks of the target as they come to mind, fewer than wanted where it knows no more;
      ``complete`` where none is left that is not listed. A target off the ontology has 1 to 6 sub-tasks,
      off it too.
    - *Fill*: rows of leaves below the target; off the ontology half junk, the rest of its nearest known
      ancestor.
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
        if not is_known:
            return self._invented(asked, draw)
        listed = {self.ontology.known(name) for name in asked.listed}
        inside = self._draws.children_in_turn(target, draw)
        known = [child for child in inside if child in listed]
        coming = [child for child in inside if child not in listed or draw.random() >= self.recall.obey]
        found = []
        for _ in range(self._many(asked)):
            drawn = draw.random()
            if drawn < self.recall.hall:
                found.append(self._named(_junk_name(draw), None, draw))
            elif drawn < self.recall.hall + self.recall.para and known:
                child = known[int(draw.random() * len(known))]
                others = self.ontology.names[child][1:]
                found.append(self._named(others[int(draw.random() * len(others))], child, draw))
            elif coming:
                child = coming.pop(0)
                found.append(self._named(self.ontology.names[child][0], child, draw))
        is_complete = all(child in listed for child in coming)
        return json.dumps({"subtasks": found, "complete": is_complete})

    def _invented(self, asked: Asked, draw: random.Random) -> str:
        """Sub-tasks of a task off the ontology: always the same few, so that they dry up as others do."""
        own = random.Random(f"invented:{self._seed}:{name_key(asked.path[-1])}")
        names = [_junk_name(own) for _ in range(own.randint(1, MOST_INVENTED))]
        listed = set(map(name_key, asked.listed))
        coming = [n for n in names if name_key(n) not in listed or draw.random() >= self.recall.obey]
        wanted = self._many(asked)
        found = [self._named(name, None, draw) for name in coming[:wanted]]
        return json.dumps({"subtasks": found, "complete": len(coming) <= wanted})

    def _named(self, name: str, node: int | None, draw: random.Random) -> dict[str, Any]:
        """A proposed sub-task with two examples."""
        if node is None:
            rows = [junk(draw), junk(draw)]
        else:
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


def _junk_name(draw: random.Random) -> str:
    return f"{draw.choice(ADJECTIVES)} {stem(draw, start=JUNK_START)} {draw.choice(NOUNS)}"
