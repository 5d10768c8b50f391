"""``mix``: several models become one, by weights given, or found on the shots."""

from __future__ import annotations

import json
import shlex
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

if TYPE_CHECKING:
    from kshot.pipeline.mix import MixJob


def mix(
    models: Annotated[
        list[str] | None,
        typer.Argument(metavar="[MODEL]...", help="Folders or hub names: full models or LoRA adapters."),
    ] = None,
    out: Annotated[Path | None, typer.Option(help="The folder to write; absent or empty.")] = None,
    weights: Annotated[
        str | None,
        typer.Option(
            help="Numbers like 0.5,0.3,0.2, or softmax, uniform, best, greedy, simplex, cma; "
            "default: softmax with --examples."
        ),
    ] = None,
    examples: Annotated[
        str | None,
        typer.Option(metavar="FILE", help="The shots: input and output, or query, pos and neg; FILE#TASK."),
    ] = None,
    temperature: Annotated[
        str, typer.Option(help="Of softmax; auto chooses by cross-fit on the examples.")
    ] = "5.0",
    base: Annotated[
        str | None, typer.Option(help="Whose layout and tokenizer are kept; default: the first full model.")
    ] = None,
    fine_tuned: Annotated[
        str | None, typer.Option(help="The model for the target, mixed in by --alpha.")
    ] = None,
    alpha: Annotated[
        str | None, typer.Option(help="Weight of the fine-tuned model, or auto (needs --general).")
    ] = None,
    general: Annotated[
        str | None, typer.Option(metavar="FILE", help="Examples of what must not be lost.")
    ] = None,
    kind: Annotated[str, typer.Option(help="auto, decoder, encoder, reranker, encoder-decoder.")] = "auto",
    layers: Annotated[
        list[str] | None,
        typer.Option("--layer", metavar="PATTERN=W,W", help="Weights of matching tensors; repeatable."),
    ] = None,
    operation: Annotated[str, typer.Option(help="linear, slerp, task_arithmetic, ties, dare ...")] = "linear",
    density: Annotated[float | None, typer.Option(help="Share of a delta that ties and dare keep.")] = None,
    scale: Annotated[float | None, typer.Option(help="Factor of the summed deltas.")] = None,
    adapter: Annotated[bool, typer.Option("--adapter", help="Mix LoRA adapters into one LoRA.")] = False,
    rank: Annotated[int | None, typer.Option(min=1, help="With --adapter: cut it to this rank.")] = None,
    dtype: Annotated[str | None, typer.Option(help="Of the output; default: the base's.")] = None,
    revision: Annotated[str | None, typer.Option(help="Of hub names.")] = None,
    device: Annotated[str, typer.Option(help="Where examples are scored.")] = "auto",
    threads: Annotated[int | None, typer.Option(min=1, help="Of the writing; default: one a core.")] = None,
    evaluations: Annotated[int, typer.Option(min=1, help="Of greedy, simplex and cma, at most.")] = 200,
    seed: Annotated[int, typer.Option(min=0, help="Of negatives, folds and searches.")] = 0,
    force: Annotated[
        bool, typer.Option("--force", help="Keep searched weights that cross-fit does not support.")
    ] = False,
    hashes: Annotated[
        bool,
        typer.Option("--hashes/--no-hashes", help="Hash every input for the card; reads them once more."),
    ] = True,
    report: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Write a page with tables and curves.")
    ] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Check, print the plan and stop.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Mix models into one, exactly and without loading them; weights by hand or from a few examples."""
    from kshot.errors import InputError

    how = {"temperature": _number(temperature, "--temperature", word="auto"), "seed": seed}
    job = _job(
        tuple(models or ()),
        weights,
        how | {"evaluations": evaluations, "forced": force},
        {"examples": examples, "general": general},
        base=base,
        fine_tuned=fine_tuned,
        alpha=None if alpha is None else _number(alpha, "--alpha", word="auto"),
        kind=kind,
        layer_weights=tuple(_layer(text) for text in layers or ()),
        operation=operation,
        density=density,
        scale=scale,
        adapter=adapter,
        rank=rank,
        dtype=dtype,
        revision=revision,
        device=device,
        threads=threads,
        hashed=hashes,
        command=shlex.join(["kshot", *sys.argv[1:]]),
    )
    if dry_run:
        _print_plan(job, as_json=as_json)
        return
    if out is None:
        raise InputError("--out is missing: name the folder to write, or give --dry-run to see the plan")
    _mix(job, out, report, as_json=as_json)


def _job(
    models: tuple[str, ...],
    weights: str | None,
    weighing: dict[str, Any],
    files: dict[str, str | None],
    **options: Any,
) -> MixJob:
    from kshot.models.kinds.rows import mixing_rows
    from kshot.pipeline.mix.job import MixJob, Weighing, parsed_weights

    found = "softmax" if weights is None else parsed_weights(weights)
    numbers = found if isinstance(found, tuple) else None
    rule = "softmax" if isinstance(found, tuple) else found
    rows: dict[str, Any] = {name: None if file is None else mixing_rows(file) for name, file in files.items()}
    return MixJob(models, weights=numbers, weighing=Weighing(rule, **weighing), **rows, **options)


def _number(text: str, option: str, *, word: str) -> Any:
    from kshot.errors import InputError

    if text == word:
        return word
    try:
        return float(text)
    except ValueError:
        raise InputError(f"{option} {text!r}: expected a number, or {word}") from None


def _layer(text: str) -> tuple[str, tuple[float, ...]]:
    from kshot.errors import InputError
    from kshot.pipeline.mix.job import parsed_weights

    pattern, mark, numbers = text.rpartition("=")
    found = parsed_weights(numbers) if mark and pattern else None
    if not isinstance(found, tuple):
        raise InputError(f"--layer {text!r}: expected PATTERN=WEIGHTS, like 'model.layers.0.*=0.2,0.8'")
    return pattern, found


def _print_plan(job: MixJob, *, as_json: bool) -> None:
    from kshot.pipeline.mix import planned

    told = planned(job)
    print(json.dumps(told.to_json(), indent=1, ensure_ascii=False) if as_json else "\n".join(told.lines()))
    told.plan.check()


def _mix(job: MixJob, out: Path, report: Path | None, *, as_json: bool) -> None:
    from kshot.cli.places import check_place
    from kshot.cli.progress import listener
    from kshot.cli.tables import print_table
    from kshot.pipeline.mix import mixed
    from kshot.report.terminal import printable

    if report is not None:
        check_place(report)
    with listener() as listen:
        done = mixed(job, out, listener=listen)
    if report is not None:
        done.write_page(report)
    if as_json:
        print(json.dumps(done.facts, indent=1, ensure_ascii=False))
        return
    print_table(*done.table())
    for line in done.lines():
        print(printable(line))
    print(done.folder)
