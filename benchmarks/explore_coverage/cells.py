"""One cell: a world, a recall model, a way, limits, a seed; and what came of it."""

from __future__ import annotations

import contextlib
import hashlib
import json
import time
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, replace
from typing import Any, Literal

from benchmarks.explore_coverage.ways import WAYS, explored
from kshot.methods.explore.records import Item
from kshot.methods.explore.seams import Exploration
from kshot.methods.explore.spending import Limits
from kshot.methods.explore.tree import DomainTree
from kshot.models.base import LanguageModel
from kshot.models.endpoint import Endpoint
from kshot.models.fake import FakeServer
from kshot.models.fake.ontology import Ontology, OntologyModel, OntologySpeaker, RecallModel, stated_shape

Over = Literal["http", "process"]
IN_FLIGHT = 32


@dataclass(frozen=True, slots=True)
class Cell:
    """What is run.

    Attributes:
        family: Of the parameters file.
        world: A shape.
        s: Recall bias.
        recall: The other habits of the recall model.
        way: A name of ``WAYS``.
        limit: How many calls, or tokens.
        unit: Which of the two.
        seed: Of the world, the model and the method.
        seed_rows: Rows that the user has beforehand: examples of the domain, seeds of Self-Instruct.
    """

    family: str
    world: str
    s: float
    recall: tuple[tuple[str, float], ...]
    way: str
    limit: int
    unit: Literal["calls", "tokens"]
    seed: int
    seed_rows: int = 8

    @property
    def key(self) -> str:
        """Equal for equal cells, whatever family they stand in."""
        return json.dumps([value for name, value in asdict(self).items() if name != "family"])


def cells(parameters: Mapping[str, Any], *, seeds: list[int] | None = None) -> Iterator[Cell]:
    """All cells of the parameters, each once: a cell of two families is run in the first."""
    seen = set()
    for family, given in parameters["families"].items():
        recall = tuple(sorted((parameters["recall"] | given.get("recall", {})).items()))
        for unit in ("calls", "tokens"):
            for limit in given.get(unit, ()):
                for seed in parameters["seeds"] if seeds is None else seeds:
                    for world in given["worlds"]:
                        for s in given["s"]:
                            for way in given["methods"]:
                                cell = Cell(
                                    family, world, s, recall, way, limit, unit, seed, parameters["seed_rows"]
                                )
                                if cell.key not in seen:
                                    seen.add(cell.key)
                                    yield cell


def run_cell(cell: Cell, *, over: Over = "http") -> dict[str, Any]:
    """The scores of one cell, and a hash of its rows, by which two runs are compared."""
    began = time.monotonic()
    world = Ontology.made(stated_shape(cell.world), seed=cell.seed)
    speaker = OntologySpeaker(world, RecallModel(s=cell.s, **dict(cell.recall)), seed=cell.seed)
    seeds = tuple(Item(**row) for row in speaker.seeds(cell.seed_rows))
    tree = DomainTree.planted("everyday requests", "What people ask of an assistant.")
    tree.put(replace(tree.root, examples=seeds))
    found = Exploration(tree)
    limits = Limits(**{cell.unit: cell.limit})
    with _model(speaker, over) as model:
        growing = explored(WAYS[cell.way], found, model, seeds=seeds, limits=limits, seed=cell.seed)
    score = speaker.score(row.item.instruction for row in found.rows)
    whole = json.dumps([row.to_json() for row in found.rows])
    return (
        asdict(cell)
        | asdict(score)
        | {
            "over": over,
            "tasks": len(found.tree),
            "growing_calls": growing,
            "calls": found.spent.calls,
            "spent_tokens": found.spent.tokens,
            "delivered": len(found.rows) + sum(refusal.kind == "row" for refusal in found.refused),
            "sha": hashlib.sha256(whole.encode()).hexdigest()[:16],
            "seconds": round(time.monotonic() - began, 2),
        }
    )


@contextlib.contextmanager
def _model(speaker: OntologySpeaker, over: Over) -> Iterator[LanguageModel]:
    if over == "process":
        yield OntologyModel(speaker)
        return
    with FakeServer(speaker) as server, Endpoint(server.base_url, "fake", concurrency=IN_FLIGHT) as endpoint:
        yield endpoint
