"""The options of ``panda``, one alias each, so that the verbs' signatures stay readable."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

TaskFile = Annotated[
    str,
    typer.Argument(
        metavar="TASK", help="A task file, miniature:NAME, tweeteval:FOLDER/TASK, or scienceworld:TASK."
    ),
]
TaskFiles = Annotated[
    list[str],
    typer.Argument(
        metavar="TASK...",
        help="Task files, miniature:NAME, tweeteval:FOLDER/TASK (tweeteval:FOLDER: all there), or "
        "scienceworld:25,13,2.",
    ),
]
Pool = Annotated[Path, typer.Argument(metavar="POOL", help="An insight pool, as `panda learn` writes it.")]
Out = Annotated[Path, typer.Option(help="The pool's folder; a pool of the same task is gone on with.")]
NewPool = Annotated[Path, typer.Option("--out", help="The folder of the new pool; absent or empty.")]
Shots = Annotated[int | None, typer.Option("--shots", "-k", help="How many shots to draw.", min=1)]
Seed = Annotated[int | None, typer.Option(help="Seed of the draw; overrides the task file.", min=0)]
Expert = Annotated[
    str | None,
    typer.Option(
        help="gold, head (an embedding with a head), an adapter of the bank, or a folder or hub id of a "
        "classifier, adapter or model; default: the task's expert, else gold."
    ),
]
ExpertRows = Annotated[
    Path | None,
    typer.Option(
        metavar="FILE",
        help="Labelled rows that `--expert head` learns on; default: the shots; of TweetEval, train.",
    ),
]
Rows = Annotated[
    Path | None,
    typer.Option(
        metavar="FILE",
        help="Rows to learn from, labelled or not; default: the shots; of TweetEval with --n, train.",
    ),
]
Most = Annotated[int | None, typer.Option("--n", help="How many of these rows; default: all.", min=1)]
Choose = Annotated[str, typer.Option(help="Which: stratified, first, margin or diverse.")]
Heuristic = Annotated[str | None, typer.Option(help="top1, top2, top3, far or last; default: top2.")]
Ask = Annotated[str, typer.Option(help="What is asked: reason, reason_without_answer or strategy.")]
Learned = Annotated[
    str, typer.Option("--render", help="both or insight; preference learns without a call of the LLM.")
]
Gold = Annotated[
    str | None, typer.Option(help="Where the expert contradicts a label: keep, flag, drop or gold_first.")
]
MinProbability = Annotated[float, typer.Option(help="Of the expert's answer; rows below it are dropped.")]
MinMargin = Annotated[float, typer.Option(help="Between the first two answers; rows below are dropped.")]
Prompts = Annotated[str | None, typer.Option(help="Wording: standard, or bare for tiny models.")]
Llm = Annotated[
    str | None,
    typer.Option(help="Address of an OpenAI-compatible endpoint, or a local model; default: the task's."),
]
LlmModel = Annotated[str | None, typer.Option(help="The model's name at the endpoint.")]
ApiKeyEnv = Annotated[
    str | None, typer.Option(metavar="VARIABLE", help="The environment variable that holds the key.")
]
Concurrency = Annotated[int, typer.Option(help="Requests in flight at most.", min=1)]
PromptUsd = Annotated[float | None, typer.Option(help="USD per million tokens of prompts.", min=0)]
CompletionUsd = Annotated[float | None, typer.Option(help="USD per million tokens of replies.", min=0)]
MaxCalls = Annotated[int | None, typer.Option(help="Stop after so many requests.", min=1)]
MaxTokens = Annotated[int | None, typer.Option(help="Stop after so many tokens.", min=1)]
MaxUsd = Annotated[float | None, typer.Option(help="Stop after so much money.")]
DryRun = Annotated[bool, typer.Option("--dry-run", help="Say what would be asked and what it costs.")]
Texts = Annotated[list[str], typer.Argument(metavar="TEXT...", help="What is asked; `-` reads lines.")]
K = Annotated[int, typer.Option("--k", "-k", help="Insights in a prompt; 0: none.", min=0)]
Floor = Annotated[float | None, typer.Option(help="Cosine below which an insight stays out.")]
Mmr = Annotated[float | None, typer.Option(help="Diversity: lambda of MMR; 1 is none.")]
Overlap = Annotated[float | None, typer.Option(help="ROUGE-L above which a repeated insight stays out.")]
TokenBudget = Annotated[int | None, typer.Option(help="Tokens of all insights in a prompt.", min=1)]
Render = Annotated[str, typer.Option(help="What is shown: insight, preference or both.")]
Reasoning = Annotated[bool, typer.Option("--reasoning", help="Ask for reasoning before the answer.")]
ShotsFile = Annotated[Path | None, typer.Option("--shots", help="Labelled rows: few-shot, the first 3.")]
TaskEmbedder = Annotated[
    str | None, typer.Option("--embedder", help="hashing, a folder or a hub id; default: the task's.")
]
Metric = Annotated[
    str | None, typer.Option(help="Of TweetEval: macro_f1 (default) or official, each task's own.")
]
Embedder = Annotated[str | None, typer.Option(help="hashing, a folder or a hub id; default: the pool's.")]
Guide = Annotated[Path | None, typer.Option(metavar="FILE", help="A guide that `panda distil` wrote.")]
Show = Annotated[bool, typer.Option("--show", help="Print the insights that stood in the prompt.")]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON.")]
ReportOut = Annotated[Path, typer.Option("--out", help="The folder of the report and the pool.")]
Questions = Annotated[
    list[str] | None,
    typer.Option(
        "--question",
        help="render, heuristic, gold_or_expert, weaker_expert, pool_size, k, transfer, dedup, mmr, filter, "
        "usefulness, order; all, none; repeatable; default: the paper's.",
    ),
]
Conditions = Annotated[
    list[str] | None, typer.Option("--condition", help="Rows of the leaderboard; default: all; repeatable.")
]
Others = Annotated[
    list[Path] | None, typer.Option("--other", metavar="POOL", help="A pool of another task, for transfer.")
]
Simulated = Annotated[bool, typer.Option("--simulated", help="Mark the report: the LLM is a simulation.")]
GuideOut = Annotated[Path, typer.Option("--out", metavar="FILE", help="The text file to write.")]
GuideTokens = Annotated[int, typer.Option(help="Tokens of the whole guide.", min=1)]
Limit = Annotated[int | None, typer.Option(help="Judge so many test rows, drawn by the seed.", min=2)]
Cascade = Annotated[
    str | None,
    typer.Option(metavar="EXPERT", help="A classifier that answers where the LLM's draws do not agree."),
]
Draws = Annotated[int, typer.Option(help="Of the LLM, with --cascade.", min=2)]
HeldOut = Annotated[
    Path, typer.Argument(metavar="ROWS", help="Labelled rows that the pool was not learned from.")
]
SettingName = Annotated[
    str, typer.Option("--setting", help="zero-shot, few-shot (3 shots), zero-shot-cot or few-shot-cot.")
]
DistinctKeys = Annotated[
    bool, typer.Option("--distinct-keys", help="Of equal texts in the pool show the first only.")
]
