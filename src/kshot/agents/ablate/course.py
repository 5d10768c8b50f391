"""What a table needs of one task before any model is asked: lessons, solved examples, gold paths."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass

from kshot.agents.base import Environment, WorldError
from kshot.agents.episode import SOLVED, Ended, Episode, Step
from kshot.agents.learning import Trajectory, lessons_of, refused_because, replayed
from kshot.agents.process import Maker
from kshot.errors import InputError
from kshot.methods.panda.learn import Lesson
from kshot.methods.panda.records import ExpertFacts

GOLD_PATHS = ExpertFacts("gold", "gold paths")
GOLD_POLICY = "gold"
EXAMPLES_FROM = 3  # train variations of which the shortest solved one is the example
_POSITIONS = 1000  # of one trajectory


@dataclass(frozen=True, slots=True)
class Course:
    """One task: its environment, and in which order its variations are learnt from and judged.

    Attributes:
        name: As the environment calls itself.
        maker: Opens the environment.
        learning: Train variations to the order in which they are learnt from.
        evaluation: Test variations to the order in which they are judged.
        label: Of a variation's trajectory.
    """

    name: str
    maker: Maker
    learning: Callable[[Sequence[int]], Sequence[int]]
    evaluation: Callable[[Sequence[int]], Sequence[int]]
    label: Callable[[int], str]


@dataclass(frozen=True, slots=True)
class Ground:
    """What was found of one task.

    Attributes:
        variations: Test variations, in the order in which they are judged.
        lessons: Decisions of the expert on train variations.
        solved: Gold paths of train variations, for the example in the prompt.
        gold: The gold path of each test variation as an episode.
        left_out: Variation and why it was not learnt from, or has no gold path.
    """

    task: str
    move_limit: int
    variations: tuple[int, ...]
    lessons: tuple[Lesson, ...]
    solved: tuple[Trajectory, ...]
    gold: tuple[Episode, ...]
    left_out: tuple[tuple[str, str], ...] = ()


def scienceworld_course(task: str | int) -> Course:
    """A ScienceWorld task in the released orders.

    The order of learning is that of the release's 50 variations, cut afterwards: a shorter draw by the same
    seed would be another one.

    Raises:
        InputError: There is no such task.

    >>> scienceworld_course(25).name, scienceworld_course(25).label(7)
    ('scienceworld:power-component', '25-7')
    """
    from functools import partial

    from kshot.agents.scienceworld import ScienceWorldMaker, evaluation_order, learning_order, task_named

    number, name = task_named(task)
    return Course(
        f"scienceworld:{name}",
        ScienceWorldMaker(name),
        partial(learning_order, name),
        partial(evaluation_order, most=1000),
        lambda variation: f"{number}-{variation}",
    )


def surveyed(
    course: Course,
    *,
    learn_from: int,
    episodes: int,
    seed: int = 0,
    paths: Mapping[int, Sequence[str]] | None = None,
) -> Ground:
    """Replays an expert's way through train variations, and gold paths through test variations.

    No model is asked. An environment that has chances of its own gives other lessons the next time: keep what
    was found.

    Args:
        course: The task.
        learn_from: Train variations at most; the release takes 50.
        episodes: Test variations at most; the release takes 10.
        seed: Of the rivals of the expert's actions.
        paths: Another expert's actions by train variation; None: the gold paths.

    Raises:
        InputError: The environment cannot run here, a path is of no train variation, or nothing can be
            learnt from.

    Example::

        ground = surveyed(scienceworld_course(25), learn_from=10, episodes=5)
    """
    left_out: list[tuple[str, str]] = []
    with closing(course.maker()) as world:
        train = list(course.learning(world.variations("train")))
        test = tuple(course.evaluation(world.variations("test"))[:episodes])
        solved = [
            found for one in train[:EXAMPLES_FROM] if (found := _gold_path(world, one, course, left_out))
        ]
        if paths is None:
            expert, chosen = GOLD_PATHS, dict.fromkeys(train[:learn_from])
        else:
            expert, chosen = ExpertFacts("agent", "an agent's episodes"), _of_train(paths, world, learn_from)
        lessons: list[Lesson] = []
        for place, (variation, actions) in enumerate(chosen.items()):
            found = _replay(world, variation, actions, course, left_out)
            if found is not None:
                lessons += lessons_of(found, expert=expert, position=place * _POSITIONS, seed=seed)
        gold = [episode for one in test if (episode := _gold_episode(world, one, course, left_out))]
        limit = world.move_limit
    if not lessons:
        why = "; ".join(f"{label}: {reason}" for label, reason in left_out[:3]) or "no train variation"
        raise InputError(f"{course.name}: nothing to learn from ({why})")
    return Ground(course.name, limit, test, tuple(lessons), tuple(solved), tuple(gold), tuple(left_out))


def as_episode(trajectory: Trajectory, *, task: str, variation: int, moves: int = 0) -> Episode:
    """A replayed path in the form of an agent's episode, so that both are judged alike.

    >>> as_episode(Trajectory("t-0", "A hall.", (), (100,)), task="t", variation=0).ended
    'solved'
    """
    steps = tuple(
        Step(turn.said, turn.said, "own", turn.observation, score, moves)
        for turn, score in zip(trajectory.turns, trajectory.scores[1:], strict=True)
    )
    last = trajectory.scores[-1]
    ended: Ended = "solved" if last >= SOLVED else "lost" if last < 0 else "over"
    return Episode(task, variation, GOLD_POLICY, trajectory.first, steps, trajectory.scores, ended)


def _replay(
    world: Environment,
    variation: int,
    actions: Sequence[str] | None,
    course: Course,
    left_out: list[tuple[str, str]],
) -> Trajectory | None:
    """A path with the rivals of its decisions; the gold path where no actions are given."""
    label = course.label(variation)
    try:
        found = world.gold_actions(variation) if actions is None else actions
        if not found:
            left_out.append((label, "it has no gold path"))
            return None
        trajectory = replayed(world, variation, found, label=label)
    except WorldError as error:
        left_out.append((label, str(error)))
        return None
    if reason := refused_because(trajectory.scores):
        left_out.append((label, reason))
        return None
    return trajectory


def _gold_path(
    world: Environment, variation: int, course: Course, left_out: list[tuple[str, str]]
) -> Trajectory | None:
    try:
        actions = world.gold_actions(variation)
        label = course.label(variation)
        return replayed(world, variation, actions, label=label, with_valid=False) if actions else None
    except WorldError as error:
        left_out.append((course.label(variation), str(error)))
        return None


def _gold_episode(
    world: Environment, variation: int, course: Course, left_out: list[tuple[str, str]]
) -> Episode | None:
    found = _gold_path(world, variation, course, left_out)
    return None if found is None else as_episode(found, task=course.name, variation=variation)


def _of_train(
    paths: Mapping[int, Sequence[str]], world: Environment, most: int
) -> dict[int, Sequence[str] | None]:
    """The first so many paths; a path of another split is never learnt from."""
    train = set(world.variations("train"))
    if foreign := [variation for variation in paths if variation not in train]:
        raise InputError(
            f"{world.name}: the expert's episode of variation {foreign[0]} is of no train variation; "
            "insights are never learnt from variations that are judged"
        )
    return dict(list(paths.items())[:most])
