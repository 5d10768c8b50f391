"""The open rows that one split learns from: chosen by its shots, told with all that was left and why."""

from __future__ import annotations

import json
import random
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from kshot.data.atomic import write_atomically
from kshot.data.example import Example
from kshot.data.formats import write_examples
from kshot.data.selection import Drop
from kshot.errors import DataError, RunError
from kshot.measure.contamination import Overlap, guard
from kshot.methods.select_data import NOT_NEAREST, REPEAT, DataSelection, Selector, Similarity, select_data
from kshot.models.base import Embedder
from kshot.models.embed.sentence import HASHING
from kshot.pipeline.data_map import Point, Sample, data_map
from kshot.pipeline.open_pool import EmbeddedPool, retrieval_text
from kshot.pipeline.workbench import Workbench
from kshot.runs import write_json

SHOWN_CHARS = 200


@dataclass(frozen=True, slots=True, eq=False)
class DataChoice:
    """The rows that were chosen, the most shot-like first, and everything that was not.

    Attributes:
        rows: The chosen rows; ``source`` says where each stood.
        shots: The shots they were chosen by.
        pool: What they were chosen from.
        selection: Their scores and nearest shots, and what fell; its places are those of
            ``pool.guarded.kept``.
        flagged: Chosen rows whose embedding comes near a protected row: to be looked at.
        points: The map of shots, chosen rows and a sample of the others.
        asked: The options: similarity, gamma, seed, count, threshold, refill.
    """

    rows: tuple[Example, ...]
    shots: tuple[Example, ...]
    pool: EmbeddedPool
    selection: DataSelection
    flagged: tuple[Overlap, ...]
    points: tuple[Point, ...]
    asked: dict[str, Any]

    @property
    def scores(self) -> tuple[float, ...]:
        """Best cosine of each chosen row to any shot."""
        return tuple(self.selection.scores.tolist())

    @property
    def nearest(self) -> tuple[int, ...]:
        """Place of the nearest shot of each chosen row."""
        return tuple(self.selection.nearest.tolist())

    def counts(self) -> dict[str, int]:
        """Rows read, chosen, and dropped by reason."""
        left = len(self.pool.guarded.kept) - len(self.rows) - len(self.selection.repeats)
        fallen = {REPEAT: len(self.selection.repeats), NOT_NEAREST: left}
        total = {"read": len(self.pool.guarded.keys), "chosen": len(self.rows)}
        return total | self.pool.guarded.counts() | {reason: n for reason, n in fallen.items() if n}

    def dropped(self) -> Iterator[Drop]:
        """Every row that was not chosen, in the order of the files.

        A neighbour is a place among all rows that were read; for the guard's drops, one within the group that
        the reason names.
        """
        places, best = self.pool.guarded.kept, self.selection.best
        told = {drop.index: drop for drop in self.pool.guarded.dropped}
        found = self.selection
        repeats = zip(found.repeats, found.repeat_scores, found.repeat_of, strict=True)
        for row, score, owner in repeats:
            told[int(places[row])] = Drop(int(places[row]), REPEAT, float(score), int(places[owner]))
        chosen = set(places[found.kept].tolist())
        at = 0
        for place in range(len(self.pool.guarded.keys)):
            passed = at < len(places) and places[at] == place
            if place in told:
                yield told[place]
            elif place not in chosen:
                yield Drop(place, NOT_NEAREST, float(best[at]))
            at += passed

    def to_json(self) -> dict[str, Any]:
        """Everything but the dropped rows one by one, as plain values."""
        kept: list[dict[str, Any]] = [
            {"id": row.id, "source": row.source, "score": score, "nearest_shot": self.shots[shot].id}
            for row, score, shot in zip(self.rows, self.scores, self.nearest, strict=True)
        ]
        flags: list[dict[str, Any]] = [
            {
                "source": self.rows[flag.row].source,
                "group": flag.group,
                "protected": flag.protected,
                "score": flag.score,
            }
            for flag in self.flagged
        ]
        return {
            "asked": self.asked,
            "encoder": self.pool.embedder.id,
            "text": self.pool.text,
            "files": [file.name for file in self.pool.guarded.files],
            "shots": [shot.id for shot in self.shots],
            "counts": self.counts(),
            "chosen": kept,
            "flagged": flags,
            "points": [point.to_json() for point in self.points],
        }

    def write(self, folder: Path, *, dropped: bool = True) -> None:
        """Writes ``chosen.jsonl``, ``choice.json`` and, a line for each row left, ``dropped.jsonl``.

        Raises:
            DataError: A file of the pool was changed.
            RunError: The folder cannot be written.
        """
        try:
            folder.mkdir(parents=True, exist_ok=True)
            write_examples(folder / "chosen.jsonl", self.rows)
            if dropped:
                write_atomically(folder / "dropped.jsonl", self._dropped_lines())
            write_json(folder / "choice.json", self.to_json())
        except OSError as error:
            raise RunError(f"{folder}: cannot be written ({error.strerror or error})") from error

    def _dropped_lines(self) -> Iterator[bytes]:
        rows = enumerate(self.pool.guarded.rows())
        for drop in self.dropped():
            row = next(row for place, row in rows if place == drop.index)
            score = None if drop.score is None else round(drop.score, 4)
            line: dict[str, Any] = {"source": row.source, "id": row.id, "reason": drop.reason, "score": score}
            line |= {"neighbour": drop.neighbour, "prompt": row.prompt[:SHOWN_CHARS]}
            yield (json.dumps(line, ensure_ascii=False) + "\n").encode("utf-8", "backslashreplace")


def choose_data(
    shots: Sequence[Example],
    pool: EmbeddedPool,
    *,
    count: int = 1000,
    threshold: float = 0.9,
    similarity: Similarity | Selector = "max",
    refill: bool = False,
) -> DataChoice:
    """Chooses rows of a guarded pool by the shots of one split; options as ``select_data``.

    Raises:
        DataError: An option is out of range, there are no shots, or a file of the pool was changed.
    """
    texts = [retrieval_text(shot, instruction=pool.instruction, text=pool.text) for shot in shots]
    vectors = pool.embedder.encode(texts)
    selector = similarity if isinstance(similarity, Selector) else Selector(similarity)
    chosen = select_data(
        vectors, pool.vectors, count=count, threshold=threshold, similarity=selector, refill=refill
    )
    sample = Sample.of(pool, chosen)
    places = pool.guarded.kept[chosen.kept].tolist()
    read = _read(pool, {*places, *(place for some in sample.places.values() for place in some)})
    rows = tuple(read[place] for place in places)
    points = data_map(shots, vectors, pool, sample=sample, rows=read, scores=chosen.best)
    asked = asdict(selector) | {"count": count, "threshold": threshold, "refill": refill}
    flagged = guard(rows, pool.guarded.protected, embedder=pool.embedder).flagged
    return DataChoice(rows, tuple(shots), pool, chosen, flagged, points, asked)


def data_embedder(bench: Workbench, named: str | None = None) -> Embedder:
    """Who embeds the open rows: as named, else as the task file says under data, else the task's embedder.

    ``model`` is the base model's last hidden states. No vectors are remembered here: a store does that.

    Raises:
        ModelError: The encoder cannot be used, or the task file names no base model.
    """
    from kshot.models.embed import load_embedder

    given = named or bench.settings.data.embedder
    if given == "model":
        from kshot.models.embed.hidden import HiddenStateEmbedder

        return HiddenStateEmbedder(bench.model)
    if given is None:
        return load_embedder(bench.embedder_path)
    return load_embedder(given if named or given == HASHING else str(bench.settings.resolve(given)))


def training_rows(
    shots: Sequence[Example], chosen: Sequence[Example], *, kshot_repeat: int = 1, seed: int = 0
) -> tuple[Example, ...]:
    """What is learned from: each chosen row once, each shot ``kshot_repeat`` times, shuffled by the seed.

    Raises:
        DataError: ``kshot_repeat`` is below 1.

    >>> len(training_rows([Example("2 + 2", "4")], [Example("3 + 3", "6")], kshot_repeat=2))
    3
    """
    if kshot_repeat < 1:
        raise DataError(f"kshot_repeat is {kshot_repeat}, expected at least 1")
    rows = [*shots] * kshot_repeat + [*chosen]
    random.Random(seed).shuffle(rows)
    return tuple(rows)


def _read(pool: EmbeddedPool, places: set[int]) -> dict[int, Example]:
    return {place: row for place, row in enumerate(pool.guarded.rows()) if place in places}
