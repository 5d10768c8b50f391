"""``train``: fine-tune on labelled rows, and mix back with the base so that the rest is kept."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

if TYPE_CHECKING:
    from kshot.data.example import Example
    from kshot.data.template import Template


Rows = Annotated[Path, typer.Argument(help="Labelled rows in any of the formats that kshot reads.")]
Base = Annotated[str, typer.Option(help="The base model: a folder or a hub id.")]
Out = Annotated[Path, typer.Option(help="The folder to write; absent or empty.")]
Full = Annotated[bool, typer.Option("--full/--lora", help="Train all weights, or a LoRA adapter.")]
KeepGeneral = Annotated[
    str | None,
    typer.Option(
        metavar="ALPHA|auto",
        help="Share of the fine-tuned model in the result, 0 to 1, or auto (needs --general); default: "
        "plain fine-tuning.",
    ),
]
General = Annotated[
    Path | None, typer.Option(metavar="FILE", help="Rows of what must not be lost; auto chooses by them.")
]
Test = Annotated[
    Path | None, typer.Option(metavar="FILE", help="Rows of the task for evidence; nothing learns from them.")
]
GeneralTest = Annotated[Path | None, typer.Option(metavar="FILE", help="General rows for evidence.")]
Instruction = Annotated[str, typer.Option(help="The task's instruction, if it has one.")]
GeneralInstruction = Annotated[
    str | None, typer.Option(help="Of the general rows; default: their own words.")
]
Metric = Annotated[
    str, typer.Option(help="exact_match, accuracy, choice, number, token_f1, rouge_l, or loss.")
]
AlphaStep = Annotated[float, typer.Option(help="Of the alphas that auto tries.")]
Epochs = Annotated[float, typer.Option(help="Passes over the rows.")]
LearningRate = Annotated[float | None, typer.Option(help="Default: by the width of the base.")]
BatchSize = Annotated[int, typer.Option(help="Rows in a step.")]
Seed = Annotated[int, typer.Option(min=0, help="Of the order of rows and of what is held back.")]
HeldBack = Annotated[
    float | None, typer.Option(help="Share of the rows not learned from; default: 0.2 for auto, else 0.")
]
Rank = Annotated[int | None, typer.Option(min=1, help="With --lora.")]
Merge = Annotated[bool, typer.Option("--merge", help="With --lora: write a whole model.")]
KeepFineTuned = Annotated[
    Path | None, typer.Option(metavar="DIR", help="Put the model as it was trained here, too.")
]
AsJson = Annotated[bool, typer.Option("--json", help="Print elastic.json instead of the summary.")]


def train(
    rows: Rows,
    base: Base,
    out: Out,
    full: Full = True,
    keep_general: KeepGeneral = None,
    general: General = None,
    test: Test = None,
    general_test: GeneralTest = None,
    instruction: Instruction = "",
    general_instruction: GeneralInstruction = None,
    metric: Metric = "exact_match",
    alpha_step: AlphaStep = 0.1,
    epochs: Epochs = 5.0,
    learning_rate: LearningRate = None,
    batch_size: BatchSize = 16,
    seed: Seed = 0,
    held_back: HeldBack = None,
    rank: Rank = None,
    merge: Merge = False,
    keep_fine_tuned: KeepFineTuned = None,
    as_json: AsJson = False,
) -> None:
    """Fine-tune a model on labelled rows; with --keep-general, mix it back with its base."""
    from kshot.cli.progress import listener
    from kshot.pipeline.elastic import ElasticJob, elastic

    how = {"epochs": epochs, "learning_rate": learning_rate, "batch_size": batch_size, "seed": seed}
    learned = _read(rows)
    job = ElasticJob(
        base, learned, _template(instruction, learned), method="full" if full else "lora",
        general_template=_words(general_instruction), keep_general=_alpha(keep_general),
        general=_read(general), test=_read(test), general_test=_read(general_test), held_back=held_back,
        metric=metric, alphas=_alphas(alpha_step), settings=_settings(how, rank, is_full=full), merge=merge,
        keep_fine_tuned=keep_fine_tuned,
    )  # fmt: skip
    with listener() as listen:
        made = elastic(job, out, listener=listen)
    print(json.dumps(made.facts, indent=1, ensure_ascii=False) if as_json else f"{made.text}{out}")


def _settings(how: Mapping[str, Any], rank: int | None, *, is_full: bool) -> dict[str, Any]:
    from kshot.errors import InputError

    if rank is not None and is_full:
        raise InputError("--rank is of a LoRA; give --lora with it")
    return {name: value for name, value in {**how, "rank": rank}.items() if value is not None}


def _words(instruction: str | None) -> Template | None:
    from kshot.data.template import Template

    return None if instruction is None else Template(instruction=instruction)


def _read(file: Path | None) -> tuple[Example, ...]:
    from kshot.data.formats import read_examples

    return () if file is None else read_examples(file).examples


def _template(instruction: str, rows: tuple[Example, ...]) -> Template:
    """The words around the task's rows: letters where all rows have choices, reasoning after the answer."""
    from kshot.data.template import Template

    return Template(
        instruction=instruction,
        kind="choice" if all(row.choices for row in rows) else "generation",
        reasoning="answer_first" if any(row.reasoning for row in rows) else "none",
    )


def _alpha(text: str | None) -> float | Literal["auto"] | None:
    from kshot.errors import InputError

    if text is None or text == "auto":
        return text  # type: ignore[return-value]
    try:
        return float(text)
    except ValueError:
        raise InputError(f"--keep-general is {text!r}, expected a number from 0 to 1, or auto") from None


def _alphas(step: float) -> tuple[float, ...]:
    """From 0 to 1 by a step, both ends among them."""
    from kshot.errors import InputError

    if not 0.01 <= step <= 1:
        raise InputError(f"--alpha-step is {step}, expected a number from 0.01 to 1")
    count = round(1 / step)
    return tuple(at / count for at in range(count + 1))
