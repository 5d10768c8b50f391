"""``kshot panda ablate scienceworld:LIST``: learn, play, compare, report; goes on where it stopped."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from kshot.agents.ablate import (
    NAMES,
    Course,
    EpisodeStore,
    Ground,
    Plan,
    Player,
    PlaySettings,
    Pools,
    PoolSettings,
    kept_ground,
    planned,
    surveyed,
)
from kshot.errors import InputError
from kshot.methods.panda.records import content_id
from kshot.methods.panda.seams import Ask
from kshot.models.base import Embedder, LanguageModel
from kshot.models.endpoint import StepUsage
from kshot.pipeline.agents.told import Told, agent_report, pool_facts, survey_notes
from kshot.report.agents import AgentReport, write_agent_report
from kshot.report.write import ReportPaths
from kshot.runs import Listener, code_hash

EPISODES = "episodes.jsonl"


@dataclass(frozen=True, slots=True, kw_only=True)
class TablesAsked:
    """What is to be played.

    Attributes:
        policy: Of the conditions.
        episodes: Test variations a task; the release takes 10.
        rounds: Times that each is played; the release takes 5.
        processes: Environments at once.
        learn_from: Train variations a task; the release takes 50.
        seed: Of rivals, shuffling, the weaker expert and the bootstrap.
        paths: Another expert's actions, by task and train variation; empty: the gold paths.
        expert: What that expert is called.
        endpoint: For the pools' headers: address, model, the key's variable.
    """

    policy: str = "react"
    episodes: int = 8
    rounds: int = 1
    processes: int = 1
    learn_from: int = 10
    conditions: tuple[str, ...] = NAMES
    questions: tuple[str, ...] = ("render",)
    ask: Ask = "reason"
    seed: int = 0
    simulated: bool = False
    paths: Mapping[str, Mapping[int, tuple[str, ...]]] = field(default_factory=dict)
    expert: str = "gold paths"
    endpoint: Mapping[str, Any] = field(default_factory=dict)


def world_tables(
    courses: Sequence[Course],
    out: Path,
    model: LanguageModel,
    embedder: Embedder,
    asked: TablesAsked,
    *,
    listener: Listener,
) -> tuple[AgentReport, ReportPaths]:
    """Plays every cell of the tables and writes the report into ``out``; a rerun plays what is missing.

    A spent budget ends the playing, not the report: it holds what there is and names what is missing.

    Raises:
        InputError: A task, an option or the environment cannot be used.
        ModelError: The LLM cannot be used; episodes that have ended are kept.
        RunError, DataError: The folder cannot be used.

    Example::

        world_tables([scienceworld_course(25)], Path("tables"), endpoint, embedder, TablesAsked(),
                     listener=silent)
    """
    plan = plan_of(courses, asked)
    grounds = surveys(courses, out, asked)
    by_name = {course.name: course for course in courses}
    pool_settings = PoolSettings(
        folder=out / "pools", ask=asked.ask, seed=asked.seed, endpoint=asked.endpoint, told=listener
    )
    settings = PlaySettings(
        examples=out / "examples", rounds=asked.rounds, processes=asked.processes, told=listener
    )
    with EpisodeStore(out / EPISODES) as store:
        pools = Pools(grounds, model, embedder, pool_settings)
        player = Player(by_name, grounds, model, pools, store, settings)
        cells = {(task, arm): player.cell(task, arm) for task, arm in plan.cells()}
    told = Told(
        model=model.id, seed=asked.seed, simulated=asked.simulated, usage=_usage(model),
        facts=(*_facts(asked, model, embedder), *pool_facts(pools, grounds)),
        notes=(*survey_notes(grounds, pools.failed), *_notes(asked)), leaves=_leaves(model),
        provenance=_provenance(embedder),
    )  # fmt: skip
    report = agent_report(plan, cells, grounds, told)
    return report, write_agent_report(report, out)


def plan_of(courses: Sequence[Course], asked: TablesAsked) -> Plan:
    """What is to be played.

    Raises:
        InputError: A task stands twice, or a policy, condition or question does not exist.

    Example::

        len(plan_of(courses, TablesAsked()).cells())
    """
    names = [course.name for course in courses]
    if twice := next((name for name in names if names.count(name) > 1), None):
        raise InputError(f"{twice}: stands in the list twice")
    return planned(names, policy=asked.policy, conditions=asked.conditions, questions=asked.questions)


def surveys(courses: Sequence[Course], out: Path, asked: TablesAsked) -> dict[str, Ground]:
    """What is known of each task, replayed where no file holds it; several tasks at once.

    Raises:
        InputError: The environment cannot run here, or nothing can be learnt from.
        DataError, RunError: A file cannot be used.

    Example::

        surveys([scienceworld_course(25)], Path("tables"), TablesAsked())["scienceworld:power-component"]
    """

    def survey(course: Course) -> Ground:
        paths = asked.paths.get(course.name)
        if asked.paths and not paths:
            raise InputError(f"{course.name}: the expert has no episode of this task")
        return kept_ground(
            survey_path(course, out, asked),
            lambda: surveyed(
                course, learn_from=asked.learn_from, episodes=asked.episodes, seed=asked.seed, paths=paths
            ),
        )

    with ThreadPoolExecutor(max_workers=max(1, asked.processes)) as pool:
        found = list(pool.map(survey, courses))
    return {ground.task: ground for ground in found}


def survey_path(course: Course, out: Path, asked: TablesAsked) -> Path:
    """Where a task's survey lies; its name's hash tells surveys of other settings apart.

    Example::

        survey_path(scienceworld_course(25), Path("tables"), TablesAsked()).is_file()
    """
    paths = sorted(asked.paths.get(course.name, {}).items())
    digest = content_id(course.name, asked.learn_from, asked.episodes, asked.seed, paths)
    slug = "".join(letter if letter.isalnum() else "-" for letter in course.name)
    return out / "surveys" / f"{slug}-{digest[:8]}.json"


def _facts(asked: TablesAsked, model: LanguageModel, embedder: Embedder) -> tuple[tuple[str, str], ...]:
    return (
        ("LLM", model.id + (" (simulated)" if asked.simulated else "")),
        ("policy", asked.policy),
        ("expert", f"{asked.expert} of up to {asked.learn_from} train variations a task"),
        ("judged on", f"up to {asked.episodes} test variations a task, {asked.rounds} rounds"),
        ("insights in a prompt", "1, looked up at each step"),
        ("encoder", embedder.id),
    )


def _notes(asked: TablesAsked) -> tuple[str, ...]:
    found = ["One LLM was asked: a general claim needs three or more."]
    if asked.episodes < 10 or asked.rounds < 5:
        found.append("The release judges 10 test variations, each five times; here there are fewer.")
    return tuple(found)


def _usage(model: LanguageModel) -> tuple[StepUsage, ...]:
    usage = getattr(model, "usage", None)
    return tuple(usage()) if callable(usage) else ()


def _leaves(model: LanguageModel) -> tuple[str, ...]:
    address = getattr(model, "base_url", None)
    if address is None:
        return ()
    return (f"Every prompt, with what the agents saw and did, went to {address} ({model.id}).",)


def _provenance(embedder: Embedder) -> dict[str, str]:
    from kshot.agents.explanations import EpisodePrompts
    from kshot.agents.prompt import wording_id

    return {
        "code": code_hash(), "agent prompts": wording_id(), "learning prompt": EpisodePrompts().id,
        "encoder": embedder.id,
    }  # fmt: skip
