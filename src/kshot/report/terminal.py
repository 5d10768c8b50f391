"""The leaderboard in the terminal: what ``kshot run`` prints at its end."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from rich import box
from rich.table import Table
from rich.text import Text

from kshot.report.conclusion import chip, conclusion
from kshot.report.result import RunReport, SystemResult
from kshot.report.wording import Scale, duration, money, p_value, scale_of

_STYLES = {
    "better": "bold green",
    "worse": "red",
    "tied": "cyan",
    "unsure": "yellow",
    "oracle": "dim magenta",
}
_HIDDEN = re.compile(r"[\x00-\x1f\x7f-\x9f\u200e\u200f\u202a-\u202e\u2066-\u2069\ud800-\udfff]+")


@dataclass(frozen=True, slots=True)
class _Column:
    """One column: its header, its cell, and the terminal width from which on it is shown."""

    header: str
    cell: Callable[[SystemResult], str]
    at_width: int = 0
    justify: Literal["left", "right"] = "right"


def leaderboard_table(report: RunReport, *, width: int | None = None) -> Table:
    """The systems in their order, with the headline as title.

    Columns give way in a narrow terminal: first p and cost, then the intervals; system, score and verdict
    always stay. Names are shown literally: neither rich's markup nor terminal codes in them have effect.

    Args:
        report: What to show.
        width: Columns of the terminal; None shows everything.
    """
    table = Table(
        title=Text(printable(report.headline)),
        box=box.SIMPLE,
        title_justify="left",
        caption_justify="left",
        pad_edge=False,
    )
    columns = [
        column for column in _columns(report, scale_of(report)) if width is None or width >= column.at_width
    ]
    for column in columns:
        folds = column.header in ("system", "verdict")
        table.add_column(
            column.header, justify=column.justify, no_wrap=not folds, overflow="fold" if folds else "ellipsis"
        )
    for system in report.main_systems:
        cells = [
            Text(printable(column.cell(system)), style=_style(column.header, system)) for column in columns
        ]
        table.add_row(*cells, style="dim" if system.oracle else "")
    if report.folded:
        table.caption = Text(f"and {len(report.folded)} single adapters: see the report", style="dim")
    return table


def closing_lines(
    report: RunReport, *, report_path: str | Path, specialist: str | Path | None = None
) -> list[str]:
    """The last lines: what is recommended and why, what left this machine, where everything lies."""
    end = conclusion(report)
    said = f"{end.kicker.lower()}: {end.title}" if report.recommended is not None else end.title.lower()
    lines = [f"{said}, because {end.sentence}" if end.sentence else said]
    lines.append(
        "left this machine: " + "; ".join(report.leaves) if report.leaves else "nothing left this machine"
    )
    loud = [finding for finding in report.findings if finding.level != "info"]
    lines += [": ".join(filter(None, (f.level, f.where, f.sentence))) for f in loud[:3]]
    if len(loud) > 3:
        lines.append(f"... and {len(loud) - 3} more findings in the report")
    if report.refused:
        lines.append(f"refused: {len(report.refused)}, each with its reason in the report")
    paths = {"report": report_path, "specialist": specialist}
    lines += [f"{what}: {path}" for what, path in paths.items() if path is not None]
    return [printable(line) for line in lines]


def printable(text: str) -> str:
    r"""One line without control characters, direction marks or lone surrogates.

    >>> printable("a\x1b[31mb\nc")
    'a [31mb c'
    """
    return " ".join(_HIDDEN.sub(" ", text).split())


def _columns(report: RunReport, scale: Scale) -> list[_Column]:
    """All columns in order. Oracles show no p and no verdict of their own: they compete with nobody."""
    return [
        _Column("system", lambda s: s.name, justify="left"),
        _Column("score", lambda s: scale.number(s.value)),
        _Column("95 % interval", lambda s: scale.interval(s.interval), at_width=72),
        _Column(
            report.against, lambda s: "" if s.difference is None else scale.signed(s.difference), at_width=60
        ),
        _Column("p (Holm)", lambda s: "" if s.p_holm is None else p_value(s.p_holm), at_width=96),
        _Column("cost", _cost, at_width=96),
        _Column("verdict", lambda s: s.verdict, justify="left"),
    ]


def _cost(system: SystemResult) -> str:
    return duration(system.seconds) + (f", {money(system.usd)}" if system.usd else "")


def _style(header: str, system: SystemResult) -> str:
    return _STYLES.get(chip(system), "") if header == "verdict" else ""
