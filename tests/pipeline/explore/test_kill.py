"""``kill -9`` at ten random moments: the same tree and rows in the end, nothing paid again but what flew."""

from __future__ import annotations

import os
import random
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from kshot.models.fake import FakeServer, Faults
from kshot.models.fake.ontology import stated_speaker

KILLS = 10
PLACES = 8
CALLS = 150
FILES = ("tree.json", "rows.jsonl", "refused.jsonl")


def command(server: FakeServer, out: Path) -> list[str]:
    given = ["explore", "run", "everyday requests", "--description", "What people ask.", "--simulated"]
    given += ["--llm", server.base_url, "--model", "fake", "--budget-calls", str(CALLS), "--rows", "1200"]
    return [sys.executable, "-m", "kshot", *given, "--concurrency", str(PLACES), "--out", str(out)]


def begun(server: FakeServer, out: Path, journal: Path) -> subprocess.Popen[bytes]:
    environment = os.environ | {"KSHOT_JOURNAL": str(journal)}
    return subprocess.Popen(
        command(server, out), stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, env=environment
    )


def served() -> FakeServer:
    return FakeServer(stated_speaker("8x6x8:s=1.5,seed=4"), faults=Faults(latency=(0.02, 0.2), seed=1))


def ended(process: subprocess.Popen[bytes]) -> None:
    _, errors = process.communicate(timeout=300)
    assert process.returncode == 0, errors.decode()[-2000:]


def killed_after(process: subprocess.Popen[bytes], server: FakeServer, more: int) -> bool:
    """Kills it once so many further requests were seen; False where it ended before."""
    aim = len(server.requests) + more
    while len(server.requests) < aim:
        if process.poll() is not None:
            return False
        time.sleep(0.002)
    process.kill()
    process.communicate()
    return True


def contents(out: Path) -> dict[str, Any]:
    return {name: (out / name).read_bytes() for name in FILES}


@pytest.mark.slow
def test_ten_kills_change_nothing_and_little_is_paid_again(tmp_path: Path) -> None:
    with served() as server:
        ended(begun(server, tmp_path / "whole", tmp_path / "whole.sqlite"))
        paid_whole = sum(server.paid.values())
    draw = random.Random(0)
    out, journal = tmp_path / "killed", tmp_path / "killed.sqlite"
    with served() as server:
        kills = sum(
            killed_after(begun(server, out, journal), server, draw.randint(1, 20)) for _ in range(KILLS)
        )
        ended(begun(server, out, journal))
        paid = server.paid
        before = sum(paid.values())
        ended(begun(server, out, journal))
        assert sum(server.paid.values()) == before, "a finished exploration asks nothing"
    assert kills == KILLS
    assert contents(out) == contents(tmp_path / "whole")
    assert len(paid) == paid_whole
    assert before - len(paid) <= kills * PLACES
    assert max(paid.values()) <= 1 + kills
