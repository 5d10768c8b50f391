"""The report of an exploration on disk: page, Markdown and JSON, each whole or not at all."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from kshot.errors import DataError
from kshot.report.explore.facts import ExploreFacts
from kshot.report.explore.markdown import explore_markdown
from kshot.report.explore.pages import explore_page
from kshot.report.plain import from_plain, to_plain
from kshot.report.write import ReportPaths, write_three

_FORMAT, _VERSION = "kshot-explore-report", 1


def write_explore_report(folder: str | Path, facts: ExploreFacts, *, name: str = "report") -> ReportPaths:
    """Writes ``NAME.json``, ``NAME.md`` and ``NAME.html`` into ``folder``, which it makes.

    All three are made before the first is written. Equal facts give equal bytes.

    Raises:
        RunError: The folder cannot be made or written.

    Example::

        write_explore_report("runs/rewriting", facts).html
    """
    return write_three(folder, name, explore_to_json(facts), explore_markdown(facts), explore_page(facts))


def explore_to_json(facts: ExploreFacts) -> dict[str, Any]:
    """The facts as JSON values, with the name and version of the format."""
    plain: dict[str, Any] = to_plain(facts)
    return {"format": _FORMAT, "version": _VERSION, **plain}


def explore_from_json(plain: Mapping[str, Any]) -> ExploreFacts:
    """The facts that ``explore_to_json`` wrote.

    Raises:
        DataError: It is no such report, or of another version.

    >>> told = ExploreFacts(domain="rewriting")
    >>> explore_from_json(explore_to_json(told)) == told
    True
    """
    if plain.get("format") != _FORMAT or plain.get("version") != _VERSION:
        found = f"{plain.get('format')!r}, version {plain.get('version')!r}"
        raise DataError(f"explore report: found {found}; expected {_FORMAT!r}, version {_VERSION}")
    facts: ExploreFacts = from_plain(ExploreFacts, plain, where="explore report")
    return facts
