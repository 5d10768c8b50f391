"""``python -m benchmarks.endpoint_faults [--only PART] [--out FILE]``: faults, kills, time per request."""

from __future__ import annotations

import argparse
import asyncio
import itertools
import random
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from functools import partial
from pathlib import Path
from typing import Any

from benchmarks.endpoint_faults.flow import Series
from benchmarks.endpoint_faults.worker import questions
from kshot.models.asking import Question
from kshot.models.endpoint import Endpoint, EndpointOptions
from kshot.models.fake import FakeServer, Faults

STATED = {"rate_limited": 0.2, "malformed": 0.05, "disconnected": 0.02, "after_paying": True}


def numbered() -> Callable[[Mapping[str, Any]], str]:
    """Replies that differ at every call, so that a repeated call is seen."""
    count = itertools.count()
    return lambda body: f"{body['messages'][-1]['content']} call {next(count)}"


def until_taken(series: Series, count: int) -> Iterator[Question]:
    """The questions; notes when the last one is taken."""
    yield from questions(count)
    series.taken = time.monotonic()


def faults(recovery: str, *, count: int = 5000, concurrency: int = 32) -> str:
    """One run against the stated faults."""
    series = Series()
    options = EndpointOptions(recovery=recovery, watch=series)  # type: ignore[arg-type]
    place = tempfile.TemporaryDirectory()
    server = FakeServer(numbered(), faults=Faults(**STATED, latency=(0.05, 2.0)))
    with place as folder, server:
        journal = Path(folder) / "calls.sqlite"
        with Endpoint(
            server.base_url, "fake", journal=journal, concurrency=concurrency, options=options
        ) as endpoint:
            began = time.monotonic()
            found = dict(endpoint.ask(until_taken(series, count)))
            seconds = time.monotonic() - began
        stats, requests, log = server.stats(), server.requests, server.log
    outcomes = stats["outcomes"]
    usable = sum(reply.finish_reason != "error" for reply in found.values())
    mean = sum(b * (t2 - t1) for (t1, b, _), (t2, _, _) in itertools.pairwise(series.rows))
    mean /= series.rows[-1][0] - series.rows[0][0]
    cells = [
        recovery,
        f"{usable:,} of {count:,}",
        f"{stats['requests']:,}",
        " / ".join(f"{outcomes.get(fate, 0):,}" for fate in ("rate_limited", "malformed", "disconnected")),
        f"{stats['paid'] - stats['paid_distinct']}",
        f"{len(series.halvings()):,}",
        f"{series.too_early(requests)}",
        f"{mean:.1f}",
        f"{100 * series.used():.1f} %",
        f"{100 * series.used_at_server(log):.1f} %",
        f"{seconds:,.0f}",
    ]
    return "| " + " | ".join(cells) + " |"


def kills(*, count: int = 1000, times: int = 10, concurrency: int = 32) -> str:
    """Killed at random moments, then run to the end, twice."""
    draw = random.Random(0)
    given: dict[str, set[str]] = {}
    in_flight = 0
    server = FakeServer(numbered(), faults=Faults(**STATED, latency=(0.05, 2.0)))
    with tempfile.TemporaryDirectory() as folder, server:
        command = [sys.executable, "-m", "benchmarks.endpoint_faults.worker", server.base_url]
        command += [str(Path(folder) / "calls.sqlite"), str(count), str(concurrency)]
        for _ in range(times):
            worker = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
            time.sleep(draw.uniform(1.0, 8.0))
            in_flight += server.in_flight_now
            worker.kill()
            noted(worker.communicate()[0], given)
        began = time.monotonic()
        whole = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True).stdout
        seconds = time.monotonic() - began
        before = server.stats()["paid"]
        again = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True).stdout
        stats = server.stats()
    outcomes = stats["outcomes"]
    noted(whole, given)
    noted(again, given)
    changed = sum(len(texts) > 1 for texts in given.values())
    lines = [
        f"- {times} kills; requests in flight at them: {in_flight}; the last run took {seconds:.0f} s",
        f"- questions with a reply: {len(given):,} of {count:,}; with two different ones: {changed}",
        f"- the whole run again: {stats['paid'] - before} paid, "
        f"{'the same' if sorted(whole.splitlines()) == sorted(again.splitlines()) else 'OTHER'} replies",
        f"- paid {stats['paid']:,} times for {stats['paid_distinct']:,} questions; disconnects after paying: "
        f"{outcomes.get('disconnected', 0)}; requests cut by a kill: {outcomes.get('hung_up', 0)}",
    ]
    return "\n".join(lines)


def noted(out: str, given: dict[str, set[str]]) -> None:
    """Every reply that a process gave, by question; a line that the kill cut is left out."""
    for line in out.split("\n")[:-1]:
        position, reply = line.split(" ", 1)
        given.setdefault(position, set()).add(reply)


async def bare(base_url: str, count: int, concurrency: int) -> None:
    """The plain client with a semaphore."""
    import openai

    places = asyncio.Semaphore(concurrency)
    async with openai.AsyncOpenAI(base_url=base_url, api_key="none", max_retries=0) as client:

        async def one(question: Question) -> str | None:
            async with places:
                reply = await client.chat.completions.create(
                    model="fake",
                    messages=[{"role": "user", "content": question.conversation[0].content}],
                    max_tokens=32,
                )
            return reply.choices[0].message.content

        assert all(await asyncio.gather(*(one(question) for question in questions(count))))


def ours(base_url: str, count: int, concurrency: int, *, is_kept: bool) -> None:
    """The endpoint, with or without a journal."""
    with tempfile.TemporaryDirectory() as folder:
        journal = Path(folder) / "calls.sqlite" if is_kept else None
        with Endpoint(base_url, "fake", journal=journal, concurrency=concurrency) as endpoint:
            assert all(reply.text for _, reply in endpoint.ask(questions(count)))


def overhead(*, count: int = 3000, repeats: int = 3) -> str:
    """Seconds for all requests and milliseconds for each; the server runs in a process of its own."""
    rows = ["| server's latency | in flight | client | s for 3,000 | ms a request |", "|--:|--:|---|--:|--:|"]
    for latency, concurrency in ((0.0, 32), (0.05, 32)):
        command = [sys.executable, "-m", "kshot.models.fake", "--port", "0", "--reply", "echo"]
        command += ["--latency", str(latency)]
        with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as server:
            assert server.stdout is not None
            base_url = server.stdout.readline().strip()
            clients: dict[str, Callable[[], None]] = {
                "openai with a semaphore": lambda u=base_url, c=concurrency: asyncio.run(bare(u, count, c)),
                "endpoint, no journal": partial(ours, base_url, count, concurrency, is_kept=False),
                "endpoint, journal": partial(ours, base_url, count, concurrency, is_kept=True),
            }
            for name, client in clients.items():
                seconds = min(timed(client) for _ in range(repeats))
                each = 1000 * seconds / count
                rows.append(f"| {latency:g} s | {concurrency} | {name} | {seconds:.2f} | {each:.2f} |")
            server.terminate()
    return "\n".join(rows)


def timed(work: Callable[[], None]) -> float:
    """Its seconds."""
    began = time.monotonic()
    work()
    return time.monotonic() - began


PARTS: dict[str, Callable[[], str]] = {
    "round_trip": lambda: faults("round_trip"),
    "reply": lambda: faults("reply"),
    "kills": kills,
    "overhead": overhead,
}


def main() -> None:
    """Prints the figures of all parts, or of one."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--only", choices=sorted(PARTS))
    parser.add_argument("--out", type=Path)
    given = parser.parse_args()
    found = {name: part() for name, part in PARTS.items() if given.only in (None, name)}
    text = "\n\n".join(found.values())
    print(text)
    if given.out is not None:
        given.out.write_text(text + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
