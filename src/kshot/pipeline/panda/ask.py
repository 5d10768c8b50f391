"""``kshot panda ask``: a pool, an LLM and a text; everything else stands in the pool's header."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from kshot.data.example import Example
from kshot.data.taskfile.settings import EndpointSection
from kshot.data.template import Template
from kshot.errors import InputError
from kshot.methods.panda.answer import Answered, Reader, answer
from kshot.methods.panda.guide import Guide, distil
from kshot.methods.panda.pool import InsightPool, PoolHeader
from kshot.methods.panda.prompts import open_prompts
from kshot.methods.panda.retrieve import Retrieval, open_retriever
from kshot.methods.panda.seams import Prompts, Setting
from kshot.models.base import Embedder, LanguageModel
from kshot.models.embed import load_embedder
from kshot.pipeline.panda.llm import open_endpoint, section


@dataclass(frozen=True, slots=True, kw_only=True)
class Asking:
    """How a pool is asked.

    Attributes:
        llm: In place of the endpoint or model that explained: an endpoint, or a local folder or hub id.
        embedder: Who encodes; None takes the pool's own.
    """

    retrieval: Retrieval = field(default_factory=Retrieval)
    setting: Setting = field(default_factory=Setting)
    shots: tuple[Example, ...] = ()
    guide: str = ""
    llm: EndpointSection | str | None = None
    embedder: str | None = None


def ask_pool(folder: Path, texts: Sequence[str], asking: Asking) -> list[Answered]:
    """The LLM's answers, each with the insights that stood in its prompt.

    Raises:
        InputError: The pool, the LLM or the encoder cannot be used.
    """
    pool = InsightPool.load(folder)
    retrieve = open_retriever(folder, embedder_of(pool.header, asking.embedder), asking.retrieval)
    reader = Reader(
        prompts=prompts_for(pool.header),
        retrieve=retrieve,
        shots=asking.shots,
        setting=asking.setting,
        guide=asking.guide,
    )
    rows = [Example(text, "") for text in texts]
    model = model_of(pool.header, asking.llm)
    try:
        return answer(model, rows, reader)
    finally:
        if hasattr(model, "close"):
            model.close()


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
