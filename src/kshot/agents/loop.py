"""The one loop in which every agent acts, with insights and without.

ReAct, SayCan and Reflexion differ in ``strategies.STRATEGIES`` alone: observation text, prompt, budget of the
history, stop rule, caps and grounding are the same, so that a difference between two runs is that of the
insights or of the strategy.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import TypeAlias

from kshot.agents.acting import carry_out, draw
from kshot.agents.base import Environment, State, WorldError
from kshot.agents.episode import NOTHING, SOLVED, Ended, Episode, Step, Usage, final_score
from kshot.agents.observation import observation_text, query_key
from kshot.agents.prompt import (
    ACKNOWLEDGED,
    THOUGHT,
    Count,
    Situation,
    Turn,
    action_prompt,
    estimated_tokens,
    insight_text,
    reflection_prompt,
)
from kshot.agents.stopping import StopRule, Tried, is_stuck
from kshot.agents.strategies import REFLECTION_TOKENS, Strategy
from kshot.methods.panda.records import Insight
from kshot.methods.panda.seams import Render, Retrieved
from kshot.models.asking import Decoding, Question, replies
from kshot.models.base import LanguageModel, Reply

Lookup: TypeAlias = Callable[[str], Retrieved]
STEPS_A_MOVE = 2


@dataclass(frozen=True, slots=True)
class Agent:
    """Who acts, and how requests are put.

    Attributes:
        model: Who is asked.
        strategy: ReAct, SayCan or Reflexion.
        insights: From the text of a key to what a pool holds near it; None: no pool.
        example: A solved task, as prompts show it.
        render: How an insight is shown.
        budget: Tokens of a request, as ``count`` counts them; the history loses its oldest steps over it.
            The default is the released 4,096 less the reply's 50 and 10 to spare.
        stop: When an agent counts as stuck; equal for all that are compared.
        count: From text to tokens.
    """

    model: LanguageModel
    strategy: Strategy
    insights: Lookup | None = None
    example: str = ""
    render: Render = "both"
    budget: int | None = 4096 - 50 - 10
    stop: StopRule = "circles"
    count: Count = field(default=estimated_tokens, repr=False)


def run_episode(environment: Environment, agent: Agent, variation: int, *, repeat: int = 0) -> Episode:
    """Acts in one variation until it is solved, lost, over a limit, or stuck.

    An episode ends at 100, below 0, when the environment says so, when moves exceed its limit, after twice
    as many steps as that (looking and refused actions cost no move, so such a loop would never end), and
    when the agent goes in circles (``is_stuck``). Reflexion begins it again up to three times,
    with notes of what went wrong, and the trial with the best last score is kept (of equals that with the
    best score before a loss, then the first).

    Args:
        environment: Where.
        agent: Who.
        variation: Which episode of the environment.
        repeat: Tells rounds over the same variation apart, where replies are drawn or journaled.

    Source: spec of PANDA, section 9. The release's agents differ in stop rule, budget and observation text.

    Example::

        with closing(ScienceWorld("find-living-thing")) as world:
            print(run_episode(world, Agent(model, strategy_named("react")), 120).score)
    """
    trials: list[Episode] = []
    reflections: tuple[str, ...] = ()
    usage, most = NOTHING, agent.strategy.trials
    for trial in range(most):
        episode = _trial(environment, agent, variation, reflections, repeat * most + trial)
        usage += episode.usage
        trials.append(episode)
        if episode.score >= SOLVED or episode.failed or trial + 1 == most:
            break
        note = _reflect(agent, episode, reflections)
        usage = usage.plus(note)
        reflections += (note.text.strip(),) if note.text.strip() else ()
    best = max(trials, key=lambda episode: (episode.score, final_score(episode)))
    return best.with_usage(usage, trials=len(trials))


@dataclass(slots=True)
class _Running:
    """A trial under way."""

    state: State
    key: str
    steps: list[Step]
    turns: list[Turn]
    tried: list[Tried]
    usage: Usage = NOTHING
    error: str = ""


def _trial(
    environment: Environment, agent: Agent, variation: int, reflections: tuple[str, ...], repeat: int
) -> Episode:
    name = agent.strategy.name
    try:
        state = environment.reset(variation)
    except WorldError as error:
        return Episode(environment.name, variation, name, ended="environment", error=str(error))
    first = observation_text(state, first=True)
    running = _Running(state, query_key(first), [], [], [])
    situation = Situation(first, example=agent.example, reflections=reflections)
    ended = _ended(environment, agent, running)
    while ended is None:
        try:
            ended = _step(environment, agent, running, situation, repeat) or _ended(
                environment, agent, running
            )
        except WorldError as error:
            ended, running.error = "environment", str(error)
    return Episode(
        environment.name, variation, name, first, tuple(running.steps),
        (state.score, *(step.score for step in running.steps)), ended, running.error, reflections,
        usage=running.usage,
    )  # fmt: skip


def _step(
    environment: Environment, agent: Agent, running: _Running, situation: Situation, repeat: int
) -> Ended | None:
    """One line of the agent, and the world's answer; an ending where the model gives none."""
    shown = _shown(agent, running.key)
    now = replace(situation, turns=tuple(running.turns), insights=insight_text(shown, render=agent.render))
    conversation = action_prompt(now, agent.strategy, budget=agent.budget, count=agent.count)
    drawn = draw(agent.model, conversation, agent.strategy, repeat=repeat)
    running.usage += drawn.usage
    if drawn.error:
        running.error = drawn.error
        return "model"
    ids = tuple(insight.id for insight in shown)
    if not drawn.actions:
        _keep_thought(running, drawn.thought, ids)
        return None
    done = carry_out(environment, drawn.actions, before=running.state)
    text = observation_text(done.state)
    said = done.sent or drawn.actions[0]
    if done.kind in ("own", "grounded"):
        running.key = query_key(text)
    running.state = done.state
    running.tried.append((said, text))
    running.turns.append(Turn(said, text))
    running.steps.append(
        Step(drawn.actions[0], done.sent, done.kind, text, done.state.score, done.state.moves, ids)
    )
    return None


def _keep_thought(running: _Running, thought: str, ids: tuple[str, ...]) -> None:
    running.turns.append(Turn(f"{THOUGHT} {thought}", ACKNOWLEDGED))
    state = running.state
    running.steps.append(Step(thought, "", "thought", ACKNOWLEDGED, state.score, state.moves, ids))


def _shown(agent: Agent, key: str) -> tuple[Insight, ...]:
    if agent.insights is None:
        return ()
    return tuple(chosen.insight for chosen in agent.insights(key).chosen)


def _ended(environment: Environment, agent: Agent, running: _Running) -> Ended | None:
    state = running.state
    if state.score >= SOLVED:
        return "solved"
    if state.score < 0:
        return "lost"
    if state.moves > environment.move_limit:
        return "moves"
    if state.done:
        return "over"
    if len(running.steps) >= STEPS_A_MOVE * environment.move_limit:
        return "steps"
    return "stuck" if is_stuck(running.tried, rule=agent.stop) else None


def _reflect(agent: Agent, episode: Episode, reflections: tuple[str, ...]) -> Reply:
    """A note on a failed trial; an empty reply is no note, and is counted all the same."""
    turns = tuple(
        Turn(f"{THOUGHT} {step.said}" if step.kind == "thought" else step.sent or step.said, step.observation)
        for step in episode.steps
    )
    situation = Situation(episode.first, turns, reflections=reflections)
    conversation = reflection_prompt(situation, budget=agent.budget, count=agent.count)
    question = Question(conversation, Decoding(REFLECTION_TOKENS), step="reflect")
    return replies(agent.model, [question])[0]
