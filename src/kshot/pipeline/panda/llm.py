"""Who explains and answers: the LLM behind an endpoint, journaled and budgeted, or a local model."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from kshot.data.taskfile.settings import EndpointSection
from kshot.errors import InputError
from kshot.models.base import LanguageModel

if TYPE_CHECKING:
    from kshot.models.endpoint import Budget, Endpoint, StepUsage
    from kshot.models.journal import Journal
    from kshot.pipeline.workbench import Workbench


def section(
    base_url: str,
    model: str,
    *,
    api_key_env: str | None = None,
    concurrency: int = 16,
    prices: tuple[float | None, float | None] = (None, None),
) -> EndpointSection:
    """An endpoint as a task file describes it, checked as there; ``prices`` in USD per million tokens.

    Raises:
        InputError: A value cannot be used.
    """
    from pydantic import ValidationError

    try:
        return EndpointSection(
            base_url=base_url,
            model=model,
            api_key_env=api_key_env,
            concurrency=concurrency,
            prompt_usd=prices[0],
            completion_usd=prices[1],
        )
    except ValidationError as error:
        first = error.errors(include_input=False, include_url=False)[0]
        where = ".".join(str(part) for part in first["loc"])
        raise InputError(f"endpoint: {where}: {first['msg']}") from None


def open_endpoint(
    asked: EndpointSection, *, journal: Journal | Path | None = None, budget: Budget | None = None
) -> Endpoint:
    """The endpoint of a task file's section ``knowledge: llm``.

    Raises:
        InputError: The environment variable is not set, or money is limited without prices.
    """
    from kshot.models.endpoint import Endpoint, EndpointOptions, Prices
    from kshot.models.journal import default_journal, default_mode

    if (asked.prompt_usd is None) != (asked.completion_usd is None):
        raise InputError("endpoint: one of prompt_usd and completion_usd is missing; give both prices")
    prices = None
    if asked.prompt_usd is not None and asked.completion_usd is not None:
        prices = Prices(asked.prompt_usd, asked.completion_usd)
    return Endpoint(
        asked.base_url,
        asked.model,
        journal=default_journal() if journal is None else journal,
        concurrency=asked.concurrency,
        budget=budget,
        options=EndpointOptions(api_key_env=asked.api_key_env, prices=prices, journal_mode=default_mode()),
    )


def llm_of(bench: Workbench) -> LanguageModel:
    """The LLM that a task file names under ``knowledge``; its base model where it names none.

    Raises:
        InputError: The endpoint cannot be used.
        ModelError: There is neither an endpoint nor a base model.
    """
    from kshot.models.endpoint import Budget, local_endpoint
    from kshot.models.journal import default_journal

    named = bench.settings.knowledge.llm
    if named is None and not bench.journaled:
        return bench.model
    if named is None:
        return local_endpoint(bench.model, journal=default_journal())
    limits = bench.settings.budget
    budget = Budget(calls=limits.calls, tokens=limits.tokens, usd=limits.usd)
    return open_endpoint(named, budget=budget)


def llm_identity(bench: Workbench) -> str:
    """What answers of the LLM depend on, without opening it."""
    named = bench.settings.knowledge.llm
    return bench.base_identity if named is None else f"{named.base_url} {named.model}"


def llm_usage(bench: Workbench) -> tuple[StepUsage, ...]:
    """What the endpoint was asked by this process, by step; nothing where none was opened."""
    usage = getattr(vars(bench).get("llm"), "usage", None)
    return usage() if usage is not None else ()


@contextmanager
def closing_llm(bench: Workbench) -> Iterator[None]:
    """Ends an endpoint's connections, and its journal, at the end, where one was opened."""
    try:
        yield
    finally:
        close = getattr(vars(bench).get("llm"), "close", None)
        if close is not None:
            close()
