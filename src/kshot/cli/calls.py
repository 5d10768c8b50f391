"""``calls``: the journal of an endpoint's calls, listed, summed up, shown, exported and cleared."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, cast

import typer

from kshot.cli.tables import print_table

if TYPE_CHECKING:
    from kshot.models.journal import Call, Journal, Mode, StepUsage
    from kshot.models.journal.call import Status

app = typer.Typer(
    help="Look at what was asked of endpoints, what it cost, and clear it.", no_args_is_help=True
)
Place = Annotated[
    Path | None,
    typer.Option(
        "--journal", metavar="PATH", help="The journal; default: KSHOT_JOURNAL, else the user's cache."
    ),
]
Step = Annotated[str | None, typer.Option(help="Of this step alone: learn, answer, judge ...")]
Model = Annotated[str | None, typer.Option(help="Of this model alone.")]
Older = Annotated[
    float | None, typer.Option(min=0, metavar="DAYS", help="Only calls of more than so many days ago.")
]
AnyStatus = Annotated[str | None, typer.Option(metavar="STATUS", help="done or failed.")]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON.")]
DIGITS, SHOWN = 12, 60


@app.command("list")
def list_calls(
    journal: Place = None,
    step: Step = None,
    model: Model = None,
    older_than: Older = None,
    status: AnyStatus = None,
    limit: Annotated[int, typer.Option(min=0, help="The last so many; 0: all.")] = 20,
    as_json: AsJson = False,
) -> None:
    """List calls, the latest last."""
    with _opened(journal) as opened:
        found = opened.calls(
            step=step,
            model=model,
            until=_moment(older_than),
            status=cast("Status | None", status),
            limit=-limit or None,
        )
        if as_json:
            _print_array(call.to_json() for call in found)
            return
        rows = [_row(call) for call in found]
    columns = ("key", "created (UTC)", "step", "model", "status", "tokens in", "out", "USD", "s", "reply")
    print_table(columns, rows)


@app.command()
def usage(journal: Place = None, as_json: AsJson = False) -> None:
    """Sum up calls, tokens and money by step and model, and how often a reply was used again for nothing."""
    from dataclasses import asdict

    with _opened(journal) as opened:
        found, path = opened.usage(), opened.path
    if as_json:
        print(json.dumps([asdict(row) for row in found], indent=1, ensure_ascii=False))
        return
    columns = (
        "step", "model", "calls", "failed", "used again", "tokens in", "out", "USD", "saved", "without price",
    )  # fmt: skip
    print_table(columns, (_sums(row) for row in found))
    usd, saved = sum(row.usd for row in found), sum(row.usd_saved for row in found)
    print(f"{sum(row.calls for row in found)} calls, {_usd(usd)} USD paid, {_usd(saved)} USD saved")
    print(f"{path}: {path.stat().st_size / 1e6:.1f} MB")


@app.command()
def show(
    key: Annotated[str, typer.Argument(help="A key, or its first digits, as `kshot calls list` shows it.")],
    journal: Place = None,
    as_json: AsJson = False,
) -> None:
    """Show what was asked under a key, and every reply to it."""
    from kshot.errors import InputError

    with _opened(journal) as opened:
        found = opened.matching(key)
        keys = sorted({call.key for call in found})
        if not keys:
            raise InputError(
                f"{opened.path}: no call's key begins with {key!r}; `kshot calls list` shows them"
            )
        if len(keys) > 1:
            first = ", ".join(name[: len(key) + 6] for name in keys[:3])
            raise InputError(f"{len(keys)} or more keys begin with {key!r} ({first} ...); give more digits")
    if as_json:
        _print_array(call.to_json() for call in found)
        return
    for line in _told(found):
        print(_printable(line))


@app.command()
def export(
    file: Annotated[Path, typer.Argument(help="The JSONL file to write; it will hold prompts and replies.")],
    journal: Place = None,
    step: Step = None,
    model: Model = None,
    older_than: Older = None,
    status: AnyStatus = None,
) -> None:
    """Write calls as JSONL, one a line."""
    from kshot.cli.places import check_place

    check_place(file, option="FILE")
    with _opened(journal) as opened:
        count = opened.export(
            file, step=step, model=model, until=_moment(older_than), status=cast("Status | None", status)
        )
    print(_printable(f"{count} calls written to {file}"))


@app.command()
def clear(
    journal: Place = None,
    step: Step = None,
    model: Model = None,
    older_than: Older = None,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False,
) -> None:
    """Delete calls for good: what they answered is asked, and paid, anew."""
    from kshot.errors import InputError

    before = _moment(older_than)
    with _opened(journal, mode="use") as opened:
        found = [row for row in opened.usage() if step in (None, row.step) and model in (None, row.model)]
        count, usd = sum(row.calls for row in found), sum(row.usd for row in found)
        what = f"{opened.path}: {'up to ' if before else ''}{count} calls, {_usd(usd)} USD"
        if not yes:
            if not _can_be_asked():
                raise InputError(f"{what}: say --yes to clear them where nobody can be asked")
            if not typer.confirm(_printable(f"{what} paid for them. Clear?")):
                print("nothing was cleared")
                return
        count = opened.clear(step=step, model=model, before=before)
    print(f"{count} calls cleared")


def _opened(place: Path | None, *, mode: Mode = "read_only") -> Journal:
    """A journal that is there; looking at one makes none."""
    from kshot.errors import InputError
    from kshot.models.journal import Journal, default_journal

    path = (place or default_journal()).expanduser()
    if not path.exists():
        raise InputError(
            f"{path}: there is no journal; a run that asks an endpoint makes it "
            "(another place: --journal PATH)"
        )
    return Journal(path, mode=mode)


def _can_be_asked() -> bool:
    return sys.stdin.isatty()


def _moment(days: float | None) -> datetime | None:
    from kshot.errors import InputError

    try:
        return None if days is None else datetime.now(UTC) - timedelta(days=days)
    except OverflowError:
        raise InputError(f"--older-than: {days:g} days ago there was no calendar") from None


def _sums(row: StepUsage) -> tuple[object, ...]:
    return (
        row.step, row.model, row.calls, row.failed, row.hits, row.prompt_tokens, row.completion_tokens,
        _usd(row.usd), _usd(row.usd_saved), row.unpriced or None,
    )  # fmt: skip


def _row(call: Call) -> tuple[object, ...]:
    words = " ".join((call.text if call.status == "done" else call.error).split())
    return (
        call.key[:DIGITS], call.created[:19].replace("T", " "), call.step, call.model, call.status,
        call.prompt_tokens, call.completion_tokens, None if call.prices is None else _usd(call.usd),
        f"{call.latency_s:.1f}", words if len(words) <= SHOWN else words[: SHOWN - 1] + "…",
    )  # fmt: skip


def _told(calls: Iterable[Call]) -> Iterable[str]:
    """A request and its replies, as lines."""
    for position, call in enumerate(calls):
        if position == 0:
            yield from (f"key: {call.key}", f"model: {call.model}", f"endpoint: {call.endpoint}")
            request = dict(call.request)
            messages = request.pop("messages", None)
            yield f"settings: {json.dumps(request, ensure_ascii=False, sort_keys=True)}"
            for turn in messages if isinstance(messages, list) else []:
                content = turn.get("content") if isinstance(turn, dict) else turn
                role = turn.get("role", "?") if isinstance(turn, dict) else "?"
                text = content if isinstance(content, str) else json.dumps(content, ensure_ascii=False)
                yield from ("", f"[{role}]", *text.split("\n"))
        price = "price unknown" if call.prices is None else f"{_usd(call.usd)} USD"
        yield from (
            "",
            f"[{call.status}, {call.step}, {call.created[:19]} UTC] {call.prompt_tokens} + "
            f"{call.completion_tokens} tokens, {price}, {call.latency_s:.2f} s, attempts: {call.attempts}, "
            f"finish: {call.finish_reason or 'none'}",
        )
        yield from (call.text if call.status == "done" else f"error: {call.error}").split("\n")


def _print_array(rows: Iterable[dict[str, Any]]) -> None:
    """A JSON array, row by row: a journal may be larger than memory."""
    before = "["
    for row in rows:
        print(before + "\n" + json.dumps(row), end="")
        before = ","
    print("[]" if before == "[" else "\n]")


def _usd(value: float) -> str:
    return f"{value:.4f}"


def _printable(line: str) -> str:
    """Without terminal codes; an indent stays."""
    from kshot.report.terminal import printable

    return " " * (len(line) - len(line.lstrip(" "))) + printable(line)
