"""``serve``: a proxy that adds a pool's insights to the requests of any client."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated, Literal, TypeAlias

import typer

Upstream: TypeAlias = Annotated[
    str, typer.Option(metavar="URL", help="Base URL of the OpenAI-compatible server that answers.")
]
AllowRemote: TypeAlias = Annotated[
    bool, typer.Option("--allow-remote", help="Permit a --host that other machines can reach.")
]
DistinctKeys: TypeAlias = Annotated[
    bool, typer.Option("--distinct-keys", help="Of equal texts in the pool show the first only.")
]
Overlap: TypeAlias = Annotated[
    float | None, typer.Option(help="Pass over insights that repeat a chosen one above this ROUGE-L.")
]
Mmr: TypeAlias = Annotated[
    float | None, typer.Option(help="Weight of nearness against variety, 0 to 1; 1 is nearness alone.")
]
TokenBudget: TypeAlias = Annotated[
    int | None, typer.Option(help="Tokens that all insights of a request take together, about.")
]
Place: TypeAlias = Annotated[
    Literal["user", "system"],
    typer.Option(help="Before the last user message's text, or at the end of the system message."),
]
QueryFrom: TypeAlias = Annotated[
    Literal["last-user", "all-user"], typer.Option(help="The text that is looked up in the pool.")
]
Render: TypeAlias = Annotated[
    Literal["insight", "preference", "both"], typer.Option(help="What is shown of an insight.")
]
Answers: TypeAlias = Annotated[
    int, typer.Option(min=1, max=3, help="The expert's ranked answers that a preference shows.")
]
EmbedderName: TypeAlias = Annotated[
    str | None, typer.Option(help="hashing, a folder or a hub id; the pool's own if left out.")
]
ApiKeyEnv: TypeAlias = Annotated[
    str | None,
    typer.Option(metavar="NAME", help="Send the key in this variable in place of the clients' own."),
]
Patience: TypeAlias = Annotated[
    float, typer.Option(min=0.1, metavar="SECONDS", help="How long the upstream may be silent.")
]
Trace: TypeAlias = Annotated[
    bool, typer.Option("--trace", help="Print ids and scores of each request's insights; no contents.")
]


def serve(
    pool: Annotated[Path, typer.Argument(help="Folder of an insight pool.")],
    upstream: Upstream,
    host: Annotated[str, typer.Option(help="Where to listen.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(min=0, max=65535, help="0 takes a free one.")] = 8383,
    allow_remote: AllowRemote = False,
    k: Annotated[int, typer.Option("--k", min=0, help="Insights a request, at most.")] = 6,
    floor: Annotated[float | None, typer.Option(help="Leave out insights below this cosine.")] = None,
    distinct_keys: DistinctKeys = False,
    overlap: Overlap = None,
    mmr: Mmr = None,
    token_budget: TokenBudget = None,
    place: Place = "user",
    query_from: QueryFrom = "last-user",
    render: Render = "both",
    answers: Answers = 1,
    embedder: EmbedderName = None,
    api_key_env: ApiKeyEnv = None,
    largest_mb: Annotated[float, typer.Option(min=0.001, help="Refuse longer requests.")] = 20.0,
    patience: Patience = 600.0,
    trace: Trace = False,
) -> None:
    """Adapt any client's LLM: a server that adds a pool's insights to each chat request and forwards it.

    Point the client's base URL at the address that is printed. The request's own key is passed on, and not
    kept. The response header x-kshot-insights tells how many insights were added.
    """
    from kshot.methods.panda.retrieve import Retrieval
    from kshot.serve import Address, ProxyOptions
    from kshot.serve import serve as listen

    options = ProxyOptions(
        place=place, query_from=query_from, render=render, answers=answers, api_key_env=api_key_env,
        largest_mb=largest_mb, patience_s=patience, trace=trace, local_only=not allow_remote, log=_tell,
    )  # fmt: skip
    retrieval = Retrieval(
        k=k, floor=floor, distinct_keys=distinct_keys, overlap=overlap, mmr=mmr, token_budget=token_budget
    )
    listen(
        pool, upstream, address=Address(host, port, allow_remote), retrieval=retrieval, embedder=embedder,
        options=options,
    )  # fmt: skip


def _tell(line: str) -> None:
    print(line, file=sys.stderr, flush=True)
