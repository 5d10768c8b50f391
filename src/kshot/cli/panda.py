"""``panda``: learn a pool of insights from an expert, and ask an LLM with them."""

from __future__ import annotations

import json
import sys
from typing import TYPE_CHECKING, Any

import typer

from kshot.cli import act_tables as worlds
from kshot.cli import panda_options as asked
from kshot.cli.panda_given import guide_text, llm_of, one_task_of, render_of
from kshot.cli.panda_pool import tell
from kshot.cli.panda_tables import ablate_named

if TYPE_CHECKING:
    from kshot.data.task import Task
    from kshot.methods.panda.answer import Answered
    from kshot.models.endpoint import StepUsage
    from kshot.pipeline.panda.ask import Asking
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
    embedder: asked.TaskEmbedder = None,
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
    _learn(locals())


@app.command()
def ask(
    pool: asked.Pool,
    texts: asked.Texts,
    k: asked.K = 6,
    floor: asked.Floor = None,
    mmr: asked.Mmr = None,
    overlap: asked.Overlap = None,
    distinct_keys: asked.DistinctKeys = False,
    token_budget: asked.TokenBudget = None,
    render: asked.Render = "both",
    reasoning: asked.Reasoning = False,
    shots: asked.ShotsFile = None,
    guide: asked.Guide = None,
    embedder: asked.Embedder = None,
    llm: asked.Llm = None,
    llm_model: asked.LlmModel = None,
    api_key_env: asked.ApiKeyEnv = None,
    cascade: asked.Cascade = None,
    draws: asked.Draws = 3,
    show: asked.Show = False,
    as_json: asked.AsJson = False,
) -> None:
    """Ask the LLM about new texts with the pool's nearest insights in the prompt."""
    from kshot.pipeline.panda.ask import ask_pool

    asking = _asking(locals())
    lines = [line.rstrip("\n") for line in sys.stdin if line.strip()] if texts == ["-"] else texts
    for text, found in zip(lines, ask_pool(pool, lines, asking), strict=True):
        _print_answer(text, found, show=show, as_json=as_json)


@app.command()
def measure(
    pool: asked.Pool,
    rows: asked.HeldOut,
    out: asked.NewPool,
    k: asked.K = 6,
    render: asked.Render = "both",
    embedder: asked.Embedder = None,
    llm: asked.Llm = None,
    llm_model: asked.LlmModel = None,
    api_key_env: asked.ApiKeyEnv = None,
) -> None:
    """Count on held-out shots how often each insight helps and hurts; `prune --hurt` takes the latter out."""
    from kshot.data.formats import read_examples
    from kshot.pipeline.panda.ask import measure_pool

    changed, found = measure_pool(pool, read_examples(rows).examples, _asking(locals()))
    changed.save(out)
    counters = [one.counters for one in changed]
    sums = {name: sum(getattr(one, name) for one in counters) for name in ("shown", "helped", "hurt")}
    told = ", ".join(f"{name} {count}" for name, count in sums.items())
    print(f"{len(changed)} insights in {out}: {told}; {found.questions} questions, {found.failed} failed")


def _asking(given: dict[str, Any]) -> Asking:
    """How a pool is asked, by the options that the verb has."""
    from kshot.data.formats import read_examples
    from kshot.methods.panda.retrieve import Retrieval
    from kshot.methods.panda.seams import Setting
    from kshot.pipeline.panda.ask import Asking

    names = ("k", "floor", "mmr", "overlap", "distinct_keys", "token_budget")
    shots = given.get("shots")
    examples = tuple(read_examples(shots).examples[:3]) if shots else ()
    reasoning, render = bool(given.get("reasoning")), render_of(given["render"])
    return Asking(
        retrieval=Retrieval(**{name: given[name] for name in names if name in given}),
        setting=Setting(shots=len(examples), reasoning=reasoning, render=render),
        shots=examples,
        guide=guide_text(given.get("guide")),
        llm=llm_of(given) if given["llm"] else None,
        embedder=given["embedder"],
        expert=given.get("cascade"),
        draws=given.get("draws", 3),
        say=lambda note: tell([note]),
    )


@app.command()
def ablate(
    tasks: asked.TaskFiles,
    out: asked.ReportOut,
    questions: asked.Questions = None,
    conditions: asked.Conditions = None,
    others: asked.Others = None,
    shots: asked.Shots = None,
    seed: asked.Seed = None,
    expert: asked.Expert = None,
    expert_rows: asked.ExpertRows = None,
    rows: asked.Rows = None,
    n: asked.Most = None,
    choose: asked.Choose = "stratified",
    heuristic: asked.Heuristic = None,
    ask: asked.Ask = "reason",
    gold: asked.Gold = None,
    min_probability: asked.MinProbability = 0.0,
    min_margin: asked.MinMargin = 0.0,
    prompts: asked.Prompts = None,
    setting: asked.SettingName = "zero-shot",
    embedder: asked.TaskEmbedder = None,
    llm: asked.Llm = None,
    llm_model: asked.LlmModel = None,
    api_key_env: asked.ApiKeyEnv = None,
    prompt_usd: asked.PromptUsd = None,
    completion_usd: asked.CompletionUsd = None,
    calls: asked.MaxCalls = None,
    tokens: asked.MaxTokens = None,
    usd: asked.MaxUsd = None,
    limit: asked.Limit = None,
    metric: asked.Metric = None,
    policy: worlds.Policy = None,
    episodes: worlds.Episodes = None,
    rounds: worlds.Rounds = None,
    processes: worlds.Processes = None,
    simulated: asked.Simulated = False,
    dry_run: worlds.DryRun = False,
    as_json: asked.AsJson = False,
) -> None:
    """Judge insights on test rows beside controls, baselines and the expert; answer the paper's questions.

    Several tasks, or tweeteval:FOLDER, give a report each and a summary of all; scienceworld:25,13,2 gives
    tables of interactive tasks.
    """
    ablate_named(locals() | {"render": "both", "concurrency": 16})


@app.command()
def distil(
    pool: asked.Pool,
    out: asked.GuideOut,
    token_budget: asked.GuideTokens = 400,
    embedder: asked.Embedder = None,
    llm: asked.Llm = None,
    llm_model: asked.LlmModel = None,
    api_key_env: asked.ApiKeyEnv = None,
) -> None:
    """Compile a pool into one short guide, each rule with the insights that support it."""
    from kshot.cli.places import check_place
    from kshot.pipeline.panda.ask import distil_pool
    from kshot.runs import write_json, write_text

    check_place(out)
    guide = distil_pool(
        pool, token_budget=token_budget, embedder=embedder, llm=llm_of(locals()) if llm else None
    )
    write_text(out, guide.text + "\n" if guide.text else "")
    write_json(out.with_suffix(".json"), guide.to_json())
    print(f"{len(guide.rules)} rules in {out}; what supports them in {out.with_suffix('.json')}")
    for note in guide.notes:
        print(note)


def _learn(given: dict[str, Any]) -> None:
    if given["task"].startswith("scienceworld:"):
        from kshot.cli.act import learn_episodes

        learn_episodes(given)
        return
    from dataclasses import asdict

    from kshot.cli.progress import listener
    from kshot.pipeline.panda.learn_job import learn_from_task

    one = one_task_of(given)
    loaded, job = one.task, one.learning
    if given["dry_run"]:
        _estimate(loaded, job, as_json=given["as_json"])
        return
    with listener() as listen:
        learned = learn_from_task(loaded, given["out"], job, listener=listen)
    facts = {
        "pool": str(given["out"]),
        "insights": len(learned.pool),
        "new": learned.new,
        "left_out": learned.reasons,
    }
    facts["usage"] = [asdict(step) for step in learned.usage]
    if given["as_json"]:
        print(json.dumps(facts, ensure_ascii=False, indent=2))
        return
    made = f"{len(learned.pool)} insights in {given['out']} ({learned.new} new)"
    print(f"{made}, model {learned.pool.header.model}")
    for reason, count in learned.reasons.items():
        print(f"left out: {count} rows, {reason}")
    for step in learned.usage:
        print(_spent(step))


def _spent(step: StepUsage) -> str:
    """What a step cost; without prices nobody knows, so no money is named."""
    tokens = step.prompt_tokens + step.completion_tokens
    usd = f", ${step.usd:.4f}" if step.usd else ""
    told = f"{step.calls} requests, {step.cached} from the journal, {tokens} tokens{usd}"
    return f"{step.step}: {told}, {step.failed} failed"


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
        facts: dict[str, Any] = {"text": text, "answer": found.answer, "reply": found.reply.text}
        facts |= {"note": found.note, "insights": chosen}
        facts["left_out"] = [
            {"id": one.insight.id, "score": round(one.score, 4), "reason": one.reason}
            for one in found.retrieved.left_out
        ]
        print(json.dumps(facts, ensure_ascii=False))
        return
    from kshot.report.terminal import printable

    note = f"  ({found.note})" if found.note else ""
    unread = f"(no answer could be read) {found.reply.error or found.reply.text}"
    print(printable(f"{found.answer or unread}{note}"))
    for one in chosen if show else ():
        print(printable(f"  {one['score']:+.3f}  {one['key']}  [{one['answer'] or '?'}]  {one['insight']}"))
