"""``run`` and ``predict``."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Annotated

import typer

from kshot.cli.places import check_place, load_task

TaskNamed = Annotated[
    str,
    typer.Argument(
        metavar="TASK",
        help="A task file, miniature:NAME (single, mixed, hard, notes, echo), or tweeteval:FOLDER/TASK.",
    ),
]


def run(
    task: TaskNamed,
    out: Annotated[Path | None, typer.Option(help="The run folder; default: runs/NAME.")] = None,
    k: Annotated[int | None, typer.Option(help="How many shots to draw; overrides the task file.")] = None,
    seed: Annotated[int | None, typer.Option(help="Seed of the draw; overrides the task file.")] = None,
    ablate: Annotated[
        bool, typer.Option("--ablate", help="Build the ablations and further baselines too.")
    ] = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Print the plan and stop.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print report.json instead of the table.")] = False,
) -> None:
    """Build every system that the task allows, judge each on held-out rows, write the report."""
    from kshot.cli.progress import listener
    from kshot.pipeline.run import dry, run_task
    from kshot.runs import slug

    loaded = load_task(task, k=k, seed=seed)
    if ablate:
        loaded = loaded.with_systems((*(loaded.settings.systems or ("standard",)), "ablations"))
    folder = out or Path("runs") / slug(loaded.name)
    if dry_run:
        print("\n".join(dry(loaded, folder)))
        return
    with listener() as listen:
        finished = run_task(loaded, folder, listener=listen)
    if as_json:
        print((folder / "report.json").read_text(encoding="utf-8"))
        return
    from rich.console import Console

    from kshot.report import closing_lines, leaderboard_table

    console = Console()
    console.print(leaderboard_table(finished.report, width=console.width))
    print(
        "\n".join(closing_lines(finished.report, report_path=finished.html, specialist=finished.specialist))
    )


def predict(
    run_folder: Annotated[Path, typer.Argument(metavar="RUN", help="The folder of a finished run.")],
    system: Annotated[str, typer.Argument(help='The name of a system in its report, e.g. "zero-shot".')],
    rows: Annotated[Path, typer.Argument(help="New rows; answers are not needed.")],
    out: Annotated[Path | None, typer.Option(help="Write JSONL here instead of the terminal.")] = None,
) -> None:
    """Ask a finished system about new rows."""
    from kshot.cli.progress import listener
    from kshot.data.formats import read_examples
    from kshot.errors import RunError
    from kshot.pipeline.specialist import ask_again
    from kshot.runs import write_text

    if out is not None:
        check_place(out)
    examples = read_examples(rows, labelled=False).examples
    with listener() as listen:
        found = ask_again(run_folder, system, examples, listener=listen)
    lines = [
        json.dumps({"prompt": row.prompt} | prediction.to_row(), ensure_ascii=False)
        for row, prediction in zip(examples, found, strict=True)
    ]
    text = "".join(line + "\n" for line in lines)
    if out is None:
        sys.stdout.write(text)
        return
    try:
        write_text(out, text)
    except OSError as error:
        raise RunError(f"{out}: cannot be written ({error.strerror or error})") from error
