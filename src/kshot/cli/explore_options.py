"""The options of ``explore``, one alias each, so that the verbs' signatures stay readable."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

Domain = Annotated[
    str,
    typer.Argument(
        metavar="DOMAIN",
        help="brainstorming, rewriting or mathematics; a tree (.json, .md, or a released folder); or a "
        "domain's name in your own words, with --description.",
    ),
]
Folder = Annotated[Path, typer.Argument(metavar="DIR", help="The folder of an exploration.")]
Out = Annotated[Path, typer.Option(help="The exploration's folder; one that stands there is gone on with.")]
Description = Annotated[str | None, typer.Option(help="What belongs to the domain, in a sentence or two.")]
Shots = Annotated[
    Path | None,
    typer.Option(
        metavar="FILE", help="Labelled rows that show what is meant; they guide the first requests."
    ),
]
Task = Annotated[
    str | None,
    typer.Option(
        help="A task file or miniature:NAME: its shots guide, and rows like its test rows stay out."
    ),
]
Guard = Annotated[
    list[Path] | None,
    typer.Option("--guard", metavar="FILE", help="Rows that must not come back; repeatable."),
]
Llm = Annotated[
    str | None,
    typer.Option(help="Address of an OpenAI-compatible endpoint, or a local model; default: as before here."),
]
Model = Annotated[str | None, typer.Option("--model", help="The model's name at the endpoint.")]
ApiKeyEnv = Annotated[
    str | None, typer.Option(metavar="VARIABLE", help="The environment variable that holds the key.")
]
Concurrency = Annotated[int, typer.Option(help="Requests in flight at most.", min=1)]
PromptUsd = Annotated[float | None, typer.Option(help="USD per million tokens of prompts.", min=0)]
CompletionUsd = Annotated[float | None, typer.Option(help="USD per million tokens of replies.", min=0)]
BudgetCalls = Annotated[
    int | None, typer.Option("--budget-calls", help="Stop after so many requests.", min=1)
]
BudgetTokens = Annotated[
    int | None, typer.Option("--budget-tokens", help="Stop after so many tokens.", min=1)
]
BudgetUsd = Annotated[float | None, typer.Option("--budget-usd", help="Stop after so much money.")]
Rows = Annotated[int | None, typer.Option("--rows", "-n", help="How many rows the product has.", min=1)]
RowsTask = Annotated[
    int | None,
    typer.Option("--rows-per-task", help="The most rows of a task; default: 200, or by --rows.", min=1),
]
Method = Annotated[
    str,
    typer.Option(
        help="adaptive, or a baseline: fixed (the paper's 8 and 6), flat, depth_zero, self_instruct."
    ),
]
Language = Annotated[str | None, typer.Option(help="en or zh; default: by the domain's name.")]
Form = Annotated[str, typer.Option("--replies", help="json, or blocks for models without structured output.")]
FormAsBefore = Annotated[str | None, typer.Option("--replies", help="json or blocks; default: as before.")]
Depth = Annotated[int, typer.Option(help="Levels below the domain.", min=0)]
Breadth = Annotated[str, typer.Option(help="adaptive: until new names dry up; or children a level, as 8,6.")]
Order = Annotated[str, typer.Option(help="rounds: branches side by side; depth_first: one after another.")]
Share = Annotated[float, typer.Option(help="Of the calls, the most that exploring may use.")]
Cap = Annotated[int, typer.Option(help="Most subtasks of a task with adaptive breadth.", min=1)]
LeastYield = Annotated[
    float,
    typer.Option(
        help="New names per name asked for; a task ends after two calls below it (adaptive breadth)."
    ),
]
NameOverlap = Annotated[float, typer.Option(help="ROUGE-L above which a name is refused.")]
NameCosine = Annotated[float, typer.Option(help="Cosine above which a name is refused.")]
Embedder = Annotated[str, typer.Option(help="Compares names: hashing, a folder or a hub id.")]
Relevance = Annotated[
    str,
    typer.Option(
        help="Ask whether new tasks belong to their parent: upper (those that will be split), all, none."
    ),
]
Probe = Annotated[
    bool, typer.Option("--probe", help="Ask once without the known tasks, to estimate how many there are.")
]
Overlap = Annotated[float, typer.Option(help="ROUGE-L above which an instruction is a repeat.")]
Scope = Annotated[
    str, typer.Option(help="Where repeats are looked for: tree, or per_node as the paper's release.")
]
SecondPass = Annotated[bool, typer.Option("--second-pass", help="Ask for each answer again, by itself.")]
Without = Annotated[
    list[str] | None, typer.Option("--without", metavar="RULE", help="Switch a row rule off; repeatable.")
]
Length = Annotated[
    str | None,
    typer.Option(
        metavar="LEAST,MOST", help="Words of an instruction; default: 3,150. Chinese: characters; 4,300."
    ),
]
LeastKept = Annotated[
    float, typer.Option(help="Of its last 30 rows, the kept share below which a task is asked no more.")
]
LeavesOnly = Annotated[bool, typer.Option("--leaves-only", help="Tasks that have subtasks get no rows.")]
Lanes = Annotated[int, typer.Option(help="Lines of requests side by side within a round of filling.", min=1)]
Seed = Annotated[int, typer.Option(help="Of all draws.", min=0)]
Simulated = Annotated[bool, typer.Option("--simulated", help="Mark everything: the LLM is a simulation.")]
DryRun = Annotated[bool, typer.Option("--dry-run", help="Say about what it will cost; ask nothing.")]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON.")]
Released = Annotated[
    Path, typer.Argument(metavar="FOLDER", help="A folder with tree_meta_info.json and a file a task.")
]
Files = Annotated[list[Path], typer.Argument(metavar="FILE...", help="Rows that you have, in any format.")]
Floor = Annotated[float, typer.Option(help="Cosine to the nearest task below which a row stays out.")]
Against = Annotated[
    list[str] | None,
    typer.Option(
        "--against", metavar="NAME=FILE", help="Another dataset, or exploration, beside it; repeatable."
    ),
]
Seeds = Annotated[Path | None, typer.Option(metavar="FILE", help="Rows that overlap is told against, too.")]
Parser = Annotated[str, typer.Option(help="Of verbs and nouns: auto, spacy, hanta or plain.")]
ExportForm = Annotated[
    str, typer.Option("--form", help="jsonl, parquet, alpaca, messages, or released (the paper's layout).")
]
ExportOut = Annotated[Path, typer.Option("--out", help="The new folder.")]
Count = Annotated[int | None, typer.Option("--count", "-n", help="Draw exactly so many rows.", min=1)]
Licence = Annotated[
    str, typer.Option("--licence", help="Written into rows and card; what the LLM's terms allow.")
]
Outline = Annotated[bool, typer.Option("--refused", help="Show what was refused, too.")]
