"""``bank scan`` and ``bank audit``."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated

import typer

from kshot.cli import bank_build
from kshot.cli.tables import print_table

app = typer.Typer(help="Build and look at folders of adapters.", no_args_is_help=True)
app.command("build")(bank_build.build)
app.command("recipe")(bank_build.recipe)
Folder = Annotated[str, typer.Argument(metavar="BANK", help="A folder of adapter folders.")]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON.")]


@app.command()
def scan(bank: Folder, as_json: AsJson = False) -> None:
    """List every adapter: base, rank, alpha, targets, size, hash, licence."""
    from kshot.models.bank import Bank

    rows = Bank(bank).rows()
    _show(
        rows,
        as_json,
        columns=("name", "base", "rank", "alpha", "targets", "size", "sha256", "licence", "problem"),
    )


@app.command()
def audit(
    bank: Folder,
    base: Annotated[
        Path | None, typer.Option(help="The base model's folder; without it no fit is judged.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Say which adapters fit the base, judged by tensor shapes, and what is wrong with the others."""
    from kshot.models.bank import Bank

    found = Bank(bank).audit(base)
    if as_json:
        print(json.dumps(found.to_json(), indent=1, ensure_ascii=False))
        return
    _show(found.rows(), False, columns=("name", "level", "code", "sentence"))
    print(f"{len(found.usable)} usable, {len(found.refused)} refused")


def _show(rows: list[dict[str, object]], as_json: bool, *, columns: tuple[str, ...]) -> None:
    if as_json:
        print(json.dumps(rows, indent=1, ensure_ascii=False))
        return
    print_table(columns, ([row.get(column) for column in columns] for row in rows))
