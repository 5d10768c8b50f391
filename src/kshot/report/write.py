"""The report on disk: three files of one run, each written whole or not at all."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

from kshot.data.atomic import write_atomically
from kshot.errors import RunError
from kshot.report.markdown import markdown
from kshot.report.page import html_page
from kshot.report.result import RunReport


@dataclass(frozen=True, slots=True)
class ReportPaths:
    """Where the report lies."""

    html: Path
    markdown: Path
    json: Path


def write_report(report: RunReport, folder: str | Path) -> ReportPaths:
    r"""Writes ``report.json``, ``report.md`` and ``report.html`` into ``folder``, which it makes.

    All three are made before the first is written. Equal reports give equal bytes. Lone surrogates, which
    no file can hold, stand as ``\udXXX``.

    Raises:
        RunError: The folder cannot be made or written.
    """
    place = Path(folder)
    paths = ReportPaths(place / "report.html", place / "report.md", place / "report.json")
    plain = json.dumps(report.to_json(), ensure_ascii=False, indent=2, allow_nan=False) + "\n"
    texts = {paths.json: plain, paths.markdown: markdown(report), paths.html: html_page(report)}
    try:
        place.mkdir(parents=True, exist_ok=True)
        for path, text in texts.items():
            write_atomically(path, text.encode("utf-8", "backslashreplace"))
    except OSError as error:
        raise RunError(f"{place}: the report cannot be written ({error.strerror or error})") from error
    return paths
