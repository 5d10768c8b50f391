"""``explore judge``, ``review``, ``vote`` and ``maths``: what models and people say of rows and answers."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from kshot.cli import panda_options as asked

if TYPE_CHECKING:
    from kshot.pipeline.explore.judgement import JudgeJob
    from kshot.report.judge import JudgeReport

Answers = Annotated[Path, typer.Argument(help="Rows with an id (or question) and an answer.")]
Judge = Annotated[
    str, typer.Option("--llm", help="The judge: an OpenAI-compatible address, or a local model.")
]
JudgeModel = Annotated[
    str | None, typer.Option("--llm-model", "--model", help="The judge's name at the endpoint.")
]
MaxCalls = Annotated[
    int | None, typer.Option("--calls", "--budget-calls", help="Stop after so many requests.", min=1)
]
MaxTokens = Annotated[
    int | None, typer.Option("--tokens", "--budget-tokens", help="Stop after so many tokens.", min=1)
]
MaxUsd = Annotated[float | None, typer.Option("--usd", "--budget-usd", help="Stop after so much money.")]
Human = Annotated[
    Path | None, typer.Option(metavar="FILE", help="People's verdicts: lines of id and verdict (a, b, tie).")
]
Criteria = Annotated[
    list[str] | None,
    typer.Option(
        "--criterion",
        help="What to compare by; repeatable; default: helpful, relevant, accurate, detailed enough.",
    ),
]
Name = Annotated[str | None, typer.Option(help="What the report calls it; default: the file's name.")]
Language = Annotated[str, typer.Option(help="Of the judge's instructions: en or zh.")]
Host = Annotated[str, typer.Option(help="Where to listen.")]
Port = Annotated[int, typer.Option(min=0, max=65535, help="0 takes a free one.")]
AllowRemote = Annotated[
    bool, typer.Option("--allow-remote", help="Permit a --host that other machines can reach.")
]


def judge(
    a: Answers,
    b: Answers,
    llm: Judge,
    out: Annotated[Path | None, typer.Option(help="Folder of the report and of verdicts.jsonl.")] = None,
    llm_model: JudgeModel = None,
    api_key_env: asked.ApiKeyEnv = None,
    concurrency: asked.Concurrency = 16,
    prompt_usd: asked.PromptUsd = None,
    completion_usd: asked.CompletionUsd = None,
    calls: MaxCalls = None,
    tokens: MaxTokens = None,
    usd: MaxUsd = None,
    human: Human = None,
    criteria: Criteria = None,
    name_a: Name = None,
    name_b: Name = None,
    language: Language = "en",
    seed: Annotated[int, typer.Option(help="Of the bootstrap.", min=0)] = 0,
    simulated: asked.Simulated = False,
    as_json: asked.AsJson = False,
) -> None:
    """Have a model say which of two files of answers is better, pair by pair, each in both orders."""
    from kshot.cli.progress import listener
    from kshot.pipeline.explore.judgement import judge_files
    from kshot.report.judge import write_judge_report
    from kshot.runs import write_text

    job = _job(locals())
    if out is not None:
        _check_folder(out)
    with listener() as listen:
        report, judged = judge_files(job, listener=listen)
    if out is not None:
        paths = write_judge_report(report, out)
        lines = (json.dumps(pair.to_json(), ensure_ascii=False) + "\n" for pair in judged.pairs)
        write_text(out / "verdicts.jsonl", "".join(lines).encode("utf-8", "replace").decode("utf-8"))
        print(f"report: {paths.html}", file=sys.stderr)
    _print_report(report, as_json=as_json)


def review(
    folder: Annotated[
        Path, typer.Argument(metavar="DIR", help="An exploration's folder, or a file of its rows.")
    ],
    host: Host = "127.0.0.1",
    port: Port = 0,
    allow_remote: AllowRemote = False,
) -> None:
    """Accept or reject rows on a local web page; verdicts go to reviews.jsonl beside the rows."""
    from kshot.serve.listen import Address
    from kshot.serve.review import rows_deck, serve_review

    deck, out = rows_deck(folder)
    serve_review(deck, out, say=_tell, address=Address(host, port, allow_remote))


def vote(
    a: Answers,
    b: Answers,
    out: Annotated[Path, typer.Option(metavar="FILE", help="Where votes go; gone on with.")],
    name_a: Name = None,
    name_b: Name = None,
    seed: Annotated[int, typer.Option(help="Of the sides.", min=0)] = 0,
    host: Host = "127.0.0.1",
    port: Port = 0,
    allow_remote: AllowRemote = False,
) -> None:
    """Vote blind on pairs of answers on a local web page; `judge --human` reads the votes."""
    from kshot.cli.places import check_place
    from kshot.pipeline.explore.judgement import pairs_of
    from kshot.serve.listen import Address
    from kshot.serve.review import pairs_deck, serve_review

    check_place(out)
    joined = pairs_of(a, b)
    deck = pairs_deck(joined.pairs, names=(name_a or a.stem, name_b or b.stem), seed=seed)
    _tell(f"{len(deck.cards)} pairs, joined by {joined.by}; {deck.left_out} more have equal answers")
    serve_review(deck, out, say=_tell, address=Address(host, port, allow_remote))


def maths(
    gold: Annotated[Path, typer.Argument(help="Rows with an id and the right answer, boxed or bare.")],
    replies: Annotated[Path, typer.Argument(help="Rows with the same ids and a model's replies.")],
    strict: Annotated[
        bool, typer.Option("--strict", help="Spellings count as the released checker has them.")
    ] = False,
    as_json: asked.AsJson = False,
) -> None:
    """Count right answers to mathematical questions; a missing or unstated answer is wrong."""
    from dataclasses import asdict

    from kshot.cli.tables import print_table
    from kshot.pipeline.explore.maths_accuracy import maths_accuracy

    found = maths_accuracy(gold, replies, mode="strict" if strict else "lenient")
    if as_json:
        print(json.dumps({"share": found.share, **asdict(found)}, ensure_ascii=False, indent=1))
        return
    low, high = found.interval
    print_table(
        ("right", "of", "share", "95 % interval", "no reply", "no answer stated", "extra", "without gold"),
        [(found.right, found.n, f"{found.share:.1%}", f"[{low:.1%}, {high:.1%}]", found.missing,
          found.unstated, found.extra, found.without_gold)],
    )  # fmt: skip


def _job(given: dict[str, Any]) -> JudgeJob:
    from kshot.cli.panda_given import llm_of, one_of
    from kshot.errors import InputError
    from kshot.models.endpoint import Budget
    from kshot.pipeline.explore.judgement import JudgeJob

    a, b = given["a"], given["b"]
    names = (given["name_a"] or a.stem, given["name_b"] or b.stem)
    if names[0] == names[1]:
        if given["name_a"] or given["name_b"]:
            raise InputError(f"--name-a and --name-b: both are {names[0]!r}; give two names")
        names = (str(a), str(b))
    return JudgeJob(
        a=a,
        b=b,
        llm=llm_of(given),
        names=names,
        human=given["human"],
        criteria=tuple(given["criteria"] or ()),
        language=one_of(given["language"], "--language", ("en", "zh")),
        seed=given["seed"],
        budget=Budget(calls=given["calls"], tokens=given["tokens"], usd=given["usd"]),
        simulated=given["simulated"],
    )


def _check_folder(out: Path) -> None:
    """Before anything is paid, whether a folder can be there."""
    from kshot.errors import InputError

    if out.exists() and not out.is_dir():
        raise InputError(f"--out: {out} is a file; give a folder")


def _print_report(report: JudgeReport, *, as_json: bool) -> None:
    from kshot.cli.tables import print_table
    from kshot.report.judge import headline, judge_tables, warnings
    from kshot.report.plain import to_plain
    from kshot.report.terminal import printable

    if as_json:
        plain = {"headline": headline(report), "warnings": warnings(report), **to_plain(report)}
        print(json.dumps(plain, indent=1))  # ASCII: a reply may hold half a character
        return
    print(printable(headline(report)))
    for table in judge_tables(report):
        print(f"\n{table.title}")
        print_table(table.header, table.rows)
    for text in warnings(report):
        print(printable(f"\n- {text}"))


def _tell(line: str) -> None:
    print(line, file=sys.stderr, flush=True)
