"""A metric of the user's own: ``path/file.py:function``, called on every row."""

from __future__ import annotations

import importlib.util
import math
from collections.abc import Callable, Sequence
from functools import lru_cache
from numbers import Real
from pathlib import Path

from kshot.errors import MetricError, collected

_SHOWN = 60  # characters of what a metric gave


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
    scores, errors, withheld = [0.0] * len(answers), [], None in predictions
    for row, (prediction, answer) in enumerate(zip(predictions, answers, strict=True)):
        if prediction is None:
            continue
        try:
            score = function(prediction, answer)
        except (Exception, SystemExit) as error:  # sys.exit(0) would end the run as if all were well
            errors.append(f"{metric}: row {row}: {type(error).__name__}: {error}")
            continue
        number = _finite(score)
        if number is None:
            errors.append(f"{metric}: row {row}: gave {_shown(score)}, expected a finite number")
        elif number < 0 and withheld:
            errors.append(
                f"{metric}: row {row}: gave {_shown(score)}; where replies may state no answer, "
                "which counts 0, scores must not be below 0"
            )
        else:
            scores[row] = number
    if errors:
        raise MetricError(collected(errors))
    return scores


def _finite(score: object) -> float | None:
    """The score as a double; None where it is no real number, or none that a double holds."""
    try:
        number = float(score) if isinstance(score, Real) else math.nan
    except (ArithmeticError, ValueError, TypeError):  # 10**400
        return None
    return number if math.isfinite(number) else None


def _shown(score: object) -> str:
    try:
        text = repr(score)
    except Exception:  # a whole number of more digits than Python writes out, or a class of the user's own
        return f"something of type {type(score).__name__}"
    return text if len(text) <= _SHOWN else text[: _SHOWN - 3] + "..."


def _loaded(metric: str) -> Callable[[str, str], object]:
    path, _, name = metric.rpartition(":")
    file = Path(path)
    if file.is_dir():
        raise MetricError(f"metric {metric}: {file} is a folder; expected path/file.py:function")
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
