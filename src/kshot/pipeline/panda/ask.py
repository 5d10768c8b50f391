"""``kshot panda ask``: a pool, an LLM and a text; everything else stands in the pool's header."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from kshot.data.example import Example
from kshot.data.rules import check_labels
from kshot.data.taskfile.settings import EndpointSection
from kshot.data.template import Template
from kshot.errors import InputError
from kshot.methods.panda.answer import Answered, Reader, answer
from kshot.methods.panda.cascade import cascade
from kshot.methods.panda.guide import Guide, distil
from kshot.methods.panda.pool import InsightPool, PoolHeader
from kshot.methods.panda.prompts import open_prompts
from kshot.methods.panda.retrieve import Retrieval, open_retriever
from kshot.methods.panda.seams import Prompts, Setting
from kshot.methods.panda.usefulness import Usefulness, measure_usefulness, with_counters
from kshot.models.base import Classifier, Embedder, LanguageModel
from kshot.models.embed import load_embedder
from kshot.pipeline.panda.llm import open_endpoint, section


@dataclass(frozen=True, slots=True, kw_only=True)
class Asking:
    """How a pool is asked.

    Attributes:
        llm: In place of the endpoint or model that explained: an endpoint, or a local folder or hub id.
        embedder: Who encodes; None takes the pool's own.
        expert: A classifier's folder: it answers where ``draws`` of the LLM do not agree (a cascade).
        guide: Rules for the whole task; they stand in place of retrieved insights.
        say: Told what was found and mended when the pool was opened, in whole sentences.
    """

    retrieval: Retrieval = field(default_factory=Retrieval)
    setting: Setting = field(default_factory=Setting)
    shots: tuple[Example, ...] = ()
    guide: str = ""
    llm: EndpointSection | str | None = None
    embedder: str | None = None
    expert: str | None = None
    draws: int = 3
    say: Callable[[str], None] = lambda note: None


def ask_pool(folder: Path, texts: Sequence[str], asking: Asking) -> list[Answered]:
    """The LLM's answers, each with the insights that stood in its prompt.

    With an expert, an answer that is the expert's says so in its ``note``, and ``reply`` is the first draw.

    Raises:
        InputError: The pool, the LLM or the encoder cannot be used.
    """
    rows = [Example(text, "") for text in texts]
    reader, header = reader_of(folder, asking)
    expert = expert_of(asking.expert, header, asking.embedder) if asking.expert else None
    model = model_of(header, asking.llm)
    try:
        if expert is None:
            return answer(model, rows, reader)
        return _cascaded(model, rows, reader, expert, asking.draws)
    finally:
        if hasattr(model, "close"):
            model.close()


def reader_of(folder: Path, asking: Asking) -> tuple[Reader, PoolHeader]:
    """How a pool's folder puts rows, and its header."""
    header = InsightPool.load(folder).header
    retrieve = None
    if not asking.guide:
        retrieve = open_retriever(folder, embedder_of(header, asking.embedder), asking.retrieval)
        for note in retrieve.notes:
            asking.say(note)
    reader = Reader(
        prompts=prompts_for(header),
        retrieve=retrieve,
        shots=asking.shots,
        setting=asking.setting,
        guide=asking.guide,
    )
    return reader, header


def expert_of(place: str, header: PoolHeader, embedder: str | None = None) -> Classifier:
    """A classifier by folder or hub id, or a saved head over the pool's encoder.

    Raises:
        InputError: It cannot be used, or has a label that is none of the pool's.
    """
    from kshot.models.classifier import EmbeddingHead, TransformersClassifier

    found: Classifier
    if (Path(place) / "head.json").is_file():
        found = EmbeddingHead.load(place, embedder_of(header, embedder))
    else:
        found = TransformersClassifier.load(place)
    if foreign := sorted(set(found.labels) - set(header.labels)):
        raise InputError(
            f"{place}: its label {foreign[0]!r} is none of the pool's ({', '.join(header.labels)})"
        )
    return found


def _cascaded(
    model: LanguageModel, rows: Sequence[Example], reader: Reader, expert: Classifier, draws: int
) -> list[Answered]:
    def answers(some: Sequence[Example]) -> list[str]:
        best = expert.predict_proba([row.prompt for row in some]).argmax(axis=1)
        return [expert.labels[place] for place in best]

    found = cascade(model, rows, reader, expert=answers, draws=draws)
    drawn = found.drawn
    told = [f"the expert's; {share:.0%} of the draws agreed" for share in found.agreement]
    return [
        Answered(row.id, found.answers[at], drawn.replies[at][0], drawn.retrieved[at],
                 told[at] if found.asked[at] else "")
        for at, row in enumerate(rows)
    ]  # fmt: skip


def template_of(header: PoolHeader) -> Template:
    """The words around a row, as the task of a pool had them.

    Raises:
        InputError: The pool is of an interactive task, or was imported and names no task.
    """
    if header.kind == "agent":
        raise InputError("this pool is of an interactive task; `kshot panda act` plays with it")
    return Template(instruction=header.instruction, kind=header.kind, labels=tuple(header.labels))


def prompts_for(header: PoolHeader) -> Prompts:
    """The wording that a pool's own header names."""
    return open_prompts(template_of(header), style=header.prompts)


def embedder_of(header: PoolHeader, named: str | None = None) -> Embedder:
    """The encoder of a pool: as named, else the one that its header names, else the hashing one."""
    return load_embedder(named or header.embedder or "hashing")


def model_of(header: PoolHeader, named: EndpointSection | str | None = None) -> LanguageModel:
    """Who answers: as given, else who explained.

    Raises:
        InputError: The header names nobody, and nobody is given.
    """
    if isinstance(named, EndpointSection):
        return open_endpoint(named)
    facts: dict[str, Any] = dict(header.endpoint)
    if not named and not facts.get("model"):
        raise InputError("the pool names no LLM; give --llm URL --llm-model NAME, or --llm FOLDER")
    if named or not facts.get("base_url"):  # a pool that was learned by a local model names its folder
        from kshot.models.hf import HfModel

        return HfModel.load(str(named or facts["model"]))
    return open_endpoint(section(facts["base_url"], facts["model"], api_key_env=facts.get("api_key_env")))


def distil_pool(
    folder: Path, *, token_budget: int, embedder: str | None = None, llm: EndpointSection | str | None = None
) -> Guide:
    """A pool compiled into one guide by the LLM that explained it, or by another.

    Raises:
        InputError: The pool, the LLM or the encoder cannot be used.
    """
    pool = InsightPool.load(folder)
    model = model_of(pool.header, llm)
    try:
        return distil(
            model,
            pool.insights,
            embedder=embedder_of(pool.header, embedder),
            task=pool.header.instruction,
            token_budget=token_budget,
        )
    finally:
        if hasattr(model, "close"):
            model.close()


def measure_pool(folder: Path, rows: Sequence[Example], asking: Asking) -> tuple[InsightPool, Usefulness]:
    """A pool whose counters tell how often each insight helped and hurt on held-out shots.

    Raises:
        InputError: A row has no answer, or the pool, the LLM or the encoder cannot be used.
    """
    if lacking := next((row for row in rows if not row.answer), None):
        raise InputError(f"{lacking.source or lacking.prompt[:40]!r}: has no answer to judge by")
    reader, header = reader_of(
        folder, replace(asking, retrieval=replace(asking.retrieval, leave_one_out=True))
    )
    template, pool = template_of(header), InsightPool.load(folder)
    if header.labels:
        check_labels(rows, header.labels, are_listed=True)
    model = model_of(header, asking.llm)
    try:
        found = measure_usefulness(model, rows, reader, gold=[template.gold(row) for row in rows])
    finally:
        if hasattr(model, "close"):
            model.close()
    return pool.with_insights(with_counters(pool.insights, found.counters)), found
