"""The weights of a stand-alone mix: members scored on the examples, weights found, alpha swept."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from kshot.errors import InputError
from kshot.methods.cocktail import AlphaChoice, final_weights, recommend_alpha
from kshot.methods.cocktail.objective import Objective
from kshot.models.checkpoint.parts import Member, MixPlan
from kshot.models.checkpoint.resident import ResidentMix, joint_rows, score_members
from kshot.models.checkpoint.resident_memory import fits
from kshot.models.kinds.base import ExampleLosses, KindName, Rows
from kshot.models.kinds.checks import check_rows
from kshot.models.kinds.options import KindOptions
from kshot.pipeline.mix.job import MixJob, Weighing
from kshot.pipeline.mix.weigh import Weighed, weigh
from kshot.runs import Listener

Weights = NDArray[np.float64]
ALPHAS = tuple(step / 10 for step in range(11))


@dataclass(frozen=True, slots=True, eq=False)
class Found:
    """The weights of all members, and how they came about.

    Attributes:
        weights: (N,) or, with a fine-tuned model, (N + 1,) with its alpha last.
        weighed: Of base and peers; None where weights were given by hand.
        losses: Of base and peers on the examples, each by itself.
        alpha: Of the fine-tuned model, where there is one.
        sweep: How alpha was chosen, where that was asked for.
        notes: What the reader must know.
    """

    weights: tuple[float, ...]
    weighed: Weighed | None = None
    losses: tuple[ExampleLosses, ...] = ()
    alpha: float | None = None
    sweep: AlphaChoice | None = None
    notes: tuple[str, ...] = ()


def find_weights(job: MixJob, plan: MixPlan, *, listener: Listener) -> Found:
    """The weights that a job asks for, by hand or from its examples.

    Models are held in memory together only where the rule asks for the mix's own loss.

    Raises:
        DataError: Examples do not fit the kind of the models.
        ModelError: A model cannot be loaded or gives a loss that is no number.
    """
    for rows in (job.examples, job.general):
        if rows is not None:
            check_rows(rows, _kind(plan))
    resident, untold = _opened(job, plan)
    losses: Sequence[ExampleLosses] = ()
    weighed, peers = None, np.array([])
    if job.weighs:
        rows, size = _rows(job.examples), job.weighing.batch_size
        listener("measuring", models=job.peers, examples=len(rows))
        losses = _scored(job, plan, resident, rows)
        objective = resident.objective(rows, batch_size=size) if resident else None
        weighed = _weighed(job, plan, losses, objective, listener)
        peers = weighed.weights
    else:
        peers = np.array(job.by_hand())
    notes = tuple(dict.fromkeys([*job.unused, *untold, *(note for each in losses for note in each.notes)]))
    if job.alpha is None:
        return Found(tuple(map(float, peers)), weighed, tuple(losses), notes=notes)
    sweep = None if job.alpha != "auto" or resident is None else swept(job, resident, peers)
    alpha = sweep.alpha if sweep is not None else float(job.alpha)
    weights = tuple(map(float, final_weights(peers, alpha)))
    return Found(weights, weighed, tuple(losses), alpha, sweep, notes)


def swept(job: MixJob, resident: ResidentMix, peers: Weights) -> AlphaChoice:
    """The target and general losses of the mix at eleven shares of the fine-tuned model, and the choice.

    Both ends take part, so that no mixing can win. Losses on the examples are selection scores.

    Source: LM-Cocktail (arXiv 2311.13534), equation 1.
    """
    tables = []
    for rows in (_rows(job.examples), _rows(job.general)):
        ask = resident.objective(rows, batch_size=None)
        tables.append([ask(_with(peers, alpha), range(len(rows))) for alpha in ALPHAS])
    return recommend_alpha(ALPHAS, tables[0], tables[1], higher_is_better=False)


def alpha_curve(sweep: AlphaChoice, *, target_count: int, general_count: int) -> dict[str, Any]:
    """A sweep as the report's page of the alpha curve wants it."""
    rows = sweep.rows()

    def curve(what: str, count: int) -> Mapping[str, Any]:
        errors = [row[f"{what}_error"] for row in rows]
        return {
            "mean": [row[what] for row in rows],
            "error": None if None in errors else errors,
            "n": count,
            "name": f"loss on the {what} examples",
        }

    return {
        "alphas": [row["alpha"] for row in rows],
        "target": curve("target", target_count),
        "general": curve("general", general_count),
        "higher_is_better": sweep.higher_is_better,
        "chosen": sweep.alpha,
        "reason": sweep.reason,
        "selection": True,
    }


def _with(peers: Weights, alpha: float) -> Weights:
    return np.asarray(final_weights(peers, alpha))


def _opened(job: MixJob, plan: MixPlan) -> tuple[ResidentMix | None, tuple[str, ...]]:
    """Members in memory, where the mix itself is to be asked; or why it will not be.

    Weights that need no answer of a mix are found without; its loss is then told where memory allows.
    """
    needed = job.alpha == "auto" or (job.weighs and not job.weighing.in_one_pass)
    if not needed:
        if not job.weighs or job.weighing.compatible:
            return None, ()
        if not fits(_held(job, plan), base=plan.base, device=job.device):
            return None, ("the loss of the mix was not taken: the models do not fit into memory together",)
    members, options = _held(job, plan), _options(job.weighing)
    return ResidentMix.open(members, _kind(plan), base=plan.base, device=job.device, options=options), ()


def _held(job: MixJob, plan: MixPlan) -> Sequence[Member]:
    """Base and peers; the fine-tuned model too where alpha is asked for, or where its layout is taken."""
    return plan.members if job.alpha == "auto" or plan.base >= job.peers else plan.members[: job.peers]


def _scored(job: MixJob, plan: MixPlan, resident: ResidentMix | None, rows: Rows) -> Sequence[ExampleLosses]:
    size = job.weighing.batch_size
    if resident is not None:
        return resident.own_losses(rows, batch_size=size, first=job.peers)
    options = _options(job.weighing)
    return score_members(
        plan.members[: job.peers], _kind(plan), rows, device=job.device, options=options, batch_size=size
    )


def _weighed(
    job: MixJob,
    plan: MixPlan,
    losses: Sequence[ExampleLosses],
    objective: Objective | None,
    listener: Listener,
) -> Weighed:
    asked, peers_alone = 0, len(_held(job, plan)) == job.peers

    def ask(weights: Weights, rows: Sequence[int]) -> Weights:
        nonlocal asked
        if objective is None:
            return np.full(len(rows), np.nan)
        asked += 1
        listener("mixing", name="weights", mixes=asked)
        found: Weights = objective(weights if peers_alone else _with(weights, 0.0), rows)
        return found

    names = [member.name for member in plan.members[: job.peers]]
    how, table = job.weighing, np.array([each.each for each in losses])
    joint = joint_rows(_kind(plan), how.batch_size)
    size = how.batch_size or len(table[0])
    numbers = np.array([each.mean(how.aggregate, batch_size=size) for each in losses])
    return weigh(names, table, ask, how, numbers=numbers, joint=joint)


def _options(how: Weighing) -> KindOptions:
    return KindOptions(
        max_input_length=how.max_input_length,
        neg_number=how.neg_number,
        seed=how.seed,
        boundary="paper" if how.compatible else "exact",
        pooling="compat" if how.compatible else "own",
    )


def _kind(plan: MixPlan) -> KindName:
    return plan.kind  # type: ignore[return-value]


def _rows(rows: Rows | None) -> Rows:
    if not rows:
        raise InputError("there are no examples; expected at least one labelled row")
    return rows
