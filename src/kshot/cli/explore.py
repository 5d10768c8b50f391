"""``explore``: map a domain as a tree of tasks, fill it with rows, look at it, and hand the rows on."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import typer

from kshot.cli import explore_options as asked
from kshot.cli.explore_given import (
    folder_job_of,
    guards_given,
    job_of,
    language_of,
    protected_given,
    tree_of,
)

if TYPE_CHECKING:
    from kshot.pipeline.explore.product import Product

app = typer.Typer(
    help="Map a domain as a tree of tasks and fill it with instructions (Explore-Instruct).",
    no_args_is_help=True,
)


@app.command()
def run(
    domain: asked.Domain, out: asked.Out, llm: asked.Llm = None, model: asked.Model = None,
    api_key_env: asked.ApiKeyEnv = None, concurrency: asked.Concurrency = 16,
    prompt_usd: asked.PromptUsd = None, completion_usd: asked.CompletionUsd = None,
    budget_calls: asked.BudgetCalls = None, budget_tokens: asked.BudgetTokens = None,
    budget_usd: asked.BudgetUsd = None, rows: asked.Rows = None, rows_per_task: asked.RowsTask = None,
    description: asked.Description = None, shots: asked.Shots = None, task: asked.Task = None,
    guard: asked.Guard = None, method: asked.Method = "adaptive", language: asked.Language = None,
    replies: asked.Form = "json", depth: asked.Depth = 2, breadth: asked.Breadth = "adaptive",
    order: asked.Order = "rounds", share: asked.Share = 0.2, name_overlap: asked.NameOverlap = 0.7,
    name_cosine: asked.NameCosine = 0.9, embedder: asked.Embedder = "hashing",
    relevance: asked.Relevance = "upper", probe: asked.Probe = False, cap: asked.Cap = 64,
    least_yield: asked.LeastYield = 0.25, overlap: asked.Overlap = 0.7, scope: asked.Scope = "tree",
    second_pass: asked.SecondPass = False, without: asked.Without = None, length: asked.Length = None,
    least_kept: asked.LeastKept = 0.2, leaves_only: asked.LeavesOnly = False, lanes: asked.Lanes = 64,
    seed: asked.Seed = 0, simulated: asked.Simulated = False, dry_run: asked.DryRun = False,
    as_json: asked.AsJson = False,
) -> None:  # fmt: skip
    """Grow the tree, fill it, guard the rows, write pool, data card and report; goes on where it stopped."""
    from kshot.cli.progress import listener
    from kshot.pipeline.explore.job import explore
    from kshot.pipeline.explore.product import make_product

    given = locals()
    tree, job = tree_of(given), job_of(given)
    protected = protected_given(given)
    if dry_run:
        _estimate(given)
        return
    with listener() as listen:
        saved = explore(out, tree, job, listener=listen)
        product = make_product(out, protected=protected, rows=rows, listener=listen)
    _tell(product, stopped=saved.stopped, as_json=as_json)


@app.command()
def grow(
    domain: asked.Domain, out: asked.Out, llm: asked.Llm = None, model: asked.Model = None,
    api_key_env: asked.ApiKeyEnv = None, concurrency: asked.Concurrency = 16,
    prompt_usd: asked.PromptUsd = None, completion_usd: asked.CompletionUsd = None,
    budget_calls: asked.BudgetCalls = None, budget_tokens: asked.BudgetTokens = None,
    budget_usd: asked.BudgetUsd = None, description: asked.Description = None, shots: asked.Shots = None,
    task: asked.Task = None, method: asked.Method = "adaptive", language: asked.Language = None,
    replies: asked.Form = "json", depth: asked.Depth = 2, breadth: asked.Breadth = "adaptive",
    order: asked.Order = "rounds", share: asked.Share = 0.2, name_overlap: asked.NameOverlap = 0.7,
    name_cosine: asked.NameCosine = 0.9, embedder: asked.Embedder = "hashing",
    relevance: asked.Relevance = "upper", probe: asked.Probe = False, cap: asked.Cap = 64,
    least_yield: asked.LeastYield = 0.25, seed: asked.Seed = 0, simulated: asked.Simulated = False,
    as_json: asked.AsJson = False,
) -> None:  # fmt: skip
    """Grow the tree alone; edit tree.json or tree.md before `fill` if you like."""
    from kshot.cli.progress import listener
    from kshot.pipeline.explore.job import grow_domain

    given = locals()
    with listener() as listen:
        saved = grow_domain(out, tree_of(given), job_of(given), listener=listen)
    facts = {
        "folder": str(out), "tasks": len(saved.found.tree), "refused": len(saved.found.refused),
        "calls": saved.found.spent.calls, "tokens": saved.found.spent.tokens, "stopped": saved.stopped,
    }  # fmt: skip
    if as_json:
        print(json.dumps(facts, ensure_ascii=False, indent=2))
        return
    for note in saved.notes:
        print(note)
    print(f"{facts['tasks']} tasks, {facts['refused']} names refused, {facts['calls']} calls")
    print(f"edit {out / 'tree.md'} or {out / 'tree.json'} if you like, then: kshot explore fill {out}")
    if saved.stopped:
        print(f"stopped: {saved.stopped}")


@app.command()
def fill(
    folder: asked.Folder, llm: asked.Llm = None, model: asked.Model = None,
    api_key_env: asked.ApiKeyEnv = None, concurrency: asked.Concurrency = 16,
    prompt_usd: asked.PromptUsd = None, completion_usd: asked.CompletionUsd = None,
    budget_calls: asked.BudgetCalls = None, budget_tokens: asked.BudgetTokens = None,
    budget_usd: asked.BudgetUsd = None, rows: asked.Rows = None, rows_per_task: asked.RowsTask = None,
    shots: asked.Shots = None, task: asked.Task = None, guard: asked.Guard = None,
    replies: asked.FormAsBefore = None, overlap: asked.Overlap = 0.7, scope: asked.Scope = "tree",
    second_pass: asked.SecondPass = False, without: asked.Without = None, length: asked.Length = None,
    least_kept: asked.LeastKept = 0.2, leaves_only: asked.LeavesOnly = False, lanes: asked.Lanes = 64,
    as_json: asked.AsJson = False,
) -> None:  # fmt: skip
    """Fill the tree of a folder with rows; budgets count what growing used."""
    from kshot.cli.progress import listener
    from kshot.pipeline.explore.job import fill_domain
    from kshot.pipeline.explore.product import make_product

    given = locals()
    job = folder_job_of(given)
    protected = protected_given(given)
    with listener() as listen:
        saved = fill_domain(folder, job, listener=listen)
        product = make_product(folder, protected=protected, rows=rows, listener=listen)
    _tell(product, stopped=saved.stopped, as_json=as_json)


@app.command()
def attach(
    folder: asked.Folder,
    files: asked.Files,
    floor: asked.Floor = 0.2,
    embedder: asked.Embedder = "hashing",
    task: asked.Task = None,
    guard: asked.Guard = None,
    as_json: asked.AsJson = False,
) -> None:
    """Sort rows that you have under the tasks, so that gaps show and only gaps are paid for."""
    from kshot.pipeline.explore.attach_rows import attach_files

    protected = protected_given(locals())
    found = attach_files(folder, files, floor=floor, embedder=embedder, protected=protected)
    if as_json:
        print(json.dumps(found, ensure_ascii=False, indent=2))
        return
    print(f"{found['attached']} of {found['read']} rows attached, {found['unassigned']} below {floor:g}")
    for name, count in found["guarded"].items():
        print(f"left out, near protected rows: {count}, {name}")
    if found["repeats"]:
        print(f"{found['repeats']} repeat an earlier row")
    print(f"{found['empty']} of {found['tasks']} tasks have no row; `kshot explore fill {folder}` fills gaps")


@app.command()
def show(
    folder: asked.Folder,
    refused: asked.Outline = False,
    as_json: asked.AsJson = False,
) -> None:
    """Print the tree with counts, yields and refusals."""
    from kshot.pipeline.explore.facts import shown

    print(shown(folder, refused=refused, as_json=as_json))


@app.command()
def export(
    folder: asked.Folder,
    out: asked.ExportOut,
    form: asked.ExportForm = "jsonl",
    count: asked.Count = None,
    shots: asked.Shots = None,
    task: asked.Task = None,
    guard: asked.Guard = None,
    licence: asked.Licence = "unknown",
    as_json: asked.AsJson = False,
) -> None:
    """Write the rows for other tools, with a data card and snippets for LLaMA-Factory and axolotl."""
    from kshot.pipeline.explore.product import export_product

    made = export_product(
        folder, out, form=form, count=count, protected=protected_given(locals()), licence=licence
    )
    if as_json:
        print(json.dumps(made, ensure_ascii=False, indent=2))
        return
    print(f"{made['rows']} rows in {made['file']}; the data card: {Path(made['folder']) / 'README.md'}")
    for note in made["notes"]:
        print(note)


@app.command()
def curated(
    domain: asked.Domain, files: asked.Files, out: asked.Out, rows: asked.Rows = None,
    description: asked.Description = None, shots: asked.Shots = None, task: asked.Task = None,
    guard: asked.Guard = None, language: asked.Language = None, overlap: asked.Overlap = 0.7,
    without: asked.Without = None, length: asked.Length = None, seed: asked.Seed = 0,
    as_json: asked.AsJson = False,
) -> None:  # fmt: skip
    """The baseline that asks nobody: rows of files under the same rules and filters, all at the domain."""
    from kshot.cli.explore_given import rules_of
    from kshot.pipeline.explore.attach_rows import curate_files
    from kshot.pipeline.explore.product import make_product

    given = locals()
    language, tree = language_of(given), tree_of(given)
    protected = protected_given(given)
    options = {"overlap": overlap, "rules": rules_of(given, language), "seed": seed}
    settings = {"guards": list(guards_given(given))}
    curate_files(out, tree, files, language=language, options=options, settings=settings)
    _tell(make_product(out, protected=protected, rows=rows), stopped="", as_json=as_json)


@app.command("import")
def import_(
    released: asked.Released,
    out: asked.Out,
    language: asked.Language = "en",
    as_json: asked.AsJson = False,
) -> None:
    """Begin an exploration with a folder in the layout of the paper's release, its examples attached."""
    from kshot.pipeline.explore.attach_rows import import_released

    found = import_released(released, out, language="zh" if language == "zh" else "en")
    if as_json:
        print(json.dumps(found, ensure_ascii=False, indent=2))
        return
    print(f"{found['tasks']} tasks and {found['rows']} rows in {out}; `kshot explore show {out}`")


@app.command()
def evaluate(
    folder: asked.Folder,
    against: asked.Against = None,
    seeds: asked.Seeds = None,
    shots: asked.Shots = None,
    task: asked.Task = None,
    guard: asked.Guard = None,
    parser: asked.Parser = "auto",
    embedder: asked.Embedder = "hashing",
    as_json: asked.AsJson = False,
) -> None:
    """Measure coverage, beside other datasets if any are given, and write the report anew."""
    from kshot.cli.progress import listener
    from kshot.pipeline.explore.evaluation import Beside, evaluate_folder

    protected = protected_given(locals())
    beside = Beside(against=tuple(against or ()), seeds=seeds, parser=parser, embedder=embedder)
    with listener() as listen:
        found = evaluate_folder(folder, beside, protected=protected, listener=listen)
    if as_json:
        print(json.dumps(found.to_json(), ensure_ascii=False, indent=2))
        return
    print(found.text())
    print(f"report: {folder / 'report.html'}")


def _tell(product: Product, *, stopped: str, as_json: bool) -> None:
    if as_json:
        print(json.dumps(product.to_json() | {"stopped": stopped}, ensure_ascii=False, indent=2))
        return
    for line in product.lines():
        print(line)
    if stopped:
        print(f"stopped: {stopped}")


def _estimate(given: dict[str, Any]) -> None:
    from kshot.pipeline.explore.estimate import estimated

    facts = estimated(job_of(given), tree_of(given))
    if given["as_json"]:
        print(json.dumps(facts, ensure_ascii=False, indent=2))
        return
    for name, value in facts.items():
        print(f"{name}: {value}")
