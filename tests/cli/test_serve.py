"""``kshot serve`` as a process of its own, and what it refuses."""

import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import openai
import pytest

from kshot.errors import DataError, InputError, RunError
from kshot.methods.panda.pool import InsightPool, PoolHeader
from kshot.methods.panda.records import Insight
from kshot.models.fake import FakeReply, FakeServer, request_text
from kshot.serve import Address, ProxyOptions, serve

KEYS = ("the tap is dripping again", "my bill is too high", "the train was late")


@pytest.fixture
def pool(tmp_path: Path) -> Path:
    insights = [Insight(row, key, f"lesson {row}") for row, key in enumerate(KEYS)]
    InsightPool(insights, PoolHeader("letters", embedder="hashing")).save(tmp_path / "pool")
    return tmp_path / "pool"


@contextmanager
def running(*arguments: Any) -> Iterator[tuple[subprocess.Popen[str], str, list[str]]]:
    """The process, its address, and the lines before that."""
    command = [sys.executable, "-m", "kshot", "serve", *map(str, arguments), "--port", "0"]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    lines = []
    try:
        for line in process.stderr:
            if line.startswith("listening on "):
                yield process, line.split()[-1], lines
                return
            lines.append(line.strip())
        raise AssertionError(lines)
    finally:
        process.kill()
        process.communicate()


def ask(address: str, text: str) -> str:
    with openai.OpenAI(base_url=address, api_key="sk-mine-NEVER-LOGGED", max_retries=0) as client:
        reply = client.chat.completions.create(model="fake", messages=[{"role": "user", "content": text}])
    return reply.choices[0].message.content


def test_it_serves_and_ctrl_c_ends_it(pool: Path) -> None:
    with (
        FakeServer(request_text) as upstream,
        running(pool, "--upstream", upstream.base_url, "--k", 1, "--trace", "--render", "insight") as found,
    ):
        process, address, before = found
        assert before == [f"{pool}: 3 insights of 'letters'"]
        text = ask(address, "the train is late")
        assert text.endswith("\n\nthe train is late")
        assert "lesson 2" in text
        assert "lesson 1" not in text
        process.send_signal(signal.SIGINT)
        out, errors = process.communicate(timeout=20)
        assert process.returncode in (0, 130)
        assert out == ""
        assert errors.startswith("insights: 1 (")
        assert "Traceback" not in errors
        assert "NEVER" not in errors


def test_ctrl_c_lets_a_stream_that_is_under_way_come_to_its_end(pool: Path) -> None:
    slow = FakeReply("a b c d e f", between=0.15)
    with (
        FakeServer(lambda body: slow) as upstream,
        running(pool, "--upstream", upstream.base_url) as (process, address, _),
        openai.OpenAI(base_url=address, api_key="k", max_retries=0) as client,
    ):
        stream = client.chat.completions.create(
            model="fake", messages=[{"role": "user", "content": "the bill"}], stream=True
        )
        words = [next(stream).choices[0].delta.content or ""]
        process.send_signal(signal.SIGINT)
        words += [part.choices[0].delta.content or "" for part in stream]
        assert "".join(words) == "a b c d e f"
        _, errors = process.communicate(timeout=20)
        assert process.returncode in (0, 130)
        assert "Traceback" not in errors


def test_an_empty_pool_is_told_and_forwards(tmp_path: Path) -> None:
    InsightPool([], PoolHeader("none")).save(tmp_path / "empty")
    with (
        FakeServer(request_text) as upstream,
        running(tmp_path / "empty", "--upstream", upstream.base_url) as (_, address, before),
    ):
        assert before == [f"{tmp_path / 'empty'}: the pool is empty; requests are forwarded as they are"]
        assert ask(address, "anything") == "anything"


def test_other_machines_only_with_leave(pool: Path) -> None:
    with pytest.raises(InputError, match="--allow-remote"):
        serve(pool, "http://127.0.0.1:9/v1", address=Address("0.0.0.0", 0))
    with running(pool, "--upstream", "http://127.0.0.1:9/v1", "--host", "0.0.0.0", "--allow-remote") as found:
        assert found[2][-1].startswith("warning: other machines can reach this server")


def test_what_cannot_be_served_is_told(pool: Path, tmp_path: Path) -> None:
    with pytest.raises(DataError):
        serve(tmp_path / "nowhere", "http://127.0.0.1:9/v1")
    with pytest.raises(InputError, match="--upstream"):
        serve(pool, "127.0.0.1:9")
    with FakeServer(request_text) as taken:
        port = int(taken.base_url.split(":")[2].split("/")[0])
        with pytest.raises(RunError, match="cannot be listened on"):
            serve(pool, taken.base_url, address=Address(port=port))
    with pytest.raises(RunError, match="cannot be listened on"):
        serve(pool, "http://127.0.0.1:9/v1", address=Address("127.0.0.999", 0, allow_remote=True))


@pytest.mark.parametrize("package", ["fastapi", "uvicorn", "httpx2"])
def test_a_missing_package_is_told_with_the_remedy(
    package: str, pool: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, package, None)
    with pytest.raises(InputError, match=r"pip install 'kshot\[serve\]'"):
        serve(pool, "http://127.0.0.1:9/v1", options=ProxyOptions())


def test_the_command_loads_nothing_heavy() -> None:
    code = "import sys, kshot.cli.serve; print({'torch', 'fastapi', 'uvicorn', 'httpx2'} & set(sys.modules))"
    out = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    assert out == "set()\n"


@pytest.mark.slow
def test_ctrl_c_cuts_what_does_not_end_without_a_trace_of_calls(pool: Path) -> None:
    endless = FakeReply("word " * 1000, between=0.1)
    with (
        FakeServer(lambda body: endless) as upstream,
        running(pool, "--upstream", upstream.base_url) as (process, address, _),
        openai.OpenAI(base_url=address, api_key="k", max_retries=0) as client,
    ):
        stream = client.chat.completions.create(
            model="fake", messages=[{"role": "user", "content": "the bill"}], stream=True
        )
        next(stream)
        process.send_signal(signal.SIGINT)
        with pytest.raises(openai.APIConnectionError):
            list(stream)
        _, errors = process.communicate(timeout=20)
        assert process.returncode in (0, 130)
        assert "Traceback" not in errors
        assert upstream.requests[0].outcome == "hung_up"
