"""``panda act``: agents in interactive tasks, with insights and without."""

from __future__ import annotations

import json
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, cast, get_args

import typer

from kshot.cli import panda_options as asked
from kshot.cli.learn_episodes import learn_episodes
from kshot.cli.worlds import opened_model, world_task

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from kshot.agents import Agent, Difference, Episode, Played
    from kshot.agents.loop import Lookup

World = Annotated[str, typer.Option("--env", metavar="scienceworld:TASK", help="Task by name or number.")]
PoolOf = Annotated[
    Path | None, typer.Option("--pool", help="A pool of insights for the prompt; without: none.")
]
Policy = Annotated[str, typer.Option(help="react, saycan or reflexion.")]
Episodes = Annotated[int, typer.Option(help="Test variations, the first of the released order.", min=1)]
Rounds = Annotated[int, typer.Option(help="Times that each is played; the release takes 5.", min=1)]
Processes = Annotated[int, typer.Option(help="Episodes at once, each with a Java machine.", min=1)]
Insights = Annotated[int, typer.Option("--k", help="Insights in a prompt.", min=1)]
Stop = Annotated[
    str,
    typer.Option(help="When an agent counts as stuck: circles, or two_of_five as SwiftSage has it."),
]
Compare = Annotated[bool, typer.Option("--compare", help="Play without insights too, and compare.")]
Out = Annotated[Path | None, typer.Option("--out", help="Write every episode here, one JSON line each.")]


def act(
    env: World,
    pool: PoolOf = None,
    policy: Policy = "react",
    episodes: Episodes = 10,
    rounds: Rounds = 1,
    processes: Processes = 1,
    k: Insights = 1,
    stop: Stop = "circles",
    render: asked.Render = "both",
    embedder: asked.Embedder = None,
    compare: Compare = False,
    out: Out = None,
    llm: asked.Llm = None,
    llm_model: asked.LlmModel = None,
    api_key_env: asked.ApiKeyEnv = None,
    concurrency: asked.Concurrency = 16,
    prompt_usd: asked.PromptUsd = None,
    completion_usd: asked.CompletionUsd = None,
    calls: asked.MaxCalls = None,
    tokens: asked.MaxTokens = None,
    usd: asked.MaxUsd = None,
    as_json: asked.AsJson = False,
) -> None:
    """Let an LLM act in an interactive task, with the insights that are nearest to each situation."""
    given = locals()
    with _writer(out) as keep:
        played = _played(given, keep)
    difference = None
    if compare:
        from kshot.agents import score_difference

        difference = score_difference(played["insights"].evaluation, played["none"].evaluation)
    _print(played, difference, as_json=as_json)


def _played(given: dict[str, Any], keep: Callable[[Episode], None]) -> dict[str, Played]:
    """With insights, without them, or both, under these names."""
    from dataclasses import replace

    from kshot.agents import Agent, strategy_named
    from kshot.agents.scienceworld import prepare
    from kshot.agents.stopping import StopRule
    from kshot.errors import InputError
    from kshot.methods.panda.pool import InsightPool
    from kshot.methods.panda.seams import Render

    task, pool, render = world_task(given["env"], "--env"), given["pool"], given["render"]
    strategy = strategy_named(given["policy"])
    if render not in get_args(Render):
        raise InputError(f"--render: {render!r} is none of {', '.join(get_args(Render))}")
    if given["stop"] not in get_args(StopRule):
        raise InputError(f"--stop: {given['stop']!r} is none of {', '.join(get_args(StopRule))}")
    if given["compare"] and pool is None:
        raise InputError("--compare compares with and without insights; give a pool with --pool")
    header = InsightPool.load(pool).header if pool is not None else None
    if header is not None and header.kind != "agent":
        raise InputError(
            f"{pool}: is a pool of {header.kind} ({header.task}), and no agent's; see panda learn"
        )
    look = _lookup(pool, given["k"], given["embedder"]) if pool is not None else None
    with opened_model(given, header) as model:
        prepared = prepare(task, episodes=given["episodes"], thinker=model if strategy.thoughts else None)
        agent = Agent(model, strategy, look, prepared.example.text, cast(Render, render))
        agent = replace(agent, stop=given["stop"])
        agents = {"insights" if look else "none": agent}
        if given["compare"]:
            agents["none"] = replace(agent, insights=None)
        return {name: _play(task, one, prepared.variations, given, keep) for name, one in agents.items()}


def _lookup(pool: Path, k: int, embedder: str | None) -> Lookup:
    from kshot.methods.panda.pool import InsightPool
    from kshot.methods.panda.retrieve import Retrieval, open_retriever
    from kshot.pipeline.panda.ask import embedder_of

    encoder = embedder_of(InsightPool.load(pool).header, embedder)
    return open_retriever(pool, encoder, Retrieval(k=k)).nearest


def _play(
    task: str,
    agent: Agent,
    variations: tuple[int, ...],
    given: dict[str, Any],
    keep: Callable[[Episode], None],
) -> Played:
    from kshot.agents import play
    from kshot.agents.scienceworld import ScienceWorldMaker

    maker = ScienceWorldMaker(task)
    return play(maker, agent, variations, rounds=given["rounds"], processes=given["processes"], told=keep)


@contextmanager
def _writer(out: Path | None) -> Iterator[Callable[[Episode], None]]:
    """Keeps each episode as it ends, so that a stop loses none."""
    from kshot.errors import RunError

    if out is None:
        yield lambda episode: None
        return
    try:
        with out.open("w", encoding="utf-8") as file:

            def keep(episode: Episode) -> None:
                file.write(json.dumps(episode.to_json(), ensure_ascii=False) + "\n")
                file.flush()

            yield keep
    except OSError as error:
        raise RunError(f"{out}: cannot be written ({error.strerror or error})") from error


def _print(played: dict[str, Played], difference: Difference | None, *, as_json: bool) -> None:
    from dataclasses import asdict

    if as_json:
        facts: dict[str, Any] = {name: asdict(one.evaluation) for name, one in played.items()}
        facts |= {f"{name}_stopped": one.stopped for name, one in played.items() if one.stopped}
        facts["difference"] = asdict(difference) if difference else None
        print(json.dumps(facts, ensure_ascii=False, indent=1))
        return
    from kshot.cli.tables import print_table

    columns = (
        "insights",
        "policy",
        "episodes",
        "score",
        "95 % interval",
        "best",
        "solved",
        "steps",
        "requests",
    )
    print_table(columns, (_cells(name, one) for name, one in played.items()))
    for name, one in played.items():
        found = one.evaluation
        if found.failed:
            print(f"{name}: {found.failed} episodes failed and are in no mean")
        if one.stopped:
            print(f"{name}: stopped with {one.left} episodes left: {one.stopped}")
    if difference:
        between = f"{difference.value:+.1f} points, 95 % {_range(difference.interval)}, p {difference.p:.3f}"
        print(f"insights less none: {between}, {difference.variations} variations")


def _cells(name: str, played: Played) -> tuple[object, ...]:
    found = played.evaluation
    return (
        name, found.strategy, found.episodes, f"{found.score:.1f}", _range(found.interval),
        f"{found.best:.1f}",
        f"{100 * found.success_share:.0f} %", f"{found.steps:.1f}", found.usage.asked,
    )  # fmt: skip


def _range(interval: tuple[float, float] | None) -> str:
    return "" if interval is None else f"[{interval[0]:.1f}, {interval[1]:.1f}]"


__all__ = ["act", "learn_episodes"]
