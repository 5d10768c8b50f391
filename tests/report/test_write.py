"""Three files, whole or not at all."""

import json
import os
from dataclasses import replace
from pathlib import Path

import pytest

from kshot.errors import RunError
from kshot.report import write_report


def test_three_files_are_written(sample, tmp_path):
    paths = write_report(sample, tmp_path / "new" / "run")
    assert sorted(path.name for path in (tmp_path / "new" / "run").iterdir()) == [
        "report.html",
        "report.json",
        "report.md",
    ]
    assert json.loads(paths.json.read_text("utf-8")) == sample.to_json()
    assert paths.markdown.read_text("utf-8").startswith("# mixture-of-three")
    assert paths.html.read_text("utf-8").startswith("<!doctype html>")
    assert paths.html.stat().st_mode & 0o777 == 0o644


def test_equal_reports_give_equal_bytes(sample, tmp_path):
    first, second = write_report(sample, tmp_path / "a"), write_report(sample, tmp_path / "b")
    for name in ("html", "markdown", "json"):
        assert getattr(first, name).read_bytes() == getattr(second, name).read_bytes()


def test_lone_surrogates_do_not_stop_a_report(sample, tmp_path):
    odd = replace(sample, because="half a pair \ud83d", provenance={"p": "\udcff"})
    paths = write_report(odd, tmp_path)
    assert json.loads(paths.json.read_text("utf-8"))["because"] == "half a pair \ud83d"
    assert r"half a pair \ud83d" in paths.html.read_text("utf-8")
    assert r"\udcff" in paths.markdown.read_text("utf-8").replace(r"\\", "\\")


def test_a_failed_write_leaves_the_old_report_and_nothing_else(sample, tmp_path, monkeypatch):
    write_report(sample, tmp_path)
    before = {path.name: path.read_bytes() for path in tmp_path.iterdir()}

    def full(_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(RunError, match="the report cannot be written \\(No space left on device\\)"):
        write_report(replace(sample, because="changed"), tmp_path)
    assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == before


def test_a_file_in_the_way_is_told(sample, tmp_path):
    Path(tmp_path / "file").write_text("x")
    with pytest.raises(RunError, match="file"):
        write_report(sample, tmp_path / "file")
