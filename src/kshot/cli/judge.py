"""``compare``: predictions files against one another."""

from __future__ import annotations

import csv
import json
from pathlib import Path
from typing import Annotated, Any

import typer

from kshot.cli.tables import print_table


def compare(
    files: Annotated[
        list[Path], typer.Argument(help="Predictions files of equal rows; the first is the reference.")
    ],
    metric: Annotated[str, typer.Option(help="The metric's name.")] = "exact_match",
    labels: Annotated[
        str | None,
        typer.Option(
            metavar="A,B,C", help="The task's labels, for metrics over classes; quote one that has a comma."
        ),
    ] = None,
    margin: Annotated[float, typer.Option(help="Differences within +- this are called tied.")] = 0.02,
    seed: Annotated[int, typer.Option(help="Seed of the bootstrap.")] = 0,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Compare predictions files row by row: differences, intervals, paired tests, verdicts."""
    from kshot.measure.files import compare_files

    rows = compare_files(files, metric=metric, labels=_labels(labels), margin=margin, seed=seed)
    if as_json:
        print(json.dumps(rows, indent=1, ensure_ascii=False))
        return
    columns = ("file", "n", metric, "95 % interval", "difference", "95 % interval", "p (Holm)", "verdict")
    print_table(columns, (_cells(row) for row in rows))


def _cells(row: dict[str, Any]) -> tuple[object, ...]:
    return (
        row["file"],
        row["n"],
        f"{row['value']:.4f}",
        _range(row["interval"]),
        None if row["difference"] is None else f"{row['difference']:+.4f}",
        _range(row["difference_interval"]),
        None if row["p_holm"] is None else f"{row['p_holm']:.4f}",
        row["verdict"],
    )


def _labels(text: str | None) -> list[str] | None:
    if text is None:
        return None
    from kshot.errors import InputError

    try:
        labels = [label.strip() for label in next(csv.reader([text], skipinitialspace=True, strict=True), [])]
    except csv.Error as error:
        raise InputError(f"--labels: {text!r} cannot be read ({error}); expected A,B,C") from None
    if not all(labels) or not labels:
        raise InputError(f"--labels: {text!r} has an empty label; expected A,B,C")
    return labels


def _range(interval: tuple[float, float] | None) -> str:
    return "" if interval is None else f"[{interval[0]:.3f}, {interval[1]:.3f}]"
