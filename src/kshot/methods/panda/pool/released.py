"""The two formats in which pools were released: read by their shape, and written again semantically equal.

Source: files of THUNLP-MT/PANDA (arXiv 2402.12835): a list of objects (TweetEval), and an object of
trajectories (ScienceWorld).
"""

from __future__ import annotations

import json
import random
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final

from kshot.data.atomic import write_atomically
from kshot.errors import DataError, RunError, collected
from kshot.methods.panda.pool.header import PoolHeader, now
from kshot.methods.panda.pool.rankings import rankings_of, response_text
from kshot.methods.panda.records import OBSERVATION, ExpertFacts, Insight

TWEETEVAL: Final = "tweeteval"
SCIENCEWORLD: Final = "scienceworld"
_TRAJECTORY: Final = re.compile(r"(\d+)-(\d+)")
_IN_SOURCE: Final = re.compile(r"(?<![\w.-])\d+-\d+(?![\w.-])")  # "12-3 step 0"
_SEED: Final = 2024


def released_variations(n_train: int, *, most: int = 50) -> tuple[int, ...]:
    """Which train variations of a task the released pools were learned from, in their order.

    Source: THUNLP-MT/PANDA: a draw of at most 50 without replacement under the seed 2024. Task 29's train
    split was halved there (135 variations).

    >>> released_variations(6)[:3]
    (3, 1, 2)
    """
    return tuple(random.Random(_SEED).sample(range(n_train), min(most, n_train)))


def import_file(
    file: Path, *, expert_file: Path | None = None, task: str = "", labels: Sequence[str] = ()
) -> tuple[list[Insight], PoolHeader]:
    """Insights and header of a released file; see ``InsightPool.import_released``.

    Raises:
        DataError: It is no such file, with the place of what was found.

    Example::

        insights, header = import_file(Path("task12__expert_insights.json"))
    """
    content = read_json(file)
    if isinstance(content, list) and content:
        return _tweeteval(file, content, expert_file=expert_file, task=task, labels=labels)
    if isinstance(content, dict) and content:
        if expert_file is not None or labels:
            raise DataError(f"{file}: is a pool of trajectories, which has no labels and no expert file")
        return _scienceworld(file, content, task)
    found = "nothing" if content in ([], {}) else type(content).__name__
    raise DataError(
        f"{file}: holds {found}, expected a list of objects with text and insight, or an object of "
        "trajectories"
    )


def export_file(file: Path, insights: Sequence[Insight], header: PoolHeader) -> None:
    """Writes insights in the format that they came from; see ``InsightPool.export_released``.

    Raises:
        DataError: An agent's record does not tell of which trajectory it is.
        RunError: The file cannot be written.

    Example::

        export_file(Path("pool.json"), pool.insights, pool.header)
    """
    came = (header.origin or {}).get("format") or (SCIENCEWORLD if header.kind == "agent" else TWEETEVAL)
    content: Any
    if came == SCIENCEWORLD:
        content = _trajectories(insights, header)
    else:
        content = [_object(insight) for insight in insights]
    try:
        text = json.dumps(content, ensure_ascii=True)
        write_atomically(file, text.encode())
    except OSError as error:
        raise RunError(f"{file}: cannot be written ({error.strerror or error})") from error


def read_json(file: Path) -> Any:
    """A whole JSON file, in which no object names an entry twice: a reader would drop all but the last.

    Raises:
        DataError: It cannot be read, is empty or no JSON, or an entry stands twice.

    Example::

        read_json(Path("task12__expert_insights.json"))
    """
    try:
        content = file.read_bytes()
    except OSError as error:
        raise DataError(f"{file}: cannot be read ({error.strerror or error})") from error
    if not content.strip():
        raise DataError(f"{file}: is empty, expected JSON")
    try:
        return json.loads(content.decode("utf-8-sig"), object_pairs_hook=_unrepeated, parse_constant=_refuse)
    except (ValueError, RecursionError) as error:
        raise DataError(f"{file}: is no JSON in UTF-8 ({error})") from error


def _tweeteval(
    file: Path, content: list[Any], *, expert_file: Path | None, task: str, labels: Sequence[str]
) -> tuple[list[Insight], PoolHeader]:
    rankings = rankings_of(expert_file, read_json(expert_file), labels) if expert_file else {}
    insights, errors = [], []
    for row, entry in enumerate(content):
        where = f"{file}: entry {row}"
        if not isinstance(entry, Mapping) or not isinstance(entry.get("text"), str):
            errors.append(f"{where}: expected an object with text, query_prompt and insight")
            continue
        try:
            text, finish_reason = response_text(entry.get("insight"))
        except DataError as error:
            errors.append(f"{where}: {error}")
            continue
        insight = Insight(
            row,
            entry["text"],
            text,
            preference=rankings.get(entry["text"]),
            finish_reason=finish_reason,
            flags=("cut",) if finish_reason == "length" else (),
            source=f"{file.name}:{row}",
            origin={name: value for name, value in entry.items() if name != "text" and value is not text},
        )
        insights.append(insight)
    if errors:
        raise DataError(collected(errors))
    unknown = sum(insight.preference is None for insight in insights)
    header = PoolHeader(
        task or file.stem,
        "classification",
        labels=tuple(labels),
        expert=ExpertFacts("imported", expert_file.name if expert_file else ""),
        created=now(),
        counts={"without_ranking": unknown} if expert_file else {},
        origin={"format": TWEETEVAL},
    )
    return insights, header


def _scienceworld(file: Path, content: dict[str, Any], task: str) -> tuple[list[Insight], PoolHeader]:
    insights: list[Insight] = []
    errors: list[str] = []
    for trajectory, entries in content.items():
        if not _TRAJECTORY.fullmatch(trajectory) or not isinstance(entries, list):
            told = "expected a trajectory like '12-3' with a list of entries"
            errors.append(f"{file}: {trajectory!r}: {told}")
            continue
        for place, entry in enumerate(entries):
            where = f"{file}: {trajectory!r}, entry {place}"
            problem = _wrong_situation(entry)
            if problem:
                errors.append(f"{where}: {problem}")
                continue
            ((situation, text),) = entry.items()
            origin = {"trajectory": trajectory, "place": place, "key": situation}
            key = situation[situation.index(OBSERVATION) :]
            source = f"{file.name}:{trajectory}:{place}"
            insights.append(Insight(len(insights), key, text, source=source, origin=origin))
    numbers = sorted({trajectory.split("-")[0] for trajectory in content}, key=lambda name: (len(name), name))
    if not errors and len(numbers) > 1:
        errors.append(f"{file}: holds trajectories of tasks {', '.join(numbers)}, expected one task a pool")
    if errors:
        raise DataError(collected(errors))
    header = PoolHeader(
        task or f"{SCIENCEWORLD}:{numbers[0]}",
        "agent",
        expert=ExpertFacts("imported"),
        created=now(),
        counts={"trajectories": len(content)},
        origin={"format": SCIENCEWORLD, "trajectories": list(content)},
    )
    return insights, header


def _wrong_situation(entry: Any) -> str:
    if not isinstance(entry, Mapping) or len(entry) != 1:
        return "expected an object with one entry, situation to insight"
    ((situation, text),) = entry.items()
    if not isinstance(text, str):
        return f"the insight is {type(text).__name__}, expected text"
    if OBSERVATION not in situation:
        return f"the situation has no {OBSERVATION!r}: {situation[:60]!r}"
    return ""


def _object(insight: Insight) -> dict[str, Any]:
    """One entry of TweetEval's list."""
    if insight.origin is None:
        return {"text": insight.key, "query_prompt": "", "insight": insight.explanation}
    return {"text": insight.key, "insight": insight.insight} | dict(insight.origin)


def _trajectories(insights: Sequence[Insight], header: PoolHeader) -> dict[str, list[dict[str, str]]]:
    """ScienceWorld's object; trajectories without a record are kept as they came."""
    known = (header.origin or {}).get("trajectories", ())
    found: dict[str, list[dict[str, str]]] = {name: [] for name in known}
    for insight in insights:
        origin = insight.origin or {}
        sources = f"{insight.source} {insight.preference.source if insight.preference else ''}"
        in_source = _IN_SOURCE.search(sources)
        trajectory = origin.get("trajectory") or (in_source.group() if in_source else None)
        if trajectory is None:
            raise DataError(
                f"insight {insight.id} (row {insight.row}) does not tell its trajectory: its source is "
                f"{insight.source!r}, expected a task and a variation in it, like '12-3'"
            )
        key = origin.get("key") or f"[action]: (unknown); {insight.key}"
        found.setdefault(trajectory, []).append({key: insight.explanation})
    return found


def _unrepeated(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        names = [name for name, _ in pairs]
        twice = next(name for place, name in enumerate(names) if name in names[:place])
        raise ValueError(f"an object names {twice[:60]!r} twice")
    return found


def _refuse(name: str) -> float:
    raise ValueError(f"{name} is no number in JSON")
