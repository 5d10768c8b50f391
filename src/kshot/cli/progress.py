"""How a run tells how it goes: a bar with time left on a terminal, a JSON line an event elsewhere."""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from kshot.runs import Listener


@contextmanager
def listener() -> Iterator[Listener]:
    """A listener that writes to standard error, so that standard output stays clean."""
    if not sys.stderr.isatty():
        yield _json_line
        return
    from rich.console import Console
    from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn

    columns = (
        TextColumn("{task.description}", style="bold", markup=False),
        BarColumn(bar_width=28),
        TextColumn("{task.percentage:>3.0f} %"),
        TimeElapsedColumn(),
        TextColumn("left"),
        TimeRemainingColumn(),
        TextColumn("{task.fields[spent]}"),
    )
    with Progress(*columns, console=Console(stderr=True), transient=True) as progress:
        bar = progress.add_task("starting", total=1.0, spent="")

        def show(event: str, **fields: Any) -> None:
            if event == "system":
                spent = f"${fields['usd']:.2f}" if fields.get("usd") else ""
                progress.update(bar, description=fields["name"], completed=fields["share"], spent=spent)
            elif event in ("exploring", "round"):
                progress.update(bar, **_explored(event, fields))
            elif event == "writing":
                progress.update(bar, description=f"writing {fields['name']}", completed=fields["share"])
            elif event == "note":
                progress.print(fields["text"], markup=False)
            elif event == "leaves":
                for what in fields["what"]:
                    progress.print(f"leaves this machine: {what}", markup=False)
            elif text := _doing(event, fields):
                progress.update(bar, description=text)

        yield show


def _explored(event: str, fields: Mapping[str, Any]) -> dict[str, Any]:
    """How exploring goes: replies tell that it lives, rounds how far it is."""
    shown: dict[str, Any] = {
        "description": f"{fields['stage']}: {fields['tasks']:,} tasks, {fields['rows']:,} rows, "
        f"{fields['calls']:,} calls",
        "spent": f"${fields['usd']:.2f}" if fields.get("usd") else "",
    }
    if event == "exploring":
        shown["description"] += f", {fields['replies']:,} replies"
    if "share" in fields:
        shown["completed"] = fields["share"]
    return shown


def _doing(event: str, fields: Mapping[str, Any]) -> str:
    """What goes on within a system, or nothing."""
    if event == "scoring":
        return f"scoring the bank {fields['index'] + 1}/{fields['total']}"
    if event == "measuring":
        return f"{fields['models']} models on {fields['examples']:,} examples"
    if event == "mixing":
        return f"{fields['name']}: {fields['mixes']} mixes tried"
    if event == "hashing":
        return f"{fields['name']}: hashing the inputs"
    if event == "alpha":
        return f"alpha {fields['at']}/{fields['of']}"
    if event == "learning":
        of = f"/{fields['of']}" if "of" in fields else " episodes"
        return f"insights {fields['done']}{of}, {fields['failed']} left out"
    if event == "answering":
        return f"{fields['name']}: {fields['done']}/{fields['of']}"
    if event == "judging":
        return f"judging {fields['name']}"
    if event == "rehearsing":
        return f"rehearsing {fields['name']} ({fields['index'] + 1}/{fields['total']})"
    if event == "training":
        return f"{fields['name']}: step {fields['step']}/{fields['steps']}, loss {fields['loss']:.3f}"
    if event == "data":
        of = f"/{fields['of']:,}" if fields.get("of") else ""
        return f"open rows, {fields['stage']}: {fields['rows']:,}{of}"
    return ""


def _json_line(event: str, **fields: Any) -> None:
    print(json.dumps({"time": round(time.time(), 3), "event": event, **fields}), file=sys.stderr, flush=True)
