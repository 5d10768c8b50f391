"""Two files of answers judged: joined, asked about, compared with people, told."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from kshot.data.taskfile.settings import EndpointSection
from kshot.errors import RunError
from kshot.measure.judge import (
    CRITERIA,
    Joined,
    Judged,
    agreement,
    figures,
    join_answers,
    judge_pairs,
    read_answers,
    read_human,
)
from kshot.measure.judge.wording import Language
from kshot.models.base import LanguageModel
from kshot.pipeline.panda.llm import open_endpoint
from kshot.report.judge import JudgeReport, shown_pairs
from kshot.runs import Listener, silent

if TYPE_CHECKING:
    from kshot.models.endpoint import Budget


@dataclass(frozen=True, slots=True, kw_only=True)
class JudgeJob:
    """What is judged, and by whom.

    Attributes:
        a: A file of answers.
        b: Another one, to the same questions.
        llm: The judge: an endpoint, a local model's folder or hub id, or any ``LanguageModel``.
        names: Of A and B; default: the files' names.
        human: A file of people's verdicts on the same ids.
        criteria: One line each; default: the spec's four.
        language: Of the judge's instructions.
        seed: Of the bootstrap, and handed to the judge.
        budget: Of an endpoint.
        simulated: Whether the judge is a simulation.
    """

    a: Path
    b: Path
    llm: EndpointSection | LanguageModel | str
    names: tuple[str, str] | None = None
    human: Path | None = None
    criteria: tuple[str, ...] = ()
    language: Language = "en"
    seed: int = 0
    budget: Budget | None = None
    simulated: bool = False


def judge_files(job: JudgeJob, *, listener: Listener = silent) -> tuple[JudgeReport, Judged]:
    """Judges two files of answers, and gives the report and every verdict.

    Raises:
        DataError: A file cannot be read, or the files do not go together.
        InputError: The judge cannot be used.
        RunError: Not one verdict came.

    Example::

        report, judged = judge_files(JudgeJob(a=Path("a.jsonl"), b=Path("b.jsonl"), llm=endpoint))
    """
    first, second = read_answers(job.a), read_answers(job.b)
    joined = join_answers(first, second)
    people = None if job.human is None else read_human(job.human)
    name = f"{job.a.name} against {job.b.name}"
    with _opened(job) as model:
        judged = judge_pairs(
            model, joined.pairs, criteria=job.criteria, language=job.language, seed=job.seed,
            listen=lambda done, of: listener("answering", name=name, done=done, of=of),
        )  # fmt: skip
    _check(judged)
    authors = tuple(sorted({row.model for row in (*first, *second) if row.model}))
    report = JudgeReport(
        names=job.names or _names(job),
        judge=judged.judge,
        figures=figures(judged.tally, places=judged.places, seed=job.seed),
        places=judged.places,
        by=joined.by,
        only=(joined.only_a, joined.only_b),
        agreement=None if people is None else agreement(judged.pairs, people, seed=job.seed),
        answered_by=authors,
        criteria=job.criteria or CRITERIA[job.language],
        cost=(judged.calls, judged.tokens, judged.usd),
        failed=judged.failed,
        unjudged=judged.unjudged,
        stopped=judged.stopped,
        pairs=shown_pairs(joined.pairs, judged),
        simulated=job.simulated,
    )
    return report, judged


def pairs_of(a: Path, b: Path) -> Joined:
    """Two files of answers, joined.

    Raises:
        DataError: As ``judge_files``.

    Example::

        pairs_of(Path("a.jsonl"), Path("b.jsonl")).pairs
    """
    return join_answers(read_answers(a), read_answers(b))


def _names(job: JudgeJob) -> tuple[str, str]:
    return (job.a.stem, job.b.stem) if job.a.stem != job.b.stem else (str(job.a), str(job.b))


def _check(judged: Judged) -> None:
    asked = [pair for pair in judged.pairs if not pair.is_equal]
    if judged.stopped and not asked:
        raise RunError(f"no pair could be judged: {judged.stopped}")
    if asked and judged.failed == 2 * len(asked):
        raise RunError(f"no verdict came; the first reason: {asked[0].errors[0]}")


@contextmanager
def _opened(job: JudgeJob) -> Iterator[LanguageModel]:
    if not isinstance(job.llm, EndpointSection | str):
        yield job.llm
        return
    made: Any
    if isinstance(job.llm, EndpointSection):
        made = open_endpoint(job.llm, budget=job.budget)
    else:
        from kshot.models.endpoint import local_endpoint
        from kshot.models.hf import HfModel
        from kshot.models.journal import default_journal

        made = local_endpoint(HfModel.load(job.llm), journal=default_journal())
    try:
        yield made
    finally:
        made.close()
