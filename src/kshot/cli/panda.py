"""``panda``: learn a pool of insights from an expert, and ask an LLM with them."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import typer

from kshot.cli import panda_options as asked

if TYPE_CHECKING:
    from kshot.data.task import Task
    from kshot.data.taskfile.settings import EndpointSection
    from kshot.methods.panda.answer import Answered
    from kshot.pipeline.panda.learn_job import LearnJob

app = typer.Typer(
    help="Turn an expert's preferences into insights in an LLM's prompt (PANDA).", no_args_is_help=True
)


@app.command()
def learn(
    task: asked.TaskFile,
    out: asked.Out,
    shots: asked.Shots = None,
    seed: asked.Seed = None,
    expert: asked.Expert = None,
    expert_rows: asked.ExpertRows = None,
    rows: asked.Rows = None,
    n: asked.Most = None,
    choose: asked.Choose = "stratified",
    heuristic: asked.Heuristic = None,
    ask: asked.Ask = "reason",
    render: asked.Learned = "both",
    gold: asked.Gold = None,
    min_probability: asked.MinProbability = 0.0,
    min_margin: asked.MinMargin = 0.0,
    prompts: asked.Prompts = None,
    llm: asked.Llm = None,
    llm_model: asked.LlmModel = None,
    api_key_env: asked.ApiKeyEnv = None,
    concurrency: asked.Concurrency = 16,
    prompt_usd: asked.PromptUsd = None,
    completion_usd: asked.CompletionUsd = None,
    calls: asked.MaxCalls = None,
    tokens: asked.MaxTokens = None,
    usd: asked.MaxUsd = None,
    dry_run: asked.DryRun = False,
    as_json: asked.AsJson = False,
) -> None:
    """Ask the LLM why the expert prefers its answer, row by row, and keep each insight as it comes."""
    given = locals()
    if task.startswith("scienceworld:"):
        from kshot.cli.act import learn_episodes

        learn_episodes(given)
        return
    from dataclasses import asdict

    from kshot.cli.progress import listener
    from kshot.pipeline.panda.learn_job import learn_from_task

    loaded, job = _task(given), _job(given)
    if dry_run:
        _estimate(loaded, job, as_json=as_json)
        return
    with listener() as listen:
        learned = learn_from_task(loaded, out, job, listener=listen)
    facts = {"pool": str(out), "insights": len(learned.pool), "new": learned.new, "left_out": learned.reasons}
    facts["usage"] = [asdict(step) for step in learned.usage]
    if as_json:
        print(json.dumps(facts, ensure_ascii=False, indent=2))
        return
    print(f"{len(learned.pool)} insights in {out} ({learned.new} new), model {learned.pool.header.model}")
    for reason, count in learned.reasons.items():
        print(f"left out: {count} rows, {reason}")
    for step in learned.usage:
        tokens_used = step.prompt_tokens + step.completion_tokens
        spent = f"{step.calls} requests, {step.cached} from the journal, {tokens_used} tokens"
        print(f"{step.step}: {spent}, ${step.usd:.4f}, {step.failed} failed")


@app.command()
def ask(
    pool: asked.Pool,
    texts: asked.Texts,
    k: asked.K = 6,
    floor: asked.Floor = None,
    mmr: asked.Mmr = None,
    overlap: asked.Overlap = None,
    token_budget: asked.TokenBudget = None,
    render: asked.Render = "both",
    reasoning: asked.Reasoning = False,
    shots: asked.ShotsFile = None,
    guide: asked.Guide = None,
    embedder: asked.Embedder = None,
    llm: asked.Llm = None,
    llm_model: asked.LlmModel = None,
    api_key_env: asked.ApiKeyEnv = None,
    show: asked.Show = False,
    as_json: asked.AsJson = False,
) -> None:
    """Ask the LLM about new texts with the pool's nearest insights in the prompt."""
    from kshot.data.formats import read_examples
    from kshot.methods.panda.retrieve import Retrieval
    from kshot.methods.panda.seams import Setting
    from kshot.pipeline.panda.ask import Asking, ask_pool

    retrieval = Retrieval(k=k, floor=floor, mmr=mmr, overlap=overlap, token_budget=token_budget)
    examples = tuple(read_examples(shots).examples[:3]) if shots else ()
    asking = Asking(
        retrieval=retrieval,
        setting=Setting(shots=len(examples), reasoning=reasoning, render=_render(render)),
        shots=examples,
        guide=_guide(guide),
        llm=_llm(locals()) if llm else None,
        embedder=embedder,
    )
    lines = [line.rstrip("\n") for line in sys.stdin if line.strip()] if texts == ["-"] else texts
    for text, found in zip(lines, ask_pool(pool, lines, asking), strict=True):
        _print_answer(text, found, show=show, as_json=as_json)


def _render(name: str) -> Any:
    return _one_of(name, "--render", ("insight", "preference", "both"))


def _one_of(name: str, option: str, names: tuple[str, ...]) -> Any:
    from kshot.errors import InputError

    if name not in names:
        raise InputError(f"{option}: {name!r} is none of {', '.join(names)}")
    return name


def _guide(path: Path | None) -> str:
    from kshot.errors import InputError

    if path is None:
        return ""
    try:
        return path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(f"{path}: cannot be read ({error})") from None


def _llm(given: dict[str, Any]) -> EndpointSection | str:
    """The endpoint or local model that the options name."""
    from kshot.errors import InputError
    from kshot.pipeline.panda.llm import section

    place = str(given["llm"])
    if not place.startswith(("http://", "https://")):
        return place
    if not given["llm_model"]:
        raise InputError("--llm-model is missing: what is the model called at that endpoint?")
    prices = (given.get("prompt_usd"), given.get("completion_usd"))
    return section(
        place,
        given["llm_model"],
        api_key_env=given["api_key_env"],
        concurrency=given.get("concurrency", 16),
        prices=prices,
    )


def _task(given: dict[str, Any]) -> Task:
    """The task with the options in the places of its settings."""
    from kshot.cli.places import task_path
    from kshot.data.task import Task

    loaded = Task.load(task_path(given["task"]), k=given["shots"], seed=given["seed"])
    sections: dict[str, dict[str, Any]] = {}
    if given["llm"]:
        found = _llm(given)
        if isinstance(found, str):
            sections["model"] = {"base": found if "/" not in found else str(Path(found).absolute())}
            sections["knowledge"] = {"llm": None}
        else:
            sections["knowledge"] = {"llm": found.model_dump(exclude_unset=True)}
    limits = {name: given[name] for name in ("calls", "tokens", "usd") if given[name] is not None}
    if limits:
        sections["budget"] = limits
    if given["prompts"]:
        sections["panda"] = {"prompts": given["prompts"]}
    return loaded.with_sections(**sections) if sections else loaded


def _job(given: dict[str, Any]) -> LearnJob:
    """What to learn, with the task file's ways where an option is not given."""
    from kshot.pipeline.panda.learn_job import LearnJob
    from kshot.pipeline.panda.learn_pool import Learning

    heuristics = ("top1", "top2", "top3", "far", "last")
    rules = ("keep", "flag", "drop", "gold_first")
    learning = Learning(
        heuristic=_one_of(given["heuristic"] or "top2", "--heuristic", heuristics),
        ask=_one_of(given["ask"], "--ask", ("reason", "reason_without_answer", "strategy")),
        render=_render(given["render"]),
        gold=_one_of(given["gold"] or "flag", "--gold", rules),
        min_probability=given["min_probability"],
        min_margin=given["min_margin"],
    )
    return LearnJob(
        learning=learning,
        expert=given["expert"],
        expert_rows=given["expert_rows"],
        rows=given["rows"],
        n=given["n"],
        choose=_one_of(given["choose"], "--choose", ("stratified", "first", "margin", "diverse")),
    )


def _estimate(task: Task, job: LearnJob, *, as_json: bool) -> None:
    from kshot.pipeline.panda.learn_job import estimated

    facts = estimated(task, job)
    if as_json:
        print(json.dumps(facts, ensure_ascii=False, indent=2))
        return
    for name, value in facts.items():
        print(f"{name}: {value}")


def _print_answer(text: str, found: Answered, *, show: bool, as_json: bool) -> None:
    chosen = [
        {"id": one.insight.id, "score": round(one.score, 4), "key": one.insight.key,
         "answer": one.insight.answer, "insight": one.insight.explanation}
        for one in found.retrieved.chosen
    ]  # fmt: skip
    if as_json:
        facts = {"text": text, "answer": found.answer, "reply": found.reply.text, "insights": chosen}
        facts["left_out"] = [
            {"id": one.insight.id, "score": round(one.score, 4), "reason": one.reason}
            for one in found.retrieved.left_out
        ]
        print(json.dumps(facts, ensure_ascii=False))
        return
    from kshot.report.terminal import printable

    print(printable(found.answer or f"(no answer could be read) {found.reply.error or found.reply.text}"))
    for one in chosen if show else ():
        print(printable(f"  {one['score']:+.3f}  {one['key']}  [{one['answer'] or '?'}]  {one['insight']}"))
