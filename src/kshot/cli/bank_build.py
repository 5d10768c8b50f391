"""``bank build`` and ``bank recipe``."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from kshot.models.base import LanguageModel
    from kshot.pipeline.bank_build import BankBuilt

Name = Annotated[str, typer.Argument(metavar="RECIPE", help="A recipe file, or `paper`.")]


def build(
    recipe: Name,
    base: Annotated[str, typer.Option(help="The base model: a folder or a hub id.")],
    out: Annotated[Path, typer.Option(help="The bank's folder; an earlier build there is gone on with.")],
    only: Annotated[
        list[str] | None, typer.Option(metavar="NAME", help="Build this adapter alone; repeatable.")
    ] = None,
    reasoning_model: Annotated[
        str | None,
        typer.Option(help="A model folder or hub id that writes reasoning for rows that lack it."),
    ] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Print the plan and stop.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print bank.json instead of the table.")] = False,
) -> int:
    """Train one adapter for each dataset of a recipe; exit code 1 if one of them failed."""
    from kshot.cli.progress import listener
    from kshot.pipeline.bank_build import build_bank, dry, load_recipe

    loaded = load_recipe(recipe)
    if dry_run:
        print("\n".join(dry(loaded, base, out, only=only or ())))
        return 0
    writer = _writer(reasoning_model)
    with listener() as listen:
        built = build_bank(loaded, base=base, out=out, only=only or (), writer=writer, listener=listen)
    if as_json:
        print((out / "bank.json").read_text(encoding="utf-8"), end="")
    else:
        _show(built)
    return 0 if built.complete else 1


def recipe(name: Name = "paper") -> None:
    """Print a recipe, to be edited: `kshot bank recipe paper > bank.yaml`."""
    from kshot.pipeline.bank_build import load_recipe, recipe_file

    load_recipe(name)
    print(recipe_file(name).read_text(encoding="utf-8"), end="")


def _writer(name: str | None) -> LanguageModel | None:
    if name is None:
        return None
    from kshot.models.hf import HfModel

    return HfModel.load(name)


def _show(built: BankBuilt) -> None:
    from kshot.cli.tables import print_table

    columns = ("name", "rows", "left out", "first loss", "last loss", "held out, base", "held out", "licence")
    keys = ("name", "rows", "left_out", "first_loss", "last_loss", "held_out_loss_of_the_base",
            "held_out_loss", "licence")  # fmt: skip
    print_table(columns, ([_cell(row[key]) for key in keys] for row in built.adapters))
    print(f"{len(built.built)} built, {len(built.kept)} kept, {len(built.failed)} failed: {built.folder}")
    for name, reason in built.failed:
        print(f"failed: {name}: {reason}")
    if built.left:
        print(f"time was up; the same command goes on with {', '.join(built.left)}")


def _cell(value: object) -> object:
    return f"{value:.3f}" if isinstance(value, float) else value
