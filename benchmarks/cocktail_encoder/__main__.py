"""``python -m benchmarks.cocktail_encoder --data DIR --work DIR [--draws 1] [--out FILE]``.

DIR holds ``tweeteval/<task>/{train,validation,test}.jsonl`` and ``labels.txt``. all-MiniLM-L6-v2 is
fine-tuned on two tasks, then mixed; every encoder is judged by a logistic head on its vectors, macro-F1 on
the whole test split. ``--work`` keeps trained encoders and predictions: a run that was stopped goes on where
it was.
"""

from __future__ import annotations

import argparse
import json
import tempfile
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from statistics import mean

from benchmarks.cocktail_encoder.mixes import Weights, from_shots, mixed, opened
from benchmarks.cocktail_encoder.tasks import Task, predicted, read_tasks, shots_of
from benchmarks.cocktail_encoder.training import base_folder, trained
from kshot.measure.metrics import evaluate
from kshot.measure.statistics import compare_predictions, score_interval

TARGETS = ("emotion", "offensive")
SIZES = (8, 20)
METRIC = "macro_f1"
FIXED: dict[str, Weights] = {
    "base": (1.0, 0.0, 0.0),
    "tuned on emotion": (0.0, 1.0, 0.0),
    "tuned on offensive": (0.0, 0.0, 1.0),
    "uniform soup": (1 / 3, 1 / 3, 1 / 3),
    "emotion, alpha 0.5": (0.5, 0.5, 0.0),
    "offensive, alpha 0.5": (0.5, 0.0, 0.5),
}
RULES = ("best single", "cocktail, temperature 5", "cocktail, auto", "greedy soup", "uniform soup")
Predict = Callable[[Task, Weights], list[str]]


def predictions(work: Path, folders: Sequence[Path], task: Task, weights: Weights) -> list[str]:
    """The test labels by the mix of these weights; what an earlier call found is taken as it is."""
    kept = work / "predictions" / task.name / ("-".join(f"{weight:.6f}" for weight in weights) + ".json")
    if not kept.is_file():
        with mixed(folders, weights) as folder:
            found = predicted(folder, task)
        kept.parent.mkdir(parents=True, exist_ok=True)
        kept.write_text(json.dumps(found), encoding="utf-8")
    labels: list[str] = json.loads(kept.read_text(encoding="utf-8"))
    return labels


def score(task: Task, repeats: list[list[str]]) -> float:
    """Macro-F1 alone."""
    return mean(evaluate(METRIC, one, task.answers, labels=task.labels) for one in repeats)


def cell(task: Task, repeats: list[list[str]], base: list[str]) -> str:
    """Macro-F1 with its interval; a star or a dagger where it is better or worse than the base."""
    value, (low, high) = score_interval(METRIC, repeats, task.answers, labels=task.labels)
    against = compare_predictions(
        METRIC, repeats, [base] * len(repeats), task.answers, labels=task.labels, margin=0.0
    )
    sign = "" if against.interval[0] <= 0 <= against.interval[1] else "*" if against.difference > 0 else "†"
    return f"{value:.3f}{sign} [{low:.3f}, {high:.3f}]"


def fixed_table(tasks: list[Task], predict: Predict) -> list[str]:
    """One row a task, one column an encoder of ``FIXED``."""
    lines = [f"| task | n | {' | '.join(FIXED)} |", f"|---|--:|{'--:|' * len(FIXED)}"]
    for task in tasks:
        base = predict(task, FIXED["base"])
        cells = [cell(task, [predict(task, weights)], base) for weights in FIXED.values()]
        lines.append(f"| {task.name} | {len(task.test)} | {' | '.join(cells)} |")
        print(lines[-1], flush=True)
    untouched = [task for task in tasks if task.name not in TARGETS]
    means = [mean(score(task, [predict(task, one)]) for task in untouched) for one in FIXED.values()]
    lines.append(f"| mean of the {len(untouched)} untouched | | {' | '.join(f'{m:.3f}' for m in means)} |")
    return lines


def shots_table(
    tasks: list[Task], predict: Predict, weights: dict[str, dict[str, Weights]], draws: int
) -> list[str]:
    """One row a task and K, one column a rule; several draws of shots are averaged."""
    lines = [f"| task | K | {' | '.join(RULES)} |", f"|---|--:|{'--:|' * len(RULES)}"]
    for task in tasks:
        base = predict(task, FIXED["base"])
        for count in SIZES:
            cells = []
            for rule in RULES:
                found = [weights[f"{task.name} {count} {draw}"][rule] for draw in range(draws)]
                cells.append(cell(task, [predict(task, one) for one in found], base))
            lines.append(f"| {task.name} | {count} | {' | '.join(cells)} |")
            print(lines[-1], flush=True)
    for count in SIZES:
        found = [
            [weights[f"{task.name} {count} {draw}"][rule] for task in tasks for draw in range(draws)]
            for rule in RULES
        ]
        of = [task for task in tasks for _ in range(draws)]
        means = [mean(score(t, [predict(t, w)]) for t, w in zip(of, rule, strict=True)) for rule in found]
        lines.append(f"| mean of all | {count} | {' | '.join(f'{m:.3f}' for m in means)} |")
    return lines


def weights_of(
    work: Path, folders: list[Path], tasks: list[Task], draws: int
) -> dict[str, dict[str, Weights]]:
    """Each rule's weights for each task, K and draw of shots; kept in ``work``."""
    kept = work / "weights.json"
    found: dict[str, dict[str, Weights]] = json.loads(kept.read_text()) if kept.is_file() else {}
    mix = opened(folders, most_negatives=max(SIZES))
    for task in tasks:
        for count in SIZES:
            for draw in range(draws):
                key = f"{task.name} {count} {draw}"
                if key not in found:
                    found[key] = dict(from_shots(mix, shots_of(task, count, seed=draw)))
                    kept.write_text(json.dumps(found, indent=1), encoding="utf-8")
                    shown = {r: [round(x, 3) for x in found[key][r]] for r in RULES[1:4]}
                    print(key, shown, flush=True)
    return {key: {rule: tuple(w) for rule, w in rules.items()} for key, rules in found.items()}


def main() -> None:
    """Prints the tables as they grow; writes them to --out at the end."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.cocktail_encoder")
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--work", type=Path)
    parser.add_argument("--draws", type=int, default=1)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--out", type=Path)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as scratch:
        work = options.work or Path(scratch)
        work.mkdir(parents=True, exist_ok=True)
        tasks = read_tasks(options.data)
        rows = {task.name: task.train for task in tasks}
        tuned = [trained(work, name, rows[name], seed=options.seed) for name in TARGETS]
        folders = [base_folder(), *tuned]
        predict = partial(predictions, work, folders)
        lines = fixed_table(tasks, predict)
        weights = weights_of(work, folders, tasks, options.draws)
        lines += ["", *shots_table(tasks, predict, weights, options.draws)]
    if options.out:
        options.out.write_text("\n".join(lines) + "\n", encoding="utf-8")
    print("\n".join(lines))


if __name__ == "__main__":
    main()
