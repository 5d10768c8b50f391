"""TweetEval's tasks as this benchmark needs them: rows for the head, shots as rankings, predictions."""

from __future__ import annotations

import random
import tempfile
from dataclasses import dataclass
from pathlib import Path

from benchmarks.cocktail_encoder.training import drawn
from benchmarks.tweets.__main__ import TASKS, prepare, rows_of
from kshot.data.ranking import Ranking
from kshot.models.classifier.head import EmbeddingHead
from kshot.models.embed.sentence import SentenceEmbedder

Row = dict[str, str]
HEAD_ROWS = 400


@dataclass(frozen=True, slots=True)
class Task:
    """One task: label names, cleaned training rows, the validation rows that shots come from, test rows."""

    name: str
    labels: list[str]
    train: list[Row]
    validation: list[Row]
    test: list[Row]

    @property
    def answers(self) -> list[str]:
        """Of the test rows."""
        return [row["label"] for row in self.test]


def read_tasks(data: Path) -> list[Task]:
    """All tasks; what repeats a test text is left out of train and validation."""
    found = []
    for name in TASKS:
        source = data / "tweeteval" / name
        with tempfile.TemporaryDirectory() as scratch:
            labels, train, test = prepare(source, Path(scratch) / name, name)
        asked = {_folded(row["text"]) for row in test}
        validation = [
            row for row in rows_of(source / "validation.jsonl") if _folded(row["text"]) not in asked
        ]
        found.append(Task(name, labels, train, validation, test))
    return found


def shots_of(task: Task, count: int, *, seed: int) -> list[Ranking]:
    """``count`` labelled rows as rankings among themselves: the next of its label is a row's positive, rows
    of other labels are its negatives. Each label gives two rows at least, the rest is drawn.
    """
    draw = random.Random(f"{task.name} {seed}")
    order = draw.sample(task.validation, len(task.validation))
    chosen: list[Row] = []
    for label in task.labels:
        chosen += [row for row in order if row["label"] == label][:2]
    chosen += [row for row in order if row not in chosen][: count - len(chosen)]
    rankings = []
    for place, row in enumerate(chosen):
        turned = [*chosen[place + 1 :], *chosen[:place]]
        same = [other["text"] for other in turned if other["label"] == row["label"]]
        others = tuple(other["text"] for other in turned if other["label"] != row["label"])
        rankings.append(Ranking(row["text"], (same[0],), others, id=f"{task.name} {place}"))
    return rankings


def predicted(folder: Path, task: Task) -> list[str]:
    """The labels of a head on this encoder's vectors for the test rows."""
    embedder = SentenceEmbedder(folder)
    rows = drawn(task.train, HEAD_ROWS, seed=0)
    texts, labels = [row["text"] for row in rows], [row["label"] for row in rows]
    head = EmbeddingHead.fit(embedder, texts, labels, label_names=task.labels)
    shares = head.predict_proba([row["text"] for row in task.test])
    return [task.labels[place] for place in shares.argmax(axis=1)]


def _folded(text: str) -> str:
    return " ".join(text.casefold().split())
