"""The verbs of ``panda`` that look at pools, and make new ones from them; nothing is edited in place."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from kshot.cli import panda_options as asked

if TYPE_CHECKING:
    from kshot.methods.panda.pool import Changed, PoolHeader

Pools = Annotated[list[Path], typer.Argument(metavar="POOL...", help="Pools of one task.")]


def tell(notes: Iterable[str]) -> None:
    """Prints what was found and mended when a pool was opened, beside the results."""
    from kshot.report.terminal import printable

    for note in notes:
        print(printable(note), file=sys.stderr)


def inspect(pool: asked.Pool, as_json: asked.AsJson = False) -> None:
    """Say what a pool holds: counts, labels, flags, agreement with gold, repeats."""
    from kshot.methods.panda.pool import InsightPool, inspect

    loaded = InsightPool.load(pool)
    facts, header = inspect(loaded), loaded.header
    tell(loaded.notes)
    if as_json:
        plain = {row["name"]: row["value"] for row in facts.rows()}
        print(json.dumps({"header": header.to_json(), **plain}, ensure_ascii=False, indent=2))
        return
    print(f"{facts.count} insights · task {header.task} · {header.kind} · {', '.join(header.labels)}")
    expert = f"{header.expert.kind} {header.expert.id}" if header.expert else "unknown"
    print(f"expert: {expert} · explained by: {header.model or 'unknown'} · encoder: {_encoder(header)}")
    for row in facts.rows():
        print(f"{row['name'].replace('_', ' ')}: {_shown(row['value'])}")


def search(
    pool: asked.Pool,
    text: Annotated[str, typer.Argument(metavar="TEXT", help="What is looked for.")],
    k: Annotated[int, typer.Option("--k", "-k", help="How many insights.", min=1)] = 6,
    embedder: asked.Embedder = None,
    as_json: asked.AsJson = False,
) -> None:
    """Print the insights nearest to a text; no LLM is asked."""
    from kshot.methods.panda.pool import InsightPool
    from kshot.methods.panda.retrieve import Retrieval, open_retriever
    from kshot.pipeline.panda.ask import embedder_of
    from kshot.report.terminal import printable

    header = InsightPool.load(pool).header
    retriever = open_retriever(pool, embedder_of(header, embedder), Retrieval(k=k))
    tell(retriever.notes)
    found = retriever.nearest(text)
    for one in found.chosen:
        if as_json:
            print(json.dumps({"score": one.score} | one.insight.to_json(), ensure_ascii=False))
        else:
            line = f"{one.score:+.3f}  {one.insight.id}  {one.insight.key}  [{one.insight.answer or '?'}]"
            print(printable(f"{line}  {one.insight.explanation}"))


def prune(
    pool: asked.Pool,
    out: asked.NewPool,
    flags: Annotated[list[str] | None, typer.Option("--flag", help="Drop what is flagged so.")] = None,
    min_probability: Annotated[
        float | None, typer.Option(help="Drop where the expert was less sure.")
    ] = None,
    hurt: Annotated[bool, typer.Option("--hurt", help="Drop what hurt more often than it helped.")] = False,
    ids: Annotated[list[str] | None, typer.Option("--id", help="Drop these insights.")] = None,
    as_json: asked.AsJson = False,
) -> None:
    """Write a new pool without some insights."""
    from kshot.methods.panda.pool import InsightPool, prune

    changed = prune(
        InsightPool.load(pool),
        flags=tuple(flags or ()),
        min_probability=min_probability,
        hurt_over_helped=hurt,
        ids=tuple(ids or ()),
    )
    _save(changed, out, as_json=as_json)


def merge(pools: Pools, out: asked.NewPool, as_json: asked.AsJson = False) -> None:
    """Write one pool of several of the same task and labels."""
    from kshot.methods.panda.pool import InsightPool, merge

    _save(merge([InsightPool.load(folder) for folder in pools]), out, as_json=as_json)


def deduplicate(
    pool: asked.Pool,
    out: asked.NewPool,
    overlap: Annotated[float, typer.Option(help="ROUGE-L F above which two insights are the same.")] = 0.7,
    as_json: asked.AsJson = False,
) -> None:
    """Write a new pool without insights that say the same as an earlier one, for the same answer."""
    from kshot.methods.panda.pool import InsightPool, deduplicate

    _save(deduplicate(InsightPool.load(pool), overlap=overlap), out, as_json=as_json)


def diff(
    first: Annotated[Path, typer.Argument(metavar="POOL", help="A pool.")],
    second: Annotated[Path, typer.Argument(metavar="OTHER", help="Another.")],
    as_json: asked.AsJson = False,
) -> None:
    """Say what two pools have in common, and what only one of them has."""
    from kshot.methods.panda.pool import InsightPool, diff

    found = diff(InsightPool.load(first), InsightPool.load(second))
    facts = {
        "same": found.same,
        "only_first": [one.id for one in found.only_left],
        "only_second": [one.id for one in found.only_right],
        "changed": [one.id for one, _ in found.changed],
        "header": list(found.header),
    }
    if as_json:
        print(json.dumps(facts, ensure_ascii=False, indent=2))
        return
    for name, value in facts.items():
        told = len(value) if isinstance(value, list) and name != "header" else value
        print(f"{name.replace('_', ' ')}: {_shown(told)}")


def export(
    pool: asked.Pool,
    out: Annotated[Path, typer.Option(help="The JSON file to write.")],
) -> None:
    """Write a pool in the format that PANDA's own release has."""
    from kshot.cli.places import check_place
    from kshot.methods.panda.pool import InsightPool

    check_place(out)
    found = InsightPool.load(pool)
    found.export_released(out)
    print(f"{len(found)} insights in {out}")


def import_(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="A pool that PANDA's release wrote.")],
    out: asked.NewPool,
    expert_file: Annotated[
        Path | None, typer.Option(help="The release's file of texts and preferences, joined on text.")
    ] = None,
    task: Annotated[str, typer.Option(help="The pool's task; default: as the file says.")] = "",
    labels: Annotated[
        list[str] | None, typer.Option("--label", help="A class by name, in the order of the indices.")
    ] = None,
) -> None:
    """Write a pool from a file of PANDA's release, of either format."""
    from kshot.methods.panda.pool import InsightPool

    found = InsightPool.import_released(file, expert_file=expert_file, task=task, labels=labels or ())
    found.save(out)
    print(f"{len(found)} insights in {out}")


def _save(changed: Changed, out: Path, *, as_json: bool) -> None:
    changed.pool.save(out)
    if as_json:
        facts = {"pool": str(out), "insights": len(changed.pool)}
        rows = [
            {"id": one.insight.id, "reason": one.reason, "other": changed.repeats.get(one.insight.id, "")}
            for one in changed.dropped
        ]
        print(json.dumps(facts | {"dropped": rows}, ensure_ascii=False, indent=2))
        return
    print(f"{len(changed.pool)} insights in {out}, {len(changed.dropped)} dropped")
    for reason, count in changed.counts().items():
        print(f"dropped: {count}, {reason}")


def _encoder(header: PoolHeader) -> str:
    return header.encoder.id if header.encoder else header.embedder or "hashing"


def _shown(value: Any) -> str:
    from kshot.report.terminal import printable

    if value is None or value in ([], {}):
        return "none"
    if isinstance(value, dict):
        return printable(", ".join(f"{name} {_shown(part)}" for name, part in value.items()))
    if isinstance(value, list):
        return printable("; ".join(map(str, value)))
    return printable(f"{value:.4g}" if isinstance(value, float) else str(value))
