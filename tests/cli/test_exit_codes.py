"""How the command line ends: 0 done, 2 wrong input, 1 anything else, 130 on Ctrl-C, with one sentence."""

import errno
import io
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from kshot.cli import main
from kshot.runs import write_text

FULL = Path("/dev/full")
TASK = """version: 1
task: {type: classification, labels: [a, b, c]}
examples: {path: shots.jsonl}
test: test.jsonl
metric: macro_f1
systems: [majority, nearest shot]
"""
Kshot = Callable[..., int]


def rows(what: str, count: int) -> str:
    return "".join(json.dumps({"text": f"{what} {i}", "label": "ab"[i % 2]}) + "\n" for i in range(count))


@pytest.fixture
def kshot(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Kshot:
    """Runs a verb beside a good task; gives the exit code."""
    (tmp_path / "task.yaml").write_text(TASK)
    (tmp_path / "shots.jsonl").write_text(rows("a row", 10))
    (tmp_path / "test.jsonl").write_text(rows("held out", 7))
    monkeypatch.chdir(tmp_path)

    def run(*arguments: str) -> int:
        monkeypatch.setattr(sys, "argv", ["kshot", *arguments])
        with pytest.raises(SystemExit) as stop:
            main()
        assert isinstance(stop.value.code, int)
        return stop.value.code

    return run


def python(code: str, *arguments: str, **options: object) -> "subprocess.Popen[str]":
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE} | options
    return subprocess.Popen([sys.executable, "-c", code, *arguments], text=True, **pipes)  # type: ignore[call-overload,no-any-return]


MAIN = "import sys; sys.argv[0] = 'kshot'; from kshot.cli import main; main()"


def raiser(error: BaseException) -> Callable[..., None]:
    def fail(*_: object, **__: object) -> None:
        raise error

    return fail


@pytest.mark.parametrize("arguments", [(), ("bank",)])
def test_without_a_verb_there_is_help(
    arguments: tuple[str, ...], kshot: Kshot, capsys: pytest.CaptureFixture[str]
) -> None:
    assert kshot(*arguments) == 2
    out, error = capsys.readouterr()
    assert "Usage:" in out
    assert "Commands" in out
    assert error == ""


@pytest.mark.parametrize("arguments", [("--help",), ("run", "--help"), ("bank", "scan", "--help")])
def test_help_is_no_error(
    arguments: tuple[str, ...], kshot: Kshot, capsys: pytest.CaptureFixture[str]
) -> None:
    assert kshot(*arguments) == 0
    out, error = capsys.readouterr()
    assert "Usage:" in out
    assert error == ""


def test_exit_codes_that_a_verb_chooses(kshot: Kshot, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("kshot.pipeline.doctor.findings", lambda: [("bad", "no memory")])
    assert kshot("doctor") == 1
    monkeypatch.setattr("kshot.pipeline.doctor.findings", lambda: [("ok", "memory")])
    assert kshot("doctor") == 0


def test_ctrl_c_says_that_the_same_command_goes_on(
    kshot: Kshot, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("kshot.pipeline.run.run_task", raiser(KeyboardInterrupt()))
    assert kshot("run", "task.yaml") == 130
    assert capsys.readouterr().err == "kshot: stopped; the same command goes on from here\n"


def test_a_signal_stops_a_process() -> None:
    slow = "import signal, time, kshot.cli.task as t, kshot.pipeline.doctor as d\n"
    slow += "signal.signal(signal.SIGINT, signal.default_int_handler)\n"  # a job in the background ignores it
    slow += "d.findings = lambda: (print('begun', flush=True), time.sleep(60))\n"
    with python(slow + MAIN, "doctor") as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "begun\n"
        time.sleep(0.1)
        process.send_signal(signal.SIGINT)
        _, error = process.communicate(timeout=30)
    assert process.returncode == 130
    assert error == "kshot: stopped; the same command goes on from here\n"


@pytest.mark.parametrize("code", [errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EACCES])
def test_what_the_system_refuses_is_one_sentence(
    code: int, kshot: Kshot, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    error = OSError(code, os.strerror(code), "some/file")
    monkeypatch.setattr("kshot.pipeline.validate.describe", raiser(error))
    assert kshot("validate", "task.yaml") == 1
    said = f"kshot: some/file: cannot be read or written ({os.strerror(code)})\n"
    assert capsys.readouterr().err == said


def test_an_unexpected_error_keeps_its_trace(kshot: Kshot, monkeypatch: pytest.MonkeyPatch) -> None:
    for error in (ZeroDivisionError("x"), OSError(errno.EIO, "x")):
        monkeypatch.setattr("kshot.pipeline.validate.describe", raiser(error))
        monkeypatch.setattr(sys, "argv", ["kshot", "validate", "task.yaml"])
        with pytest.raises(type(error)):
            main()


@pytest.mark.skipif(not FULL.exists(), reason="no /dev/full on this system")
@pytest.mark.parametrize("verb", ["config-schema", "--help"])
def test_a_full_standard_output(verb: str) -> None:
    with FULL.open("w") as full, python(MAIN, verb, stdout=full) as process:
        _, error = process.communicate(timeout=60)
    assert process.returncode == 1
    assert error == f"kshot: standard output: cannot be read or written ({os.strerror(errno.ENOSPC)})\n"


def test_a_closed_pipe_is_no_trace() -> None:
    read, write = os.pipe()
    os.close(read)
    with python(MAIN, "config-schema", stdout=write) as process:
        os.close(write)
        _, error = process.communicate(timeout=60)
    assert process.returncode == 1
    assert error == ""


def test_predictions_on_a_full_device(
    kshot: Kshot, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert kshot("run", "task.yaml", "--out", "run") == 0
    assert kshot("predict", "run", "majority", "test.jsonl", "--out", "x.jsonl") == 0
    before = (tmp_path / "x.jsonl").read_text()
    capsys.readouterr()

    def full(path: Path, text: str) -> None:
        if path.name == "x.jsonl":
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))  # a write, unlike an open, names no file
        write_text(path, text)

    monkeypatch.setattr("kshot.runs.write_text", full)
    assert kshot("predict", "run", "majority", "test.jsonl", "--out", "x.jsonl") == 1
    told = [line for line in capsys.readouterr().err.splitlines() if not line.startswith("{")]
    assert told == [f"kshot: x.jsonl: cannot be written ({os.strerror(errno.ENOSPC)})"]
    assert (tmp_path / "x.jsonl").read_text() == before
    assert kshot("predict", "run", "majority", "test.jsonl", "--out", "n" * 300) == 2


def test_compare_gives_the_figures_of_the_report(kshot: Kshot, capsys: pytest.CaptureFixture[str]) -> None:
    """Label c has no test row: macro-F1 counts it all the same, once compare is told of it."""
    assert kshot("run", "task.yaml", "--out", "run", "--json") == 0
    report = json.loads(capsys.readouterr().out)
    places = report["provenance"]["predictions"]
    files = [f"run/{places[name]}" for name in ("majority", "nearest shot")]
    said = {system["name"]: system for system in report["systems"]}
    arguments = ("compare", *files, "--metric", "macro_f1", "--json")
    assert kshot(*arguments, "--labels", 'a, b,"c"') == 0
    found = json.loads(capsys.readouterr().out)
    assert [line["value"] for line in found] == [said["majority"]["value"], said["nearest shot"]["value"]]
    for field in ("difference", "difference_interval", "p"):
        assert found[1][field] == said["nearest shot"][field]
    assert kshot(*arguments) == 0
    assert json.loads(capsys.readouterr().out)[0]["value"] == pytest.approx(1.5 * found[0]["value"])
    assert kshot(*arguments, "--labels", 'a,"b') == 2
    assert "--labels: 'a,\"b' cannot be read" in capsys.readouterr().err


def test_closed_streams_are_no_trace(kshot: Kshot, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.stdout", None)
    monkeypatch.setattr("sys.stderr", None)
    assert kshot("validate", "task.yaml") == 0
    assert kshot("validate", "nothing.yaml") == 2
    sys.stdout.close()
    sys.stderr.close()


def test_a_name_that_is_no_utf8_is_printed_escaped(monkeypatch: pytest.MonkeyPatch) -> None:
    held = io.TextIOWrapper(io.BytesIO(), encoding="utf-8")
    monkeypatch.setattr("sys.stdout", held)
    monkeypatch.setattr("sys.argv", ["kshot", "config-schema"])
    with pytest.raises(SystemExit):
        main()
    print("\udcff", file=held, flush=True)
    assert held.buffer.getvalue().endswith(b"\\udcff\n")
