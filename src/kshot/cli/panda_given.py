"""What the options of ``panda`` mean: a task with its settings, a job, an LLM."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Sequence

    from kshot.data.example import Example
    from kshot.data.task import Task
    from kshot.data.taskfile.settings import EndpointSection, PandaSection
    from kshot.methods.panda.seams import Setting
    from kshot.pipeline.panda.learn_job import LearnJob
    from kshot.pipeline.panda.tables import TableTask

FEW_SHOTS = 3


def setting_of(name: str) -> Setting:
    """One of the paper's four settings; insights and all controls are shown by their explanation."""
    from kshot.methods.panda.seams import Setting

    names = ("zero-shot", "few-shot", "zero-shot-cot", "few-shot-cot")
    chosen = one_of(name, "--setting", names)
    shots = FEW_SHOTS if chosen.startswith("few") else 0
    return Setting(shots=shots, reasoning=chosen.endswith("cot"), render="insight")


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
        InputError: The file cannot be read, or is empty.
    """
    from kshot.errors import InputError

    if path is None:
        return ""
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(f"{path}: cannot be read ({error})") from None
    if not text.strip():
        raise InputError(f"{path}: the guide is empty; without --guide the pool's insights are shown")
    return text


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


def tasks_of(given: dict[str, Any], names: Sequence[str]) -> list[TableTask]:
    """Each named task with what is learned from it; ``tweeteval:FOLDER`` is all tasks there.

    Of TweetEval, an expert ``head`` learns on the train split, and ``--n`` draws from it.

    Raises:
        InputError: A task cannot be read, or ``--rows`` or ``--expert-rows`` stand with several tasks.
    """
    from kshot.cli.places import load_task
    from kshot.data.tweeteval import PREFIX, read_tweeteval, tweeteval_task, tweeteval_tasks
    from kshot.errors import InputError
    from kshot.pipeline.panda.tables import TableTask

    metric = one_of(given.get("metric") or "macro_f1", "--metric", ("macro_f1", "official"))
    found = []
    for name in names:
        if not name.startswith(PREFIX):
            if given.get("metric"):
                raise InputError(f"--metric: {name} is none of TweetEval; its task file names the metric")
            task = load_task(name, k=given["shots"], seed=given["seed"])
            learning = job_of(given, panda=task.settings.panda)
            found.append(TableTask(task=with_options(task, given), learning=learning))
            continue
        for place in tweeteval_tasks(name):
            rows = read_tweeteval(*place)
            task = tweeteval_task(rows, k=given["shots"], seed=given["seed"], metric=metric)
            learning = job_of(given, panda=task.settings.panda, train=rows.train)
            found.append(TableTask(task=with_options(task, given), learning=learning, official=rows.official))
    _check_rows(given, found)
    return found


def one_task_of(given: dict[str, Any]) -> TableTask:
    """The one task that is named, with what is learned from it.

    Raises:
        InputError: As ``tasks_of``; or the name is that of a folder of several tasks.
    """
    from kshot.errors import InputError

    found = tasks_of(given, [given["task"]])
    if len(found) > 1:
        names = ", ".join(one.task.name for one in found)
        raise InputError(f"{given['task']}: there are {len(found)} tasks ({names}); learn one at a time")
    return found[0]


def _check_rows(given: dict[str, Any], found: Sequence[TableTask]) -> None:
    from kshot.errors import InputError

    option = next((name for name in ("rows", "expert_rows") if given[name] is not None), None)
    if len(found) > 1 and option is not None:
        raise InputError(
            f"--{option.replace('_', '-')}: a file of one task's rows, and there are {len(found)} tasks; "
            "run them one by one"
        )


def with_options(loaded: Task, given: dict[str, Any]) -> Task:
    """The task with the options in the places of its settings."""
    sections: dict[str, dict[str, Any] | str] = {}
    if place := given.get("embedder"):
        sections["embedder"] = str(Path(place).absolute()) if Path(place).exists() else place
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


def job_of(
    given: dict[str, Any], *, panda: PandaSection, train: tuple[Example, ...] | None = None
) -> LearnJob:
    """What to learn, with the task file's ways (its section ``panda``) where an option is not given.

    ``train``: a data set's train split, for an expert ``head`` and for ``--n`` where no files are given.
    """
    from kshot.pipeline.panda.learn_job import LearnJob
    from kshot.pipeline.panda.learn_pool import Learning

    heuristics = ("top1", "top2", "top3", "far", "last")
    rules = ("keep", "flag", "drop", "gold_first")
    learning = Learning(
        heuristic=one_of(given["heuristic"] or panda.heuristic, "--heuristic", heuristics),
        ask=one_of(given["ask"], "--ask", ("reason", "reason_without_answer", "strategy")),
        render=render_of(given["render"]),
        gold=one_of(given["gold"] or panda.gold, "--gold", rules),
        min_probability=given["min_probability"],
        min_margin=given["min_margin"],
    )
    return LearnJob(
        learning=learning,
        expert=given["expert"],
        expert_rows=given["expert_rows"] or (train if given["expert"] == "head" else None),
        rows=given["rows"] or (train if given["n"] is not None else None),
        n=given["n"],
        choose=one_of(given["choose"], "--choose", ("stratified", "first", "margin", "diverse")),
    )
