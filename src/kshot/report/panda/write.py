"""A PANDA report on disk: page, Markdown and JSON, each whole or not at all."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from kshot.errors import DataError
from kshot.report.panda.facts import PandaReport
from kshot.report.panda.markdown import panda_markdown
from kshot.report.panda.pages import panda_page
from kshot.report.plain import from_plain, to_plain
from kshot.report.write import ReportPaths, write_three

_FORMAT, _VERSION = "kshot-panda-report", 1


def write_panda_report(report: PandaReport, folder: str | Path, *, name: str = "panda") -> ReportPaths:
    """Writes ``panda.json``, ``panda.md`` and ``panda.html`` into ``folder``, which it makes.

    All three are made before the first is written. Equal reports give equal bytes.

    Raises:
        RunError: The folder cannot be made or written.

    Example::

        write_panda_report(report, "runs/panda").html
    """
    return write_three(folder, name, report_to_json(report), panda_markdown(report), panda_page(report))


def report_to_json(report: PandaReport) -> dict[str, Any]:
    """The report as JSON values, with the name and version of the format."""
    plain: dict[str, Any] = to_plain(report)
    return {"format": _FORMAT, "version": _VERSION, **plain}


def report_from_json(plain: Mapping[str, Any]) -> PandaReport:
    """The report that ``report_to_json`` wrote; NaN stands as null between.

    Raises:
        DataError: It is no such report, or of a newer version.

    >>> told = PandaReport(task="t", metric="accuracy", n=1, headline="h", reference="r", systems=())
    >>> report_from_json(report_to_json(told)) == told
    True
    """
    if plain.get("format") != _FORMAT:
        raise DataError(f"panda report: format is {plain.get('format')!r}, expected {_FORMAT!r}")
    if plain.get("version") != _VERSION:
        raise DataError(
            f"panda report: version {plain.get('version')!r}, this kshot reads version {_VERSION}"
        )
    report: PandaReport = from_plain(PandaReport, plain, where="panda report")
    return report
