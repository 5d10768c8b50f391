"""Code replies judged by running them with their tests: pass@1."""

from __future__ import annotations

import os
import re
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import lru_cache

from kshot.errors import MetricError, SandboxError, collected
from kshot.measure.sandbox.run import run_code, sandbox_available

_FENCE = re.compile(
    r"^[ \t]*(`{3,}|~{3,})[ \t]*(\w*)[^\n`]*\n(.*?)(?:^[ \t]*\1[ \t]*$|\Z)", re.MULTILINE | re.DOTALL
)
_PYTHON = ("", "python", "python3", "py")


def unfenced(reply: str) -> str:
    r"""The code of a reply: the first fenced block in Python or in no named language, else all of it.

    A block that is never closed runs to the end.

    >>> unfenced("Here it is:\n```python\nx = 1\n```\nIt sets x.")
    'x = 1\n'
    """
    blocks = [code for _, language, code in _FENCE.findall(reply) if language.lower() in _PYTHON]
    return blocks[0] if blocks else reply


def pass_scores(predictions: Sequence[str | None], tests: Sequence[str]) -> list[float]:
    r"""1.0 for each reply whose code runs through its tests to the last line, else 0.0; in order.

    The program of a row is the unfenced reply, a line end, and the tests; it is run by ``run_code`` with
    its default limits, a few rows at once, and the same program once in this process. Tests must say
    what is wrong by raising (``assert``), not by an exit code.

    Raises:
        MetricError: A row's tests are empty, so that any reply would pass.
        SandboxError: This system cannot run generated code apart.

    >>> pass_scores(["def f(x):\n    return x + 1", None], ["assert f(1) == 2", "assert True"])
    [1.0, 0.0]
    """
    rows = [row for row, program in enumerate(tests) if not program.strip()]
    if empty := [f"row {row}: its tests are empty, so any code would pass" for row in rows]:
        raise MetricError(collected(empty))
    if reason := sandbox_available():
        raise SandboxError(reason)
    programs = [None if p is None else f"{unfenced(p)}\n{t}" for p, t in zip(predictions, tests, strict=True)]
    with ThreadPoolExecutor(max_workers=min(4, os.cpu_count() or 1)) as pool:
        return list(pool.map(_passes, programs))


@lru_cache(maxsize=65536)
def _passes(program: str | None) -> float:
    return 0.0 if program is None else float(run_code(program).ok)
