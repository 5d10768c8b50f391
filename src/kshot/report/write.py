"""The report on disk: three files of one run, each written whole or not at all."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

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
    return write_three(folder, "report", report.to_json(), markdown(report), html_page(report))


def write_three(folder: str | Path, name: str, plain: Mapping[str, Any], text: str, page: str) -> ReportPaths:
    r"""Writes ``NAME.json``, ``NAME.md`` and ``NAME.html``, each whole or not at all.

    Lone surrogates, which no file can hold, stand as ``\udXXX``.

    Raises:
        RunError: The folder cannot be made or written.

    Example::

        write_three("runs/panda", "panda", plain, markdown_text, page).html
    """
    place = Path(folder)
    paths = ReportPaths(place / f"{name}.html", place / f"{name}.md", place / f"{name}.json")
    as_json = json.dumps(plain, ensure_ascii=False, indent=2, allow_nan=False) + "\n"
    try:
        place.mkdir(parents=True, exist_ok=True)
        for path, content in ((paths.json, as_json), (paths.markdown, text), (paths.html, page)):
            write_atomically(path, content.encode("utf-8", "backslashreplace"))
    except OSError as error:
        raise RunError(f"{place}: the report cannot be written ({error.strerror or error})") from error
    return paths
