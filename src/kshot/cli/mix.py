"""``mix``: several models become one, by weights given, or found on the shots."""

from __future__ import annotations

import json
import math
import shlex
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from kshot.cli import mix_options as asked

if TYPE_CHECKING:
    from kshot.pipeline.mix import Mixed, MixJob


def mix(
    models: asked.Models = None,
    out: asked.Out = None,
    weights: asked.Weights = None,
    examples: asked.Examples = None,
    temperature: asked.Temperature = "5.0",
    base: asked.Base = None,
    fine_tuned: asked.FineTuned = None,
    alpha: asked.Alpha = None,
    general: asked.General = None,
    kind: asked.Kind = "auto",
    layers: asked.Layers = None,
    operation: asked.Operation = "linear",
    density: asked.Density = None,
    scale: asked.Scale = None,
    adapter: asked.Adapter = False,
    rank: asked.Rank = None,
    dtype: asked.Dtype = None,
    revision: asked.Revision = None,
    device: asked.Device = "auto",
    threads: asked.Threads = None,
    evaluations: asked.Evaluations = 200,
    seed: asked.Seed = 0,
    force: asked.Force = False,
    hashes: asked.Hashes = True,
    report: asked.Report = None,
    dry_run: asked.DryRun = False,
    as_json: asked.AsJson = False,
) -> None:
    """Mix models into one, exactly and without loading them; weights by hand or from a few examples."""
    job = _job(locals())
    if dry_run:
        _print_plan(job, out, as_json=as_json)
    else:
        _mix(job, out, report, as_json=as_json)


# options that a job has under the same name
_SAME = (
    "base", "fine_tuned", "kind", "operation", "density", "scale", "adapter", "rank", "dtype", "revision",
    "device", "threads",
)  # fmt: skip


def _job(given: dict[str, Any]) -> MixJob:
    """The job that the options describe, by their names in the verb."""
    from kshot.models.kinds.rows import mixing_rows
    from kshot.pipeline.mix import MixJob, Weighing
    from kshot.pipeline.mix.job import parsed_weights

    by_hand, rule = parsed_weights("softmax" if given["weights"] is None else given["weights"])
    weighing = Weighing(
        rule=rule,
        temperature=_number(given["temperature"], "--temperature"),
        evaluations=given["evaluations"],
        seed=given["seed"],
        forced=given["force"],
    )
    rows: dict[str, Any] = {
        name: None if given[name] is None else mixing_rows(given[name]) for name in ("examples", "general")
    }
    return MixJob(
        tuple(given["models"] or ()),
        alpha=None if given["alpha"] is None else _number(given["alpha"], "--alpha"),
        weights=by_hand,
        weighing=weighing,
        layer_weights=tuple(_layer(text) for text in given["layers"] or ()),
        hashed=given["hashes"],
        command=shlex.join(["kshot", *sys.argv[1:]]),
        **rows,
        **{name: given[name] for name in _SAME},
    )


def _number(text: str, option: str) -> Any:
    from kshot.errors import InputError

    if text == "auto":
        return text
    try:
        return float(text)
    except ValueError:
        raise InputError(f"{option} {text!r}: expected a number, or auto") from None


def _layer(text: str) -> tuple[str, tuple[float, ...]]:
    from kshot.errors import InputError

    pattern, mark, numbers = text.rpartition("=")
    try:
        found = tuple(float(number) for number in numbers.split(","))
    except ValueError:
        found = ()
    if not (mark and pattern and found and all(map(math.isfinite, found))):
        raise InputError(f"--layer {text!r}: expected PATTERN=WEIGHTS, like 'model.layers.0.*=0.2,0.8'")
    return pattern, found


def _print_plan(job: MixJob, out: Path | None, *, as_json: bool) -> None:
    from kshot.models.folders import check_free
    from kshot.pipeline.mix import planned

    if out is not None:
        check_free(out)
    told = planned(job)
    print(json.dumps(told.to_json(), indent=1, ensure_ascii=False) if as_json else "\n".join(told.lines()))
    told.plan.check()


def _mix(job: MixJob, out: Path | None, report: Path | None, *, as_json: bool) -> None:
    from kshot.cli.places import check_place
    from kshot.cli.progress import listener
    from kshot.cli.tables import print_table
    from kshot.errors import InputError
    from kshot.pipeline.mix import mixed
    from kshot.report.terminal import printable

    if out is None:
        raise InputError("--out is missing: name the folder to write, or give --dry-run to see the plan")
    if report is not None:
        check_place(report, option="--report")
        if report.resolve().is_relative_to(out.resolve()):
            raise InputError(f"--report {report}: lies in --out, which is to be a model; give another place")
    with listener() as listen:
        done = mixed(job, out, listener=listen)
    if report is not None:
        _write_page(done, report)
    if as_json:
        print(json.dumps(done.facts, indent=1, ensure_ascii=False))
        return
    print_table(*done.table())
    for line in done.lines():
        print(printable(line))
    print(done.folder)


def _write_page(done: Mixed, report: Path) -> None:
    from kshot.errors import InputError

    try:
        done.write_page(report)
    except OSError as error:
        raise InputError(
            f"--report {report}: cannot be written ({error.strerror}); the mix is done and lies in "
            f"{done.folder}"
        ) from None
