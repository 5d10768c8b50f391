"""The fake server as a process of its own."""

import json
import os
import signal
import subprocess
import sys
import urllib.request
from pathlib import Path

import openai
import pytest

from kshot.models.fake.__main__ import main


def test_it_serves_until_it_is_told_to_stop() -> None:
    command = [sys.executable, "-m", "kshot.models.fake", "--reply", "echo", "--api-key-env", "FAKE_KEY"]
    process = subprocess.Popen(
        command,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=os.environ | {"FAKE_KEY": "sk-f"},
    )
    try:
        address = process.stdout.readline().strip()
        with openai.OpenAI(base_url=address, api_key="sk-f", max_retries=0) as one:
            reply = one.chat.completions.create(
                model="fake", messages=[{"role": "user", "content": "hi you"}]
            )
        assert reply.choices[0].message.content == "hi you"
        with urllib.request.urlopen(address.removesuffix("/v1") + "/stats") as found:
            stats = json.load(found)
        assert (stats["paid"], stats["most_in_flight"], stats["outcomes"]) == (1, 1, {"ok": 1})
        process.send_signal(signal.SIGTERM)
        out, errors = process.communicate(timeout=10)
        assert (process.returncode, out, errors) == (0, "", "")
    finally:
        process.kill()
        process.communicate()


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--reply", "nowhere.json"], "nowhere.json"),
        (["--latency", "soon"], "expected seconds"),
        (["--empty", "2"], "empty is 2.0"),
        (["--api-key-env", "NOT_SET_ANYWHERE"], "NOT_SET_ANYWHERE is not set"),
    ],
)
def test_wrong_options_are_told(arguments: list[str], said: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(arguments) == 2
    assert said in capsys.readouterr().err


def test_a_file_that_is_no_script(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "script.json"
    file.write_text("3")
    assert main(["--reply", str(file)]) == 2
    assert "expected a list of replies" in capsys.readouterr().err
