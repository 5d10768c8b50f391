"""``experts``: which adapters of the bank suit the shots."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

if TYPE_CHECKING:
    from kshot.pipeline.choose_experts import ExpertChoice


def experts(
    task: Annotated[
        str, typer.Argument(help="A task file, or miniature:NAME (single, mixed, hard, notes, echo).")
    ],
    out: Annotated[Path | None, typer.Option(help="Write everything as JSON into this file too.")] = None,
    run: Annotated[
        Path | None,
        typer.Option(metavar="DIR", help="The run folder, which keeps the scores; default: runs/NAME."),
    ] = None,
    size: Annotated[int | None, typer.Option(min=1, help="How many experts are chosen.")] = None,
    pool: Annotated[
        int | None, typer.Option(min=1, help="How many of the best ranked groups are made of.")
    ] = None,
    rule: Annotated[
        str | None,
        typer.Option(help="paper, released-code, coverage; ranks, accuracy, perplexity, random to compare."),
    ] = None,
    similarity: Annotated[str | None, typer.Option(help="delta, ab_signed or ab_abs.")] = None,
    exclude: Annotated[
        list[str] | None, typer.Option(metavar="NAME", help="An adapter that must not be chosen; repeatable.")
    ] = None,
    k: Annotated[int | None, typer.Option(help="How many shots to draw; overrides the task file.")] = None,
    seed: Annotated[int | None, typer.Option(help="Seed of the draw; overrides the task file.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON instead of the table.")] = False,
) -> None:
    """Choose the adapters that suit the shots; say why the others were left, and how sure that is."""
    changes = {"size": size, "pool": pool, "rule": rule, "similarity": similarity, "exclude": exclude}
    choice = _chosen(task, {name: value for name, value in changes.items() if value}, (k, seed), run, out)
    if as_json:
        print(json.dumps(choice.to_json(), indent=1, ensure_ascii=False))
        return
    _print(choice)


def _chosen(
    task: str,
    changes: dict[str, Any],
    draw: tuple[int | None, int | None],
    run: Path | None,
    out: Path | None,
) -> ExpertChoice:
    """What the task's shots choose; written to ``out`` where that is given."""
    from kshot.cli.places import check_place, load_task
    from kshot.cli.progress import listener
    from kshot.errors import RunError
    from kshot.pipeline.choose_experts import asked, choose_experts
    from kshot.pipeline.workbench import Workbench
    from kshot.runs import Run, slug, write_json

    if out is not None:
        check_place(out)
    loaded = load_task(task, k=draw[0], seed=draw[1])
    settings = asked(loaded.settings.experts, changes)
    with listener() as listen:
        scored = Run(run or Path("runs") / slug(loaded.name), listener=listen)
        with scored.open():
            choice = choose_experts(Workbench(loaded, scored), loaded.shots, settings=settings)
    if out is not None:
        try:
            write_json(out, choice.to_json())
        except OSError as error:
            raise RunError(f"{out}: cannot be written ({error.strerror or error})") from error
    return choice


def _print(choice: ExpertChoice) -> None:
    from kshot.cli.tables import print_table
    from kshot.report.terminal import printable

    columns = (
        "", "name", "right", "perplexity", "ranks", "in pool", "chosen", "left because",
    )  # fmt: skip
    print_table(columns, (_cells(row) for row in choice.rows()))
    print(printable(f"chosen by {choice.selection.rule}: {', '.join(choice.names)}"))
    if choice.selection.margin is not None:
        groups = choice.selection.groups
        what = next(iter(groups.values)).replace("_", " ")
        print(f"the runner-up of {len(groups)} groups is worse by {groups.margin:g} ({what})")
    if choice.unrestricted is not None:
        print(printable(f"with nothing excluded: {', '.join(choice.unrestricted)}"))
    for note in choice.notes:
        print(printable(f"note: {note}"))
    print(
        "right, perplexity: mean over the shots ± standard error; in pool, chosen: over 1,000 draws of them"
    )


def _cells(row: dict[str, Any]) -> tuple[object, ...]:
    mark = "*" if row["chosen"] else "." if row["in_pool"] else ""
    if "perplexity" not in row:
        return mark, row["name"], None, None, None, None, None, row["left"]
    return (
        mark,
        row["name"],
        _with_error(row["accuracy"], row["accuracy_error"], 2),
        _with_error(row["perplexity"], row["perplexity_error"], 3),
        f"{row['perplexity_rank']} + {row['accuracy_rank']}",
        _share(row["pool_chance"]),
        _share(row["chosen_chance"]),
        row["left"],
    )


def _with_error(value: float, error: float | None, digits: int) -> str:
    return f"{value:.{digits}f}" + ("" if error is None else f" ± {error:.{digits}f}")


def _share(value: float | None) -> str | None:
    return None if value is None else f"{100 * value:.0f} %"
