"""What the options of ``panda`` mean: a task with its settings, a job, an LLM."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from kshot.data.task import Task
    from kshot.data.taskfile.settings import EndpointSection
    from kshot.pipeline.panda.learn_job import LearnJob


def render_of(name: str) -> Any:
    """What is shown of an insight."""
    return one_of(name, "--render", ("insight", "preference", "both"))


def one_of(name: str, option: str, names: tuple[str, ...]) -> Any:
    """The name, where it is one of a closed list.

    Raises:
        InputError: It is none of them.
    """
    from kshot.errors import InputError

    if name not in names:
        raise InputError(f"{option}: {name!r} is none of {', '.join(names)}")
    return name


def guide_text(path: Path | None) -> str:
    """The text of a guide; empty where no file is given.

    Raises:
        InputError: The file cannot be read.
    """
    from kshot.errors import InputError

    if path is None:
        return ""
    try:
        return path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(f"{path}: cannot be read ({error})") from None


def llm_of(given: dict[str, Any]) -> EndpointSection | str:
    """The endpoint or local model that the options name."""
    from kshot.errors import InputError
    from kshot.pipeline.panda.llm import section

    place = str(given["llm"])
    if not place.startswith(("http://", "https://")):
        return place
    if not given["llm_model"]:
        raise InputError("--llm-model is missing: what is the model called at that endpoint?")
    prices = (given.get("prompt_usd"), given.get("completion_usd"))
    return section(
        place,
        given["llm_model"],
        api_key_env=given["api_key_env"],
        concurrency=given.get("concurrency", 16),
        prices=prices,
    )


def task_of(given: dict[str, Any]) -> Task:
    """The task with the options in the places of its settings."""
    from kshot.cli.places import task_path
    from kshot.data.task import Task

    loaded = Task.load(task_path(given["task"]), k=given["shots"], seed=given["seed"])
    sections: dict[str, dict[str, Any]] = {}
    if given["llm"]:
        found = llm_of(given)
        if isinstance(found, str):
            sections["model"] = {"base": found if "/" not in found else str(Path(found).absolute())}
            sections["knowledge"] = {"llm": None}
        else:
            sections["knowledge"] = {"llm": found.model_dump(exclude_unset=True)}
    limits = {name: given[name] for name in ("calls", "tokens", "usd") if given[name] is not None}
    if limits:
        sections["budget"] = limits
    if given["prompts"]:
        sections["panda"] = {"prompts": given["prompts"]}
    return loaded.with_sections(**sections) if sections else loaded


def job_of(given: dict[str, Any]) -> LearnJob:
    """What to learn, with the task file's ways where an option is not given."""
    from kshot.pipeline.panda.learn_job import LearnJob
    from kshot.pipeline.panda.learn_pool import Learning

    heuristics = ("top1", "top2", "top3", "far", "last")
    rules = ("keep", "flag", "drop", "gold_first")
    learning = Learning(
        heuristic=one_of(given["heuristic"] or "top2", "--heuristic", heuristics),
        ask=one_of(given["ask"], "--ask", ("reason", "reason_without_answer", "strategy")),
        render=render_of(given["render"]),
        gold=one_of(given["gold"] or "flag", "--gold", rules),
        min_probability=given["min_probability"],
        min_margin=given["min_margin"],
    )
    return LearnJob(
        learning=learning,
        expert=given["expert"],
        expert_rows=given["expert_rows"],
        rows=given["rows"],
        n=given["n"],
        choose=one_of(given["choose"], "--choose", ("stratified", "first", "margin", "diverse")),
    )
