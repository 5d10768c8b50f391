"""A metric of the user's own: ``path/file.py:function``, called on every row."""

from __future__ import annotations

import importlib.util
import math
from collections.abc import Callable, Sequence
from functools import lru_cache
from numbers import Real
from pathlib import Path

from kshot.errors import MetricError, collected


def is_own(metric: str) -> bool:
    """Whether a metric's name means a function in a file.

    >>> is_own("my/metric.py:score"), is_own("tweeteval:irony")
    (True, False)
    """
    return metric.rpartition(":")[0].endswith(".py")


def own_scores(metric: str, predictions: Sequence[str | None], answers: Sequence[str]) -> list[float]:
    """What ``function(prediction, answer)`` gives for each row; 0 for a reply that states no answer.

    The file is the user's own and is run as it is, in this process.

    Raises:
        MetricError: No such file or function; the function fails, or gives no finite number; or it gives
            a number below 0 while some reply states no answer (its 0 would then be no failure).
    """
    function = _loaded(metric)
    scores, errors = [0.0] * len(answers), []
    for row, (prediction, answer) in enumerate(zip(predictions, answers, strict=True)):
        if prediction is None:
            continue
        try:
            score = function(prediction, answer)
        except Exception as error:
            errors.append(f"{metric}: row {row}: {type(error).__name__}: {error}")
            continue
        if not isinstance(score, Real) or not math.isfinite(score):
            errors.append(f"{metric}: row {row}: gave {score!r}, expected a finite number")
        elif score < 0 and None in predictions:
            errors.append(
                f"{metric}: row {row}: gave {score!r}; where replies may state no answer, which counts 0, "
                "scores must not be below 0"
            )
        else:
            scores[row] = float(score)
    if errors:
        raise MetricError(collected(errors))
    return scores


def _loaded(metric: str) -> Callable[[str, str], object]:
    path, _, name = metric.rpartition(":")
    file = Path(path)
    if not file.is_file():
        raise MetricError(f"metric {metric}: there is no file {file}; expected path/file.py:function")
    return _function(str(file.resolve()), name, file.stat().st_mtime_ns)


@lru_cache(maxsize=16)
def _function(path: str, name: str, changed: int) -> Callable[[str, str], object]:
    """The function; ``changed`` makes an edited file be read anew."""
    spec = importlib.util.spec_from_file_location(f"kshot_own_metric_{changed}", path)
    if spec is None or spec.loader is None:
        raise MetricError(f"metric {path}:{name}: the file is no Python module")
    module = importlib.util.module_from_spec(spec)
    try:
        spec.loader.exec_module(module)
    except (Exception, SystemExit) as error:
        raise MetricError(f"metric {path}:{name}: the file fails: {type(error).__name__}: {error}") from error
    function = getattr(module, name, None)
    if not callable(function):
        found = sorted(n for n, value in vars(module).items() if callable(value) and n[0] != "_")
        raise MetricError(
            f"metric {path}:{name}: no such function; the file has {', '.join(found[:8]) or 'none'}"
        )
    return function  # type: ignore[no-any-return]
