"""The test rows as one compact JSON text for the browser of examples in the page."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

from kshot.report.plain import to_plain
from kshot.report.result import RowResult, RunReport

BUDGET = 32_000_000  # characters: what a browser still opens without a pause
_CUTS = (100_000, 20_000, 4_000, 1_000, 200)


def rows_json(report: RunReport, *, budget: int = BUDGET) -> str:
    """Rows as ``[id, prompt, answer, source, [prediction], [score]]``, safe inside a script element.

    Predictions and scores stand in the order of ``systems``; a score of null means that the system did
    not answer the row, a prediction of null with a score that no answer could be read. If all texts
    together exceed ``budget`` characters, long ones are cut, and ``cut`` gives the length kept.
    """
    names = [system.name for system in report.systems]
    cut = _cut_for(report.rows, budget)
    rows = [_row(row, names, cut) for row in report.rows]
    kinds = [{"name": system.name, "oracle": system.oracle} for system in report.systems]
    first, second = _pair(report)
    return script_json({"systems": kinds, "a": first, "b": second, "cut": cut, "rows": rows})


def script_json(value: Any) -> str:
    r"""ASCII JSON that no HTML parser can mistake for markup.

    >>> script_json("</script>")
    '"\\u003c/script\\u003e"'
    """
    text = json.dumps(to_plain(value), ensure_ascii=True, allow_nan=False, separators=(",", ":"))
    return text.replace("<", "\\u003c").replace(">", "\\u003e").replace("&", "\\u0026")


def _row(row: RowResult, names: Sequence[str], cut: int | None) -> list[Any]:
    replies = [row.predictions.get(name) for name in names]
    return [
        row.id, row.prompt[:cut], row.answer[:cut], row.source,
        [reply if reply is None else reply[:cut] for reply in replies],
        [row.scores.get(name) for name in names],
    ]  # fmt: skip


def _cut_for(rows: Sequence[RowResult], budget: int) -> int | None:
    """None if everything fits, else the longest of a few lengths that does (the shortest if none does)."""
    lengths = [
        len(text) for row in rows for text in (row.prompt, row.answer, *row.predictions.values()) if text
    ]
    if sum(lengths) <= budget:
        return None
    fitting = (cut for cut in _CUTS if sum(min(length, cut) for length in lengths) <= budget)
    return next(fitting, _CUTS[-1])


def _pair(report: RunReport) -> tuple[int, int]:
    """Which two systems the page compares first: the recommended (else the first) against the reference."""
    names = [system.name for system in report.systems]
    reference = names.index(report.task.reference) if report.task.reference in names else 0
    chosen = names.index(report.recommended) if report.recommended is not None else 0
    if chosen != reference:
        return chosen, reference
    other = next((place for place in range(len(names)) if place != reference), reference)
    return other, reference
