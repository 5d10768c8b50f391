"""``panda ablate scienceworld:LIST``: the paper's tables for interactive tasks."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from kshot.cli.worlds import PREFIX, opened_model

if TYPE_CHECKING:
    from kshot.agents.ablate import Course
    from kshot.pipeline.agents.tables import TablesAsked

PAPER = "paper"
Policy = Annotated[str | None, typer.Option(help="Interactive tasks: react (default), saycan or reflexion.")]
Episodes = Annotated[
    int | None, typer.Option(help="Interactive tasks: test variations each; default 8.", min=1)
]
Rounds = Annotated[
    int | None, typer.Option(help="Interactive tasks: times that each is played; default 1.", min=1)
]
Processes = Annotated[int | None, typer.Option(help="Interactive tasks: episodes at once; default 1.", min=1)]
DryRun = Annotated[
    bool,
    typer.Option("--dry-run", help="Interactive tasks: say what would be played, and its requests at most."),
]
_TEXT_ONLY = (
    "shots", "expert_rows", "rows", "prompts", "gold", "limit", "metric", "heuristic", "others",
)  # fmt: skip
_WORLD_ONLY = ("policy", "episodes", "rounds", "processes")


def is_worlds(tasks: list[str]) -> bool:
    """Whether tasks are interactive ones.

    Raises:
        InputError: Some are and some are not.

    >>> is_worlds(["scienceworld:25,13"]), is_worlds(["task.yaml"])
    (True, False)
    """
    from kshot.errors import InputError

    found = [task.startswith(PREFIX) for task in tasks]
    if any(found) and not all(found):
        other = tasks[found.index(False)]
        raise InputError(f"{other}: interactive tasks and texts do not fit in one table; name them apart")
    return all(found)


def refuse_world_options(given: dict[str, Any]) -> None:
    """Options of interactive tasks are refused where texts are judged.

    Raises:
        InputError: One is given.

    >>> refuse_world_options({"policy": None})
    """
    from kshot.errors import InputError

    for name in _WORLD_ONLY:
        if given.get(name) is not None:
            raise InputError(f"--{name}: belongs to interactive tasks ({PREFIX}TASK); leave it out")
    if given.get("dry_run"):
        raise InputError(
            "--dry-run: only for interactive tasks; `kshot panda learn TASK --dry-run` tells of learning"
        )


def ablate_worlds(given: dict[str, Any]) -> None:
    """Learns, plays and compares; told before is how much that is.

    Args:
        given: The options of ``panda ablate`` by name.

    Raises:
        InputError: A task or an option cannot be used.
        BudgetError: Episodes are missing; the report names them.
        KshotError: Model, environment or disk fail; episodes that have ended are kept.
    """
    from kshot.cli.progress import listener
    from kshot.errors import BudgetError
    from kshot.models.embed import load_embedder
    from kshot.pipeline.agents.estimate import estimate_tables
    from kshot.pipeline.agents.tables import plan_of, world_tables

    _refuse_text_options(given)
    courses = courses_of(given["tasks"])
    asked, out = tables_asked(given, courses), Path(given["out"])
    plan_of(courses, asked)
    embedder = load_embedder(given.get("embedder") or "hashing")
    if given.get("dry_run") and not given.get("llm"):
        _tell(estimate_tables(courses, out, "", embedder, asked), given)
        return
    with opened_model(given) as model:
        estimate = estimate_tables(courses, out, model.id, embedder, asked)
        if given.get("dry_run"):
            _tell(estimate, given)
            return
        print(estimate.sentence, file=sys.stderr)
        _check_java()
        with listener() as listen:
            report, paths = world_tables(courses, out, model, embedder, asked, listener=listen)
    print((paths.json if given.get("as_json") else paths.markdown).read_text(encoding="utf-8"))
    if not given.get("as_json"):
        print(f"report: {paths.html}")
    if report.missing:
        raise BudgetError("\n".join(report.missing))


def courses_of(tasks: list[str]) -> list[Course]:
    """The tasks of lists as ``scienceworld:25,13,2``; ``scienceworld:paper`` is the paper's 20.

    Raises:
        InputError: One does not exist.

    >>> [course.name for course in courses_of(["scienceworld:25,boil"])]
    ['scienceworld:power-component', 'scienceworld:boil']
    """
    from kshot.agents.ablate import scienceworld_course
    from kshot.agents.scienceworld import PAPER_TASKS
    from kshot.errors import InputError

    found: list[Course] = []
    for named in tasks:
        for part in named.removeprefix(PREFIX).split(","):
            numbers: tuple[str | int, ...] = PAPER_TASKS if part.strip() == PAPER else (part,)
            if not part.strip():
                raise InputError(f"{named}: a task is missing between commas; e.g. {PREFIX}25,13,2")
            found.extend(scienceworld_course(number) for number in numbers)
    return found


def tables_asked(given: dict[str, Any], courses: list[Course]) -> TablesAsked:
    """What is to be played, as the options say.

    Raises:
        InputError: An option cannot be used.

    Example::

        tables_asked({"episodes": 10, "rounds": 5}, courses).episodes
    """
    from kshot.agents.ablate import NAMES, QUESTIONS
    from kshot.errors import InputError
    from kshot.pipeline.agents.tables import TablesAsked

    questions = tuple(dict.fromkeys(given.get("questions") or ("render",)))
    if given.get("ask") not in (None, "reason", "reason_without_answer", "strategy"):
        raise InputError(f"--ask: {given['ask']!r} is none of reason, reason_without_answer, strategy")
    expert = given.get("expert") or "gold"
    names = ("policy", "episodes", "rounds", "processes", "seed", "ask", "simulated")
    options = {name: given[name] for name in names if given.get(name) is not None}
    if given.get("n"):
        options["learn_from"] = given["n"]
    if expert != "gold":
        options["paths"] = _expert_paths(Path(expert), courses)
        options["expert"] = f"episodes of {Path(expert).name}"
    place = {"base_url": given.get("llm"), "model": given.get("llm_model")}
    place["api_key_env"] = given.get("api_key_env")
    return TablesAsked(
        conditions=tuple(given.get("conditions") or NAMES),
        questions=QUESTIONS if "all" in questions else () if "none" in questions else questions,
        endpoint={name: value for name, value in place.items() if value},
        **options,
    )


def _expert_paths(path: Path, courses: list[Course]) -> dict[str, dict[int, tuple[str, ...]]]:
    """An agent's actions, by task and variation, from episodes as ``panda act --out`` writes them."""
    from kshot.agents import Episode
    from kshot.errors import InputError

    found: dict[str, dict[int, tuple[str, ...]]] = {course.name: {} for course in courses}
    try:
        lines = path.read_text(encoding="utf-8").split("\n")
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(
            f"--expert {path}: cannot be read ({error}); expected gold, or a file of episodes on train "
            "variations, one JSON line each"
        ) from None
    for number, line in enumerate(lines, 1):
        if not line.strip():
            continue
        try:
            episode = Episode.from_json(json.loads(line))
        except (ValueError, KeyError, TypeError) as error:
            raise InputError(f"--expert {path}, line {number}: is no episode ({error})") from None
        if episode.environment in found and not episode.failed:
            actions = tuple(step.sent for step in episode.steps if step.sent)
            found[episode.environment].setdefault(episode.variation, actions)
    return found


def _refuse_text_options(given: dict[str, Any]) -> None:
    from kshot.errors import InputError

    for name in _TEXT_ONLY:
        if given.get(name) is not None:
            option = {"others": "--other", "shots": "--shots"}.get(name, f"--{name.replace('_', '-')}")
            hint = "; `--question heuristic` compares them" if name == "heuristic" else ""
            raise InputError(f"{option}: does not belong to interactive tasks; leave it out{hint}")
    for name in ("min_probability", "min_margin"):
        if given.get(name):
            raise InputError(f"--{name.replace('_', '-')}: a gold path has no probabilities; leave it out")


def _check_java() -> None:
    from kshot.agents.scienceworld import why_absent
    from kshot.errors import InputError

    if reason := why_absent():
        raise InputError(f"{PREFIX.removesuffix(':')}: {reason}")


def _tell(estimate: Any, given: dict[str, Any]) -> None:
    if given.get("as_json"):
        print(json.dumps(estimate.to_json(), indent=2))
        return
    print(estimate.sentence)
    if not estimate.known:
        print("the paths were not looked at yet: learning is bounded by all the steps that they could have")
