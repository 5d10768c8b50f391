"""What the verbs for interactive tasks open: the task by its name, and the LLM."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from kshot.methods.panda.pool import PoolHeader
    from kshot.models.base import LanguageModel

PREFIX = "scienceworld:"


def world_task(env: str, where: str) -> str:
    """The name of a task given as ``scienceworld:`` and its name or number.

    Raises:
        InputError: It is another environment or no task, or ScienceWorld cannot run here, with the reason.

    Example::

        world_task("scienceworld:6", "--env")
    """
    from kshot.agents.scienceworld import task_named, why_absent
    from kshot.errors import InputError

    if not env.startswith(PREFIX):
        raise InputError(f"{where}: {env!r}; expected {PREFIX}TASK, e.g. {PREFIX}find-living-thing")
    name = task_named(env.removeprefix(PREFIX))[1]
    if reason := why_absent():
        raise InputError(f"{env}: {reason}")
    return name


@contextmanager
def opened_model(given: dict[str, Any], header: PoolHeader | None = None) -> Iterator[LanguageModel]:
    """The LLM that the options name, else the one that a pool names; closed at the end.

    Raises:
        InputError: None is named, or an option cannot be used.

    Example::

        with opened_model({"llm": "http://127.0.0.1:8000/v1", "llm_model": "m"}) as model:
            model.generate(conversations)
    """
    from kshot.errors import InputError
    from kshot.methods.panda.pool import PoolHeader
    from kshot.models.endpoint import Budget
    from kshot.pipeline.panda.ask import model_of
    from kshot.pipeline.panda.llm import open_endpoint, section

    place = str(given["llm"]) if given.get("llm") else None
    model: LanguageModel
    if place is None or not place.startswith(("http://", "https://")):
        model = model_of(header or PoolHeader(PREFIX, "agent"), place)
    elif not given.get("llm_model"):
        raise InputError("--llm-model is missing: what is the model called at that endpoint?")
    else:
        described = section(
            place,
            given["llm_model"],
            api_key_env=given.get("api_key_env"),
            concurrency=given.get("concurrency") or 16,
            prices=(given.get("prompt_usd"), given.get("completion_usd")),
        )
        limits = {name: given.get(name) for name in ("calls", "tokens", "usd")}
        model = open_endpoint(described, budget=Budget(**limits))
    try:
        yield model
    finally:
        if hasattr(model, "close"):
            model.close()
