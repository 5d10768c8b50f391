"""Calls for the tests of the journal, and programs that run beside them."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

from kshot.models.journal import Call, request_key

BEGIN = """
import os, random, sys, time
from pathlib import Path
from kshot.models.journal import Call, Journal, request_key
def request(i): return {"model": "m", "messages": [{"role": "user", "content": f"question {i}"}]}
def call(i, **more): return Call(request_key(request(i)), "m", request=request(i), text=f"answer {i}", **more)
path = Path(sys.argv[1])
"""


def request(i: int) -> dict[str, Any]:
    return {"model": "m", "messages": [{"role": "user", "content": f"question {i}"}]}


def key(i: int) -> str:
    return request_key(request(i))


def call(i: int, **more: Any) -> Call:
    return replace(Call(key(i), "m", request=request(i), text=f"answer {i}"), **more)


def program(code: str, path: Path, *arguments: object) -> subprocess.Popen[str]:
    """A process of its own that has ``path``, ``call(i)`` and what stands in ``BEGIN``."""
    command = [sys.executable, "-c", BEGIN + code, str(path), *map(str, arguments)]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stdin=subprocess.PIPE, text=True)


def said_by(process: subprocess.Popen[str]) -> str:
    """What it printed until its end, which is to be a good one."""
    out, _ = process.communicate(timeout=60)
    assert process.returncode == 0
    return out
