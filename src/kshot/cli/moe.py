"""``moe``: experts joined behind a router, trained, looked at, exported."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated, Any

import typer

from kshot.cli.tables import print_table

app = typer.Typer(
    help="Join LoRA adapters into a mixture; train, inspect and export it.", no_args_is_help=True
)
Mixture = Annotated[Path, typer.Argument(metavar="MIXTURE", help="A mixture folder.")]
Out = Annotated[Path, typer.Option(help="The folder to write; absent or empty.")]
Base = Annotated[str, typer.Option(help="The base model: a folder or a hub id.")]
Rows = Annotated[Path, typer.Option(help="Rows in any of the formats that kshot reads.")]
Instruction = Annotated[str, typer.Option(help="The task's instruction, if it has one.")]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON.")]


@app.command()
def build(
    adapters: Annotated[list[Path], typer.Argument(metavar="ADAPTER...", help="PEFT LoRA folders.")],
    out: Out,
    top_k: Annotated[int, typer.Option(help="Experts that a token uses.")] = 2,
    train: Annotated[str, typer.Option(help="What will learn: joint, router or static.")] = "joint",
    start: Annotated[str, typer.Option(help="Of the routers: random or arrow.")] = "random",
    balance: Annotated[float, typer.Option(help="Weight of the balance loss.")] = 0.0,
    seed: Annotated[int, typer.Option(help="Of random routers.", min=0)] = 0,
) -> None:
    """Write adapters and their routers as one PEFT folder; no model is loaded."""
    from kshot.pipeline.mixture_verbs import joined

    shape = {"top_k": top_k, "train": train, "balance": balance, "seed": seed}
    print(joined(adapters, out, start=start, shape=shape))


@app.command()
def train(
    mixture: Mixture,
    base: Base,
    rows: Rows,
    out: Out,
    instruction: Instruction = "",
    epochs: Annotated[float, typer.Option(help="Passes over the rows.")] = 5.0,
    learning_rate: Annotated[float | None, typer.Option(help="Default: by the width of the base.")] = None,
    batch_size: Annotated[int, typer.Option(help="Rows at a time.")] = 32,
    accumulation: Annotated[int, typer.Option(help="Batches in a step.")] = 1,
    held_back: Annotated[float, typer.Option(help="Share of the rows to stop by.")] = 0.0,
    gradient_checkpointing: Annotated[bool, typer.Option(help="Less memory, more time.")] = False,
    seed: Annotated[int, typer.Option(help="Of the order of rows.", min=0)] = 0,
) -> None:
    """Train a mixture (or any LoRA folder) on labelled rows; the loss is on the answers alone."""
    from kshot.cli.progress import listener
    from kshot.pipeline.mixture_verbs import trained

    how = {
        "epochs": epochs,
        "batch_size": batch_size,
        "accumulation": accumulation,
        "held_back": held_back,
        "gradient_checkpointing": gradient_checkpointing,
        "seed": seed,
    }
    if learning_rate is not None:
        how["learning_rate"] = learning_rate
    with listener() as listen:
        told = trained(mixture, _on(base, rows, instruction), out=out, how=how, listener=listen)
    print(told)


@app.command()
def inspect(
    mixture: Mixture,
    base: Annotated[str | None, typer.Option(help="With --rows: the base, to see what routers do.")] = None,
    rows: Annotated[Path | None, typer.Option(help="With --base: the rows to look at.")] = None,
    instruction: Instruction = "",
    as_json: AsJson = False,
) -> None:
    """Say what a mixture holds; with a base and rows, what its routers do."""
    from kshot.pipeline.mixture_verbs import looked_at

    told = looked_at(mixture, _on(base, rows, instruction))
    if as_json:
        print(json.dumps(told, indent=1, ensure_ascii=False))
        return
    _show(told)


@app.command()
def export(
    mixture: Mixture,
    out: Out,
    rank: Annotated[int | None, typer.Option(help="Cut every module to it by singular values.")] = None,
    base: Annotated[
        str | None, typer.Option(help="Needed for a routed mixture, and for the parity check.")
    ] = None,
    rows: Annotated[Path | None, typer.Option(help="With --base: rows whose mean gates are taken.")] = None,
    instruction: Instruction = "",
    as_json: AsJson = False,
) -> None:
    """Write a plain LoRA that loads everywhere: exact for static gates, else by mean gates."""
    from kshot.pipeline.mixture_verbs import exported

    told = exported(mixture, out, _on(base, rows, instruction), rank=rank)
    if as_json:
        print(json.dumps(told, indent=1, ensure_ascii=False))
        return
    print(
        "exact"
        if told["exact"]
        else "approximate: the mean gates stand in for each token's, or the rank was cut"
    )
    print(f"kept energy {told['kept_energy']:.4f}")
    if parity := told["parity"]:
        print(
            f"against the mixture over {parity['rows']} rows: {parity['equal_share']:.0%} of replies equal, "
            f"log-probabilities at most {parity['largest']:.3g} nats apart, {parity['mean']:.3g} on average"
        )
    print(out)


def _on(base: str | None, rows: Path | None, instruction: str) -> Any:
    from kshot.data.formats import read_examples
    from kshot.errors import InputError
    from kshot.pipeline.mixture_verbs import OnRows

    if base is None and rows is None:
        return None
    if base is None or rows is None:
        raise InputError("--base and --rows belong together: give both, or neither")
    return OnRows(base, read_examples(rows).examples, instruction)


def _show(told: dict[str, Any]) -> None:
    print(", ".join(f"{name.replace('_', ' ')} {value}" for name, value in told["settings"].items()))
    print_table(
        ("name", "modules", "ranks", "parameters"),
        ([row["name"], row["modules"], row["ranks"], row["parameters"]] for row in told["experts"]),
    )
    if loads := told["router"]:
        print_table(
            ("module", *loads["experts"]),
            (
                [module, *("" if share is None else f"{share:.0%}" for share in row)]
                for module, row in zip(loads["modules"], loads["load"], strict=True)
            ),
        )
        print("\n".join(loads["collapsed"]) or "no expert dominates, none is idle")
