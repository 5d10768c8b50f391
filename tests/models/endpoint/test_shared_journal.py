"""Processes that are killed, and processes side by side: nothing is paid twice but what was in flight."""

import itertools
import os
import subprocess
import sys
import time
from pathlib import Path

from endpoint_questions import served

from kshot.models.fake import FakeServer, Faults

COUNT = 150
HERE = Path(__file__).parent


def started(server: FakeServer, journal: Path) -> subprocess.Popen:
    command = [sys.executable, str(HERE / "asking_process.py"), server.base_url, str(journal), str(COUNT)]
    return subprocess.Popen(
        command, stdout=subprocess.PIPE, text=True, env={**os.environ, "PYTHONPATH": str(HERE.parent)}
    )


def given(out: str) -> dict[int, str]:
    """Position to reply, of the lines that were printed whole."""
    rows = (line.split(" ", 2) for line in out.split("\n")[:-1])
    return {int(position): text for position, _, text in rows}


def numbered() -> object:
    count = itertools.count()
    return lambda body: f"{body['messages'][-1]['content']} call {next(count)}"


def test_killed_at_any_moment_it_goes_on_where_it_was(tmp_path: Path) -> None:
    place = tmp_path / "calls.sqlite"
    seen: dict[int, str] = {}
    with FakeServer(numbered(), faults=Faults(latency=(0.01, 0.05))) as server:
        for after in (3, 40, 90):
            killed = started(server, place)
            assert killed.stdout is not None
            lines = [killed.stdout.readline() for _ in range(after)]
            killed.kill()
            found = given("".join(lines) + killed.communicate()[0])
            assert all(seen.get(position, text) == text for position, text in found.items())
            seen |= found
            time.sleep(0.2)  # the server notices
        whole = given(started(server, place).communicate(timeout=60)[0])
        again = given(started(server, place).communicate(timeout=60)[0])
        stats = server.stats()
    assert len(whole) == COUNT
    assert again == whole
    assert seen.items() <= whole.items()  # what was given before a kill is what is given now
    assert stats["paid_distinct"] == COUNT
    assert stats["paid"] - COUNT <= 3 * 8  # three kills, eight places


def test_two_processes_share_the_work(tmp_path: Path) -> None:
    place = tmp_path / "calls.sqlite"
    with FakeServer(numbered(), faults=Faults(latency=(0.01, 0.03))) as server:
        outs = [p.communicate(timeout=60)[0] for p in [started(server, place) for _ in range(2)]]
        stats = server.stats()
    first, second = map(given, outs)
    assert len(first) == COUNT
    assert first == second
    assert stats["paid"] == COUNT
    paid = [sum(line.split(" ")[1] == "1" for line in out.splitlines()) for out in outs]
    assert sum(paid) == COUNT


def test_a_process_takes_over_what_a_killed_one_had_claimed(tmp_path: Path) -> None:
    place = tmp_path / "calls.sqlite"
    with FakeServer(numbered(), faults=Faults(latency=(0.2, 0.3))) as server:
        first = started(server, place)
        assert first.stdout is not None
        first.stdout.readline()
        second = started(server, place)
        time.sleep(1.0)
        first.kill()
        first.communicate()
        assert len(given(second.communicate(timeout=60)[0])) == COUNT


def test_a_failure_of_somebody_else_is_asked_for_by_oneself(tmp_path: Path) -> None:
    from endpoint_questions import question

    from kshot.models.asking import replies
    from kshot.models.fake import FakeReply

    said = iter([FakeReply("bad day", status=400), "a good day"])
    with served(lambda body: next(said), journal=tmp_path / "calls.sqlite") as (_, endpoint):
        found = replies(endpoint, [question("same")] * 2)
    assert sorted(reply.text for reply in found) == ["", "a good day"]
