"""What was surveyed of a task, kept in a file: a rerun replays nothing, and gets the same lessons."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

from kshot.agents.ablate.course import Ground
from kshot.agents.episode import Episode
from kshot.agents.learning import Trajectory
from kshot.agents.prompt import Turn
from kshot.data.atomic import write_atomically
from kshot.data.example import Example
from kshot.errors import DataError, RunError
from kshot.methods.panda.learn import Lesson
from kshot.methods.panda.records import Preference

FORMAT, VERSION = "kshot-agent-survey", 1


def kept_ground(path: Path, survey: Callable[[], Ground]) -> Ground:
    """The survey of a file, made and written where there is none.

    Raises:
        DataError: The file is something else, or damaged.
        RunError: It cannot be written.
        InputError: As ``survey``.

    Example::

        kept_ground(Path("survey.json"), lambda: surveyed(course, learn_from=10, episodes=5))
    """
    if path.is_file():
        return ground_of(path)
    found = survey()
    write_kept(path, json.dumps(_plain(found), ensure_ascii=False))
    return found


def ground_of(path: Path) -> Ground:
    """What ``kept_ground`` wrote.

    Raises:
        DataError: It is no such file, or damaged.
    """
    try:
        plain = json.loads(path.read_bytes().decode("utf-8", "surrogatepass"))
        if plain.get("format") != FORMAT or plain.get("version") != VERSION:
            found = f"{plain.get('format')!r}, version {plain.get('version')!r}"
            raise DataError(f"{path}: found {found}; expected {FORMAT!r}, version {VERSION}")
        return _ground(plain)
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise DataError(f"{path}: cannot be read as a survey ({error}); delete it to make it anew") from error


def kept_text(path: Path, make: Callable[[], str]) -> str:
    """A text that is made once.

    Raises:
        RunError: It cannot be read or written.

    Example::

        kept_text(Path("example.txt"), lambda: solved_example(paths, thinker=model).text)
    """
    if path.is_file():
        try:
            return path.read_bytes().decode("utf-8", "surrogatepass")  # line ends as they are
        except (OSError, UnicodeDecodeError) as error:
            raise RunError(f"{path}: cannot be read ({error}); delete it to make it anew") from error
    text = make()
    write_kept(path, text)
    return text


def write_kept(path: Path, text: str) -> None:
    """A file whole or not at all, its folder made.

    Raises:
        RunError: It cannot be written.

    Example::

        write_kept(Path("tables/surveys/boil.json"), "{}")
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        write_atomically(path, text.encode("utf-8", "surrogatepass"))
    except OSError as error:
        raise RunError(f"{path}: cannot be written ({error.strerror or error})") from error


def _plain(ground: Ground) -> dict[str, Any]:
    lessons = [
        {"position": one.position, "key": one.key, "preference": one.preference.to_json()}
        for one in ground.lessons
    ]
    solved = [
        asdict(one) | {"decisions": []}  # an example needs none
        for one in ground.solved
    ]
    return {
        "format": FORMAT, "version": VERSION, "task": ground.task, "move_limit": ground.move_limit,
        "variations": ground.variations, "lessons": lessons, "solved": solved,
        "gold": [one.to_json() for one in ground.gold], "left_out": ground.left_out,
    }  # fmt: skip


def _ground(plain: Mapping[str, Any]) -> Ground:
    return Ground(
        plain["task"],
        plain["move_limit"],
        tuple(plain["variations"]),
        tuple(_lesson(one) for one in plain["lessons"]),
        tuple(_trajectory(one) for one in plain["solved"]),
        tuple(Episode.from_json(one) for one in plain["gold"]),
        tuple((label, reason) for label, reason in plain["left_out"]),
    )


def _lesson(plain: Mapping[str, Any]) -> Lesson:
    preference = Preference.from_json(plain["preference"])
    row = Example(preference.text, "", source=preference.source)
    return Lesson(row, preference, plain["position"], plain["key"])


def _trajectory(plain: Mapping[str, Any]) -> Trajectory:
    turns = tuple(Turn(**turn) for turn in plain["turns"])
    return Trajectory(plain["label"], plain["first"], turns, tuple(plain["scores"]))
