"""``kshot panda learn``: which rows are learned from, by whom, and what it will cost."""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any, Literal, TypeAlias

from kshot.data.example import Example
from kshot.data.formats import read_examples
from kshot.data.rules import check_labels
from kshot.data.selection import Selection
from kshot.data.task import Task
from kshot.errors import InputError
from kshot.methods.panda.learn import question_of
from kshot.methods.panda.learning_rows import by_margin, diverse, first, stratified
from kshot.methods.panda.records import Preference
from kshot.models.asking import Question
from kshot.pipeline.panda.expert import Expert, expert_name, open_expert
from kshot.pipeline.panda.learn_pool import LearnedPool, Learning, learn_pool, lessons_of, prompts_of
from kshot.pipeline.panda.llm import closing_llm, llm_usage
from kshot.pipeline.panda.unpaid import Estimating, Unpaid
from kshot.pipeline.workbench import Workbench
from kshot.runs import Listener, Run, silent

Choose: TypeAlias = Literal["first", "stratified", "margin", "diverse"]
Rows: TypeAlias = Path | tuple[Example, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class LearnJob:
    """What to learn from.

    Attributes:
        expert: ``gold``, ``head``, an adapter of the bank, a folder or a hub id; None as the task says.
        expert_rows: Labelled rows that ``head`` learns on; the shots where none are given.
        rows: Further rows to learn from, labelled or not, in place of the shots.
        n: How many of them; None takes all.
        choose: By which rule.
    """

    learning: Learning = field(default_factory=Learning)
    expert: str | None = None
    expert_rows: Rows | None = None
    rows: Rows | None = None
    n: int | None = None
    choose: Choose = "stratified"


def learn_from_task(task: Task, out: Path, job: LearnJob, *, listener: Listener) -> LearnedPool:
    """Learns a pool from a task's shots, or from rows of a file; goes on where an earlier call stopped.

    Raises:
        InputError: The rows, the expert or the LLM cannot be used.
        BudgetError: A limit was reached; the pool holds what was learned.
    """
    bench = bench_of(task)
    rows, expert, left_out = learning_parts(bench, job)
    try:
        learned = learn_pool(bench, rows, expert, out=out, learning=job.learning, listener=listener)
    finally:
        close(bench, listener)
    return replace(learned, dropped=(*left_out, *learned.dropped))


def planned_questions(task: Task, job: LearnJob) -> tuple[Workbench, list[Question]]:
    """What ``learn_from_task`` would ask the LLM: for an estimate before the first request.

    The expert is asked, as it is local and free; the LLM is not. Where it would be asked for rivals first,
    these questions come first, and the explanations of rows whose rival is not in its journal are counted
    without one.
    """
    bench = bench_of(task)
    llm = bench.llm
    free = Unpaid(llm) if isinstance(llm, Estimating) else None
    try:
        bench.llm = free or llm
        rows, expert, _ = learning_parts(bench, job)
        lessons, _ = lessons_of(rows, expert.prefer(rows), job.learning)
    finally:
        bench.llm = llm
    first = list(free.missing) if free is not None else []
    if job.learning.render == "preference":
        return bench, first
    prompts = prompts_of(bench)
    how = job.learning
    return bench, first + [
        question_of(lesson, prompts=prompts, heuristic=how.heuristic, ask=how.ask) for lesson in lessons
    ]


def estimated(task: Task, job: LearnJob) -> dict[str, Any]:
    """How many questions, how many of them are in the journal, tokens and money at most."""
    bench, questions = planned_questions(task, job)
    try:
        estimate = getattr(bench.llm, "estimate", None)
        facts = asdict(estimate(questions)) if estimate is not None else {"questions": len(questions)}
        return {"answered by": bench.llm.id, **facts}
    finally:
        close(bench)


def bench_of(task: Task) -> Workbench:
    """A workbench without a run: the LLM's replies are kept in the journal, nothing else on the disk."""
    bench = Workbench(task, Run(Path(tempfile.gettempdir()) / "kshot-none", listener=silent))
    bench.journaled = True
    return bench


def rows_at(place: Rows, *, labelled: bool = True) -> tuple[Example, ...]:
    """The rows of a file, or those at hand."""
    return place if isinstance(place, tuple) else read_examples(place, labelled=labelled).examples


def close(bench: Workbench, listener: Listener = silent) -> None:
    """Ends what a workbench has opened, an endpoint's connections and its journal; tells what was spent."""
    with closing_llm(bench):
        steps = llm_usage(bench)
        listener(
            "spent",
            calls=sum(one.calls for one in steps),
            tokens=sum(one.prompt_tokens + one.completion_tokens for one in steps),
            usd=sum(one.usd for one in steps),
        )


def learning_parts(bench: Workbench, job: LearnJob) -> tuple[list[Example], Expert, list[tuple[str, str]]]:
    """The rows that a job learns from, who prefers, and the rows left out, each with its reason.

    Raises:
        InputError: There is no row, all equal test rows, or the expert cannot be used.
    """
    expert = open_expert(
        bench, job.expert or expert_name(bench), learned_on=expert_rows_of(bench, job.expert_rows)
    )
    if job.rows is None:
        rows: Sequence[Example] = bench.labelled
    else:
        rows = rows_at(job.rows, labelled=False)
    if not rows:
        raise InputError(f"{bench.settings.name}: there is no row to learn from")
    if bench.template.labels:
        check_labels([row for row in rows if row.answer], bench.template.labels, are_listed=True)
    free = bench.without_test_rows(rows)
    kept_texts = {row.prompt for row in free}
    left_out = [(row.prompt, "equals a test row") for row in rows if row.prompt not in kept_texts]
    if not free:
        raise InputError("every row equals a test row; nothing is learned from those")
    return _chosen(bench, list(free), expert, job), expert, left_out


def expert_rows_of(bench: Workbench, place: Rows | None) -> tuple[Example, ...]:
    """The rows that an expert ``head`` may learn on: of a file none that comes near a test row.

    Of a data set's own train split those that equal one are kept out, and no more: that is how it is used.
    """
    if place is None:
        return ()
    return bench.without_test_rows(place) if isinstance(place, tuple) else bench.unseen(rows_at(place))


def _chosen(bench: Workbench, rows: list[Example], expert: Expert, job: LearnJob) -> list[Example]:
    if job.n is None or job.n >= len(rows):
        return rows
    return [rows[place] for place in _selection(bench, rows, expert, job).kept]


def _selection(bench: Workbench, rows: list[Example], expert: Expert, job: LearnJob) -> Selection:
    most = job.n or len(rows)
    if job.choose == "first":
        return first(len(rows), most=most)
    if job.choose == "diverse":
        vectors = [bench.embedder.encode([row.prompt for row in some]) for some in (rows, bench.labelled)]
        return diverse(*vectors, most=most)
    if job.choose == "margin":
        return by_margin([sorted_shares(found) for found in expert.prefer(rows)], most=most)
    labels = [row.answer for row in rows]
    if not all(labels):  # unlabelled rows: the expert's answers are the strata; asking it may cost requests
        labels = [found.top.answer for found in expert.prefer(rows)]
    return stratified(labels, label_names=bench.template.labels or sorted(set(labels)), most=most)


def sorted_shares(preference: Preference) -> tuple[float, float]:
    """The probabilities of the first two answers.

    Raises:
        InputError: The expert gives none.
    """
    shares = [candidate.probability for candidate in preference.candidates[:2]]
    if shares[0] is None or (len(shares) > 1 and shares[1] is None):
        raise InputError(
            f"the expert ({preference.expert.kind}) gives no probabilities, so there is no margin"
        )
    return shares[0], (shares[1] or 0.0) if len(shares) > 1 else 0.0
