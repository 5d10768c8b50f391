"""``python -m benchmarks.expert_choice [--out FILE]``: experts chosen for the mixed task, rule by rule.

Every usable adapter of the miniature's bank is scored once on all 300 labelled rows; each draw takes K of
them. The three right experts are those of the task's trades; a near-copy counts as its original.
"""

from __future__ import annotations

import argparse
import itertools
import tempfile
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np

from kshot import miniature
from kshot.data.draw import shuffled
from kshot.data.task import Task
from kshot.methods.experts import Candidates, ShotTable, select, select_covering
from kshot.pipeline.choose_experts import choose_experts
from kshot.pipeline.workbench import Workbench
from kshot.runs import Run

SIZES, SHOTS = (3, 4), (5, 20, 50)
DRAWS = [(seed, draw) for seed in range(5) for draw in range(3)]
FURTHER = [(seed, draw) for seed in range(5, 55) for draw in range(3)]
Choose: TypeAlias = Callable[[dict[str, ShotTable], int], tuple[int, ...]]


def tables() -> tuple[dict[str, ShotTable], list[str]]:
    """Every adapter in question on all rows, by kind of similarity; and the ids of the rows."""
    task = Task.load(miniature.task_file("mixed"), k=300)
    found = {}
    with tempfile.TemporaryDirectory() as place:
        run = Run(Path(place) / "run", listener=lambda event, **fields: None)
        with run.open():
            bench = Workbench(task, run)
            for kind in ("delta", "ab_signed", "ab_abs"):
                settings = task.settings.experts.model_copy(update={"similarity": kind, "rule": "accuracy"})
                found[kind] = choose_experts(bench, task.shots, settings=settings).table
    return found, [shot.id for shot in task.shots]


def originals() -> dict[str, str]:
    """Adapter to the right expert that it is, or repeats."""
    truth = miniature.truth()
    right = set(truth.tasks["mixed"]["helps"])
    known = {name: facts["copy_of"] or name for name, facts in truth.adapters.items()}
    return {name: original for name, original in known.items() if original in right}


def drawn(table: ShotTable, ids: list[str], k: int, draw: tuple[int, int]) -> ShotTable:
    """The table of K rows; the first draw of a seed is the one that ``--seed`` gives."""
    columns = shuffled(ids, seed=draw[0], repeat=draw[1])[:k]
    return ShotTable(table.right[:, columns], table.target_loss[:, columns], table.similarity, table.names)


def by_rule(found: dict[str, ShotTable], size: int, *, rule: Any, kind: str = "delta") -> tuple[int, ...]:
    """What a rule of the package chooses."""
    if rule == "coverage":
        return select_covering(found[kind], size=size).chosen
    return select(found[kind].candidates, size=size, rule=rule).chosen


def by_loss(found: dict[str, ShotTable], size: int) -> tuple[int, ...]:
    """The paper's rule with exp(mean loss) in place of the mean of exp(loss)."""
    table = found["delta"]
    perplexity = np.exp(table.target_loss.mean(axis=1))
    return select(Candidates(perplexity, table.right.mean(axis=1), table.similarity), size=size).chosen


def alg1(
    found: dict[str, ShotTable], size: int, *, ties: str, mean_loss: bool, alone: bool = False
) -> tuple[int, ...]:
    """Alg. 1 restated, with another rank for ties; ``alone``: copies of one adapter count once."""
    from scipy.stats import rankdata

    table = found["delta"]
    alike = table.similarity > 0.999
    places = [at for at in range(len(alike)) if not alone or not alike[at, :at].any()]
    loss, right = table.target_loss[places], table.right[places]
    perplexity = np.exp(loss.mean(axis=1)) if mean_loss else np.exp(loss).mean(axis=1)
    ranks = rankdata(perplexity, method=ties) + rankdata(-right.mean(axis=1), method=ties)
    pool = np.lexsort((perplexity, ranks))[:8]
    groups = list(itertools.combinations(sorted(pool.tolist()), size))
    pairs = list(itertools.combinations(range(size), 2))
    similarity = table.similarity[np.ix_(places, places)]
    mean = [round(float(np.mean([similarity[g[a], g[b]] for a, b in pairs])), 9) for g in groups]
    diversity = rankdata(mean, method="min")
    totals = [
        (sum(ranks[list(g)]) + diversity[i], sum(ranks[list(g)]), mean[i]) for i, g in enumerate(groups)
    ]
    return tuple(places[at] for at in groups[min(range(len(groups)), key=lambda i: (*totals[i], groups[i]))])


def at_random() -> Choose:
    """The random rule with a new seed each time."""
    seeds = itertools.count()

    def choose(found: dict[str, ShotTable], size: int) -> tuple[int, ...]:
        return select(found["delta"].candidates, size=size, rule="random", seed=next(seeds)).chosen

    return choose


RULES: dict[str, Choose] = {
    "coverage": partial(by_rule, rule="coverage"),
    "paper, delta": partial(by_rule, rule="paper"),
    "paper, ab_signed": partial(by_rule, rule="paper", kind="ab_signed"),
    "released-code, delta": partial(by_rule, rule="released-code"),
    "released-code, ab_abs": partial(by_rule, rule="released-code", kind="ab_abs"),
    "ranks (paper without diversity)": partial(by_rule, rule="ranks"),
    "accuracy": partial(by_rule, rule="accuracy"),
    "perplexity": partial(by_rule, rule="perplexity"),
    "random": at_random(),
}
REASONS: dict[str, Choose] = {
    "Alg. 1 as it is": partial(alg1, ties="min", mean_loss=False),
    "copies count once": partial(alg1, ties="min", mean_loss=False, alone=True),
    "exp(mean loss) as perplexity": by_loss,
    "tied experts share the mean place": partial(alg1, ties="average", mean_loss=False),
    "tied experts share the last place": partial(alg1, ties="max", mean_loss=False),
    "exp(mean loss), mean place": partial(alg1, ties="average", mean_loss=True),
    "exp(mean loss), last place": partial(alg1, ties="max", mean_loss=True),
}


def cells(found: dict[str, ShotTable], ids: list[str], choose: Choose, k: int) -> Iterator[str]:
    """For each size: draws of 15 with all three (mean of right trades); share of 150 further ones."""
    right = originals()
    names = found["delta"].names
    for size in SIZES:
        hits = []
        for draw in DRAWS + FURTHER:
            chosen = choose({kind: drawn(table, ids, k, draw) for kind, table in found.items()}, size)
            hits.append(len({right[names[at]] for at in chosen if names[at] in right}))
        first, further = hits[: len(DRAWS)], hits[len(DRAWS) :]
        share = np.mean([count == 3 for count in further])
        yield f"{first.count(3)} ({np.mean(first):.1f})"
        yield f"{100 * share:.0f} %"


def main() -> None:
    """Prints both tables as they grow; writes them to --out at the end."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.expert_choice")
    parser.add_argument("--out", type=Path)
    options = parser.parse_args()
    found, ids = tables()
    header = [
        "| rule | K | 3 of 3: draws of 15 | further draws | 3 of 4: draws of 15 | further draws |",
        "|---|--:|--:|--:|--:|--:|",
    ]
    lines = []
    for title, rules in (("rule", RULES), ("Alg. 1", REASONS)):
        lines += ["", *(line.replace("rule", title) for line in header)]
        for name, choose in rules.items():
            for k in SHOTS:
                lines.append(f"| {name} | {k} | {' | '.join(cells(found, ids, choose, k))} |")
                print(lines[-1], flush=True)
    if options.out:
        options.out.write_text("\n".join(lines[1:]) + "\n", encoding="utf-8")
    print("\n".join(lines[1:]))


if __name__ == "__main__":
    main()
