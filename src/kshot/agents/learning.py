"""From trajectories to lessons: which decisions are learnt from, what the expert ranked, and the prompt."""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass, field

from kshot.agents.base import Environment
from kshot.agents.episode import SOLVED
from kshot.agents.grounding import parse, same_action
from kshot.agents.observation import observation_text, query_key
from kshot.agents.prompt import Count, Turn, estimated_tokens, fitted
from kshot.data.example import Example
from kshot.errors import DataError
from kshot.methods.panda.learn import Lesson
from kshot.methods.panda.preferences import from_actions
from kshot.methods.panda.records import Candidate, ExpertFacts, Preference

REQUEST_BUDGET = 4096 - 150 - 10  # tokens of a request for an explanation, as released
BEYOND = 3  # decisions after the last rise of the score
CANDIDATES = 3
_NO_RIVALS = frozenset({"reset task", "task"})


@dataclass(frozen=True, slots=True)
class Decision:
    """One action of an expert, and where it was taken.

    Attributes:
        key: The observation before it, as insights are looked up.
        action: What the expert did.
        ranked: The expert's own further choices, best first, the action among them; empty: none known.
        valid: What the environment would have accepted; empty where it was not asked.
    """

    key: str
    action: str
    ranked: tuple[str, ...] = ()
    valid: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Trajectory:
    """An expert's way through one episode.

    Attributes:
        label: Task and variation as released pools name them: ``6-120``.
        first: The first observation, with the task.
        turns: (L,) actions and observations.
        scores: (L + 1,) s_0 before the first action, then after each.
        decisions: (D,) the first D <= L decisions.
    """

    label: str
    first: str
    turns: tuple[Turn, ...]
    scores: tuple[int, ...]
    decisions: tuple[Decision, ...] = field(default=(), repr=False)


def decisions_to_learn(scores: Sequence[int]) -> int:
    """How many of the first decisions are learnt from, by the scores s_0, ..., s_L.

    p is the smallest index with s_p = ... = s_L; the first min(L, p + 3) decisions count. A run that never
    scores gives three at most, one that falls at the end gives all.

    Source: release of arXiv 2402.12835 (spec of PANDA, section 9).

    Raises:
        DataError: There are no scores.

    >>> decisions_to_learn([0, 0, 0, 0, 0]), decisions_to_learn([0, 0, 0, 9]), decisions_to_learn([8, 9])
    (3, 3, 1)
    """
    if not scores:
        raise DataError("a trajectory without scores; expected the score before the first action at least")
    last = len(scores) - 1
    settled = next(p for p in range(len(scores)) if len(set(scores[p:])) == 1)
    return min(last, settled + BEYOND)


def refused_because(
    scores: Sequence[int], *, min_score: int | None = None, success_only: bool = False
) -> str:
    """Why a trajectory is not learnt from; empty where it is.

    >>> refused_because([0, 8], min_score=50)
    'its last score is 8, below 50'
    """
    if success_only and scores[-1] < SOLVED:
        return f"its last score is {scores[-1]}, and only solved trajectories are learnt from"
    if min_score is not None and scores[-1] < min_score:
        return f"its last score is {scores[-1]}, below {min_score}"
    return ""


def replayed(
    environment: Environment, variation: int, actions: Sequence[str], *, label: str, with_valid: bool = True
) -> Trajectory:
    """A recorded sequence of actions, carried out again: scores, observations and rivals at each decision.

    The first pass finds the scores; a second one builds the lists of valid actions, and only for decisions
    that are learnt from. Actions after the episode's end are not carried out.

    Raises:
        WorldError: The environment failed.

    Example::

        replayed(world, 120, world.gold_actions(120), label="6-120")
    """
    state = environment.reset(variation)
    first = observation_text(state, first=True)
    turns, scores, keys = [], [state.score], [query_key(first)]
    for action in actions:
        if state.done:
            break
        state = environment.step(action)
        text = observation_text(state)
        turns.append(Turn(action, text))
        scores.append(state.score)
        keys.append(query_key(text) if state.accepted and not state.asks_back else keys[-1])
    count = decisions_to_learn(scores)
    valid = _valid_along(environment, variation, actions[:count]) if with_valid else [()] * count
    decisions = [
        Decision(key, turn.said, valid=there)
        for key, turn, there in zip(keys[:count], turns[:count], valid, strict=True)
    ]
    return Trajectory(label, first, tuple(turns), tuple(scores), tuple(decisions))


def gold_preference(
    text: str, decision: Decision, *, expert: ExpertFacts, source: str, seed: int
) -> Preference:
    """The expert's action over two other valid ones: of the same verb where there are such, else any.

    Rivals are drawn by the seed, the source and the order of ``valid``, never by a hash of the process. An
    action that is the same spelled otherwise is no rival, nor is resetting the task.

    >>> found = gold_preference(
    ...     "A hall.", Decision("k", "go to lab", valid=("go to shed", "go to the lab", "wait")),
    ...     expert=ExpertFacts("agent", "gold"), source="6-0 step 0", seed=0)
    >>> [candidate.answer for candidate in found.candidates]
    ['go to lab', 'go to shed', 'wait']
    """
    verb = parse(decision.action).verb
    others = [
        action
        for action in decision.valid
        if not action.isdecimal() and action not in _NO_RIVALS and not same_action(action, decision.action)
    ]
    draw = random.Random(f"{seed}|{source}")
    near = [action for action in others if parse(action).verb == verb]
    far = [action for action in others if parse(action).verb != verb]
    wanted = CANDIDATES - 1
    rivals = draw.sample(near, min(wanted, len(near)))
    rivals += draw.sample(far, min(wanted - len(rivals), len(far)))
    candidates = tuple(Candidate(action) for action in (decision.action, *rivals))
    return Preference(text, candidates, expert, source=source)


def lessons_of(
    trajectory: Trajectory,
    *,
    expert: ExpertFacts,
    position: int,
    seed: int = 0,
    count: Count = estimated_tokens,
) -> list[Lesson]:
    """A lesson for each decision of a trajectory.

    The row's prompt is the trajectory up to the decision; over the budget of a request (4,096 - 160 tokens)
    its oldest steps go, whole. The key is the observation before the decision. An expert that ranked several
    actions keeps its order; else rivals are drawn from the valid actions.

    Args:
        trajectory: The expert's way.
        expert: Who it is.
        position: Of the first lesson in learning order.
        seed: Of the rivals.
        count: From text to tokens.
    """
    lessons = []
    for step, decision in enumerate(trajectory.decisions):
        source = f"{trajectory.label} step {step}"
        text, _ = fitted(trajectory.first, trajectory.turns[:step], budget=REQUEST_BUDGET, count=count)
        if decision.ranked:
            valid = decision.valid or None
            preference = from_actions(text, decision.ranked, expert=expert, valid=valid, source=source)
        else:
            preference = gold_preference(text, decision, expert=expert, source=source, seed=seed)
        row = Example(text, "", source=source)
        lessons.append(Lesson(row, preference, position + step, decision.key))
    return lessons


def _valid_along(environment: Environment, variation: int, actions: Sequence[str]) -> list[tuple[str, ...]]:
    found = []
    environment.reset(variation)
    for action in actions:
        found.append(tuple(environment.valid_actions()))
        environment.step(action)
    return found
