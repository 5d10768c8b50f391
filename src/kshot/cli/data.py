"""``data``: which rows of open datasets are near the shots."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, cast, get_args

import typer

from kshot.cli.tables import print_table

if TYPE_CHECKING:
    from kshot.data.example import Example
    from kshot.data.taskfile.settings import DataSection
    from kshot.methods.select_data import Similarity
    from kshot.pipeline.choose_data import DataChoice
    from kshot.pipeline.open_pool import EmbeddedPool, RowText, TextChoice
    from kshot.runs import Listener


TaskName = Annotated[
    str | None, typer.Argument(help="A task file with knowledge: datasets, or miniature:NAME.")
]
Out = Annotated[Path, typer.Option(help="Folder for chosen.jsonl, dropped.jsonl and choice.json.")]
Shots = Annotated[Path | None, typer.Option(help="Without a task: the shots.")]
Pool = Annotated[
    list[Path] | None, typer.Option(help="Without a task: open rows, a file or folder; may be repeated.")
]
Guard = Annotated[
    list[Path] | None,
    typer.Option(help="Without a task: rows that must not come back, beside the shots; may be repeated."),
]
Count = Annotated[int | None, typer.Option(help="Candidates; with --refill, rows; default: 1000")]
Threshold = Annotated[float | None, typer.Option(help="Cosine of near-duplicates; default: 0.9")]
Likeness = Annotated[str | None, typer.Option(help="max (default), mean, round_robin, kde or random")]
Refill = Annotated[bool | None, typer.Option(help="Take further candidates in place of near-duplicates.")]
Encoder = Annotated[str | None, typer.Option(help="hashing, model, or a sentence-transformers folder.")]
Text = Annotated[str, typer.Option(help="What is embedded: auto, record or question.")]
Store = Annotated[
    Path | None, typer.Option(help="Where vectors are kept for later runs; default: OUT/embeddings.")
]
K = Annotated[int | None, typer.Option(help="How many shots to draw; overrides the task file.")]
Seed = Annotated[int | None, typer.Option(help="Seed of the draw; overrides the task file.")]
AsJson = Annotated[bool, typer.Option("--json", help="Print choice.json instead of the table.")]


def data(
    task: TaskName = None,
    out: Out = Path("data"),
    shots: Shots = None,
    pool: Pool = None,
    guard: Guard = None,
    count: Count = None,
    threshold: Threshold = None,
    similarity: Likeness = None,
    refill: Refill = None,
    embedder: Encoder = None,
    text: Text = "auto",
    store: Store = None,
    k: K = None,
    seed: Seed = None,
    as_json: AsJson = False,
) -> None:
    """Choose open rows near the shots: guarded against test rows, without near-duplicates."""
    from kshot.cli.progress import listener
    from kshot.methods.select_data import Selector
    from kshot.pipeline.choose_data import choose_data

    _check(task, shots, pool, text)
    Selector(cast("Similarity", similarity or "max"))  # a wrong name is told before any work
    place, drawn = store or out / "embeddings", 0
    with listener() as listen:
        if task is not None:
            split, found, section, drawn = _of_task(task, k, seed, embedder, text, place, listen)
        else:
            split, found, section = _of_files(cast("Path", shots), pool, guard, embedder, text, place, listen)
        choice = choose_data(
            split,
            found,
            count=section.count if count is None else count,
            threshold=section.threshold if threshold is None else threshold,
            similarity=Selector(cast("Similarity", similarity or section.similarity), seed=seed or drawn),
            refill=section.refill if refill is None else refill,
        )
        choice.write(out)
        _write_lessons(out, choice, seed or drawn)
    _show(choice, out, as_json)


def _write_lessons(out: Path, choice: DataChoice, seed: int) -> None:
    from kshot.data.formats import write_examples
    from kshot.pipeline.choose_data import training_rows

    write_examples(out / "train.jsonl", training_rows(choice.shots, choice.rows, seed=seed))


def _check(task: str | None, shots: Path | None, pool: list[Path] | None, text: str) -> None:
    from kshot.errors import InputError
    from kshot.pipeline.open_pool import TextChoice

    if (task is None) == (shots is None):
        raise InputError("give a task file, or --shots FILE and --pool FILE")
    if (shots is None) != (not pool):
        raise InputError("--shots and --pool go together, and without a task file")
    if text not in get_args(TextChoice):
        raise InputError(f"--text is {text!r}, expected one of {', '.join(get_args(TextChoice))}")


def _of_task(
    name: str,
    k: int | None,
    seed: int | None,
    embedder: str | None,
    text: str,
    place: Path,
    listen: Listener,
) -> tuple[tuple[Example, ...], EmbeddedPool, DataSection, int]:
    from kshot.cli.places import load_task
    from kshot.pipeline.choose_data import data_embedder
    from kshot.pipeline.open_pool import pool_of
    from kshot.pipeline.workbench import Workbench
    from kshot.runs import Run

    task = load_task(name, k=k, seed=seed)
    encoder = data_embedder(Workbench(task, Run(place, listener=listen)), embedder)
    text = task.settings.data.text if text == "auto" else text
    found = pool_of(task, encoder, folder=place, text=cast("TextChoice", text), listener=listen)
    return task.shots, found, task.settings.data, task.settings.examples.seed


def _of_files(
    shots: Path,
    pool: list[Path] | None,
    guarded: list[Path] | None,
    embedder: str | None,
    text: str,
    place: Path,
    listen: Listener,
) -> tuple[tuple[Example, ...], EmbeddedPool, DataSection]:
    from kshot.data.formats import read_examples
    from kshot.data.taskfile.settings import DataSection
    from kshot.models.embed import load_embedder
    from kshot.models.embed.store import EmbeddingStore
    from kshot.pipeline.open_pool import dataset_files, embed_pool, guard_pool, read_rows
    from kshot.runs import slug

    rows = read_examples(shots, labelled=False).examples
    protected = {"shots": rows, "guard": tuple(read_rows(dataset_files(guarded or ())))}
    encoder = load_embedder(embedder or "hashing")
    store = EmbeddingStore(place / slug(encoder.id), encoder)
    passed = guard_pool(dataset_files(pool or ()), protected, listener=listen)
    chosen_text = cast("RowText", "record" if text == "auto" else text)
    return rows, embed_pool(passed, store, text=chosen_text, listener=listen), DataSection()


def _show(choice: DataChoice, out: Path, as_json: bool) -> None:
    if as_json:
        print(json.dumps(choice.to_json(), indent=1, ensure_ascii=False))
        return
    counts = choice.counts()
    print_table(("rows", "count"), counts.items())
    if choice.flagged:
        print(
            f"{len(choice.flagged)} chosen rows come near a protected row: look at `flagged` in choice.json"
        )
    print(f"chosen rows: {out / 'chosen.jsonl'}; the others with their reasons: {out / 'dropped.jsonl'}")
