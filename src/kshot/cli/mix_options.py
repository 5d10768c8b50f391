"""The options of ``mix``, one alias each, so that the verb's signature stays readable."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

Models = Annotated[
    list[str] | None,
    typer.Argument(metavar="[MODEL]...", help="Folders or hub names: full models or LoRA adapters."),
]
Out = Annotated[Path | None, typer.Option(help="The folder to write; absent or empty.")]
Weights = Annotated[
    str | None,
    typer.Option(
        help="Numbers like 0.5,0.3,0.2, or softmax, uniform, best, greedy, simplex, cma; default: softmax."
    ),
]
Examples = Annotated[
    str | None,
    typer.Option(metavar="FILE", help="The shots: input and output, or query, pos and neg; FILE#TASK."),
]
Temperature = Annotated[str, typer.Option(help="Of softmax; auto chooses by cross-fit on the examples.")]
Base = Annotated[
    str | None, typer.Option(help="Whose layout and tokenizer are kept; default: the first full model.")
]
FineTuned = Annotated[str | None, typer.Option(help="The model for the target, mixed in by --alpha.")]
Alpha = Annotated[str | None, typer.Option(help="Weight of the fine-tuned model, or auto (needs --general).")]
General = Annotated[str | None, typer.Option(metavar="FILE", help="Examples of what must not be lost.")]
Kind = Annotated[str, typer.Option(help="auto, decoder, encoder, reranker, encoder-decoder.")]
Layers = Annotated[
    list[str] | None,
    typer.Option("--layer", metavar="PATTERN=W,W", help="Weights of matching tensors; repeatable."),
]
Operation = Annotated[str, typer.Option(help="linear, slerp, task_arithmetic, ties, dare or as_released.")]
Density = Annotated[float | None, typer.Option(help="Share of a delta that ties and dare keep.")]
Scale = Annotated[float | None, typer.Option(help="Factor of the summed deltas.")]
Adapter = Annotated[bool, typer.Option("--adapter", help="Mix LoRA adapters into one LoRA.")]
Rank = Annotated[int | None, typer.Option(min=1, help="With --adapter: cut it to this rank.")]
Dtype = Annotated[str | None, typer.Option(help="Of the output; default: the base's.")]
Revision = Annotated[str | None, typer.Option(help="Of hub names.")]
Device = Annotated[str, typer.Option(help="Where examples are scored.")]
Threads = Annotated[int | None, typer.Option(min=1, help="Of the writing; default: one a core.")]
Evaluations = Annotated[int, typer.Option(min=1, help="Mixes that simplex and cma try, at most.")]
Seed = Annotated[int, typer.Option(min=0, help="Of negatives, folds and searches.")]
Force = Annotated[
    bool, typer.Option("--force", help="Keep searched weights that cross-fit does not support.")
]
Hashes = Annotated[
    bool, typer.Option("--hashes/--no-hashes", help="Hash every input for the card; reads them once more.")
]
Report = Annotated[Path | None, typer.Option(metavar="FILE", help="Write a page with tables and curves.")]
DryRun = Annotated[bool, typer.Option("--dry-run", help="Check, print the plan and stop.")]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON.")]
