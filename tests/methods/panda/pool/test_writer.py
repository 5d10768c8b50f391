"""A pool while it is learned: appended, resumed, and never lost, whenever the process is killed."""

import json
import os
import random
import signal
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import pytest

from kshot.errors import DataError, RunError
from kshot.methods.panda.pool import EncoderFacts, InsightPool, PoolHeader, PoolWriter
from kshot.methods.panda.pool.lines import line_of
from kshot.methods.panda.records import ExpertFacts, Insight

HEADER = PoolHeader(
    "irony",
    "classification",
    labels=("no", "yes"),
    model="m",
    endpoint={"base_url": "http://127.0.0.1:1/v1", "model": "m"},
    decoding={"stop": ("\n",)},
)
LEARNER = """
import sys
from kshot.methods.panda.pool import PoolHeader, PoolWriter
from kshot.methods.panda.records import Insight
with PoolWriter.open(sys.argv[1], PoolHeader("irony")) as writer:
    print("begun", flush=True)
    for row in range(400):
        insight = Insight(399 - row, f"text {row}", "because " * (row % 50) + "\\u00fc")
        if insight.id not in writer.held:
            writer.append(insight)
"""


def an_insight(row: int) -> Insight:
    return Insight(row, f"text {row}", f"because {row}")


def test_what_is_appended_is_sorted_by_row_when_read(tmp_path: Path):
    with PoolWriter.open(tmp_path / "pool", HEADER) as writer:
        assert [writer.append(an_insight(row)) for row in (2, 0, 1)] == [True] * 3
        assert writer.held == {an_insight(row).id for row in range(3)}
        assert an_insight(1).id in writer
        assert len(InsightPool.load(tmp_path / "pool")) == 3  # before it is closed
    pool = InsightPool.load(tmp_path / "pool")
    assert [insight.row for insight in pool] == [0, 1, 2]
    assert pool.header.counts == {"insights": 3}
    assert pool.header.updated >= pool.header.created > ""


def test_a_record_is_held_once(tmp_path: Path):
    with PoolWriter.open(tmp_path / "pool", HEADER) as writer:
        assert writer.append(an_insight(0))
        assert not writer.append(replace(an_insight(0), insight="otherwise", row=5))
        assert len(writer) == 1
    with PoolWriter.open(tmp_path / "pool", HEADER) as writer:
        assert not writer.append(an_insight(0))
    assert InsightPool.load(tmp_path / "pool")[0].insight == "because 0"


def test_going_on_keeps_the_date_and_takes_the_new_address(tmp_path: Path):
    encoder = EncoderFacts("hashing", 8)
    with PoolWriter.open(tmp_path / "pool", replace(HEADER, created="2020-01-01T00:00:00+00:00")) as writer:
        writer.append(an_insight(0))
    elsewhere = {"base_url": "http://127.0.0.1:2/v1", "model": "m"}
    other = replace(HEADER, endpoint=elsewhere, encoder=encoder, decoding={"stop": ["\n"]})
    with PoolWriter.open(tmp_path / "pool", other) as writer:
        assert "another endpoint" in writer.notes[0]
        writer.append(an_insight(1))
        writer.close({"refused": 4})
        writer.close()
    header = InsightPool.load(tmp_path / "pool").header
    assert header.created == "2020-01-01T00:00:00+00:00"
    assert header.endpoint == elsewhere
    assert header.encoder == encoder
    assert header.counts == {"insights": 2, "refused": 4}


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"task": "hate"}, "task 'irony' and 'hate'"),
        ({"labels": ("yes", "no")}, "labels"),
        ({"model": "n"}, "model 'm' and 'n'"),
        ({"template": "t"}, "template '' and 't'"),
        ({"expert": ExpertFacts("gold")}, "expert None and ExpertFacts"),
        ({"decoding": {"stop": ()}}, "decoding"),
        ({"kind": "choice"}, "kind 'classification' and 'choice'"),
        ({"prompts": "bare"}, "prompts 'standard' and 'bare'"),
    ],
)
def test_a_pool_that_was_begun_otherwise_is_refused(tmp_path: Path, change, told):
    with PoolWriter.open(tmp_path / "pool", HEADER) as writer:
        writer.append(an_insight(0))
    before = (tmp_path / "pool" / "header.json").read_bytes()
    with pytest.raises(DataError, match="the pool was begun otherwise: " + told):
        PoolWriter.open(tmp_path / "pool", replace(HEADER, **change))
    assert (tmp_path / "pool" / "header.json").read_bytes() == before
    PoolWriter.open(tmp_path / "pool", HEADER).close()  # the refusal left no lock


def test_a_pool_without_insights_is_begun_anew(tmp_path: Path):
    """A mistyped model's name ends the first call; the folder is free for the right one."""
    PoolWriter.open(tmp_path / "pool", replace(HEADER, model="mistyped")).close()
    with PoolWriter.open(tmp_path / "pool", HEADER) as writer:
        assert "begun anew" in writer.notes[0]
        writer.append(an_insight(0))
    assert InsightPool.load(tmp_path / "pool").header.model == "m"


def test_a_file_that_lost_whole_lines_is_told(tmp_path: Path):
    with PoolWriter.open(tmp_path / "pool", HEADER) as writer:
        for row in range(3):
            writer.append(an_insight(row))
    assert InsightPool.load(tmp_path / "pool").notes == ()
    file = tmp_path / "pool" / "insights.jsonl"
    file.write_bytes(b"".join(file.read_bytes().splitlines(keepends=True)[:2]))
    (note,) = InsightPool.load(tmp_path / "pool").notes
    assert "holds 2 insights, its header says 3" in note


def test_one_process_at_a_time(tmp_path: Path):
    with (
        PoolWriter.open(tmp_path / "pool", HEADER),
        pytest.raises(RunError, match="another process learns into this pool"),
    ):
        PoolWriter.open(tmp_path / "pool", HEADER)
    PoolWriter.open(tmp_path / "pool", HEADER).close()


def test_a_closed_writer_takes_nothing(tmp_path: Path):
    writer = PoolWriter.open(tmp_path / "pool", HEADER)
    writer.close()
    with pytest.raises(RunError, match="the pool is closed"):
        writer.append(an_insight(0))


def test_other_things_are_not_touched(tmp_path: Path):
    (tmp_path / "thesis.txt").write_text("mine")
    with pytest.raises(DataError, match="holds other things and no pool"):
        PoolWriter.open(tmp_path, HEADER)
    with pytest.raises(DataError, match="is a file"):
        PoolWriter.open(tmp_path / "thesis.txt", HEADER)
    assert [entry.name for entry in tmp_path.iterdir()] == ["thesis.txt"]


def test_a_half_written_line_is_cut_off_wherever_it_ends(tmp_path: Path):
    with PoolWriter.open(tmp_path / "pool", HEADER) as writer:
        writer.append(an_insight(0))
    path = tmp_path / "pool" / "insights.jsonl"
    whole, line = path.read_bytes(), line_of(Insight(1, "größer", "weil"))
    for end in (*range(1, len(line) - 1, 23), len(line) - 1):
        path.write_bytes(whole + line[:end])
        with PoolWriter.open(tmp_path / "pool", HEADER) as writer:
            told = end < len(line) - 1  # all but the line end is there: the record is whole
            assert bool(writer.notes) is told
            assert len(writer) == (1 if told else 2)
            writer.append(an_insight(2))
        assert len(InsightPool.load(tmp_path / "pool")) == (2 if told else 3)


def test_a_disk_that_refuses_ends_the_writing(tmp_path: Path, monkeypatch):
    writer = PoolWriter.open(tmp_path / "pool", HEADER)
    writer.append(an_insight(0))

    class Full:
        def write(self, content):
            os.write(inner.fileno(), content[:20])
            raise OSError(28, "No space left on device")

        def close(self):
            inner.close()

    inner = writer._file
    writer._file = Full()
    with pytest.raises(RunError, match="No space left on device"):
        writer.append(an_insight(1))
    with pytest.raises(RunError, match="closed"):  # nothing is written behind the half line
        writer.append(an_insight(2))
    writer.close()
    assert len(InsightPool.load(tmp_path / "pool")) == 1
    with PoolWriter.open(tmp_path / "pool", HEADER) as writer:
        assert writer.append(an_insight(1))


def test_a_write_that_the_system_takes_in_parts_is_whole(tmp_path: Path):
    writer = PoolWriter.open(tmp_path / "pool", HEADER)

    class Slow:
        def __init__(self, inner):
            self.inner = inner

        def write(self, content):
            return self.inner.write(content[:7])

        def __getattr__(self, name):
            return getattr(self.inner, name)

    writer._file = Slow(writer._file)
    writer.append(an_insight(0))
    writer.close()
    assert InsightPool.load(tmp_path / "pool").insights == (an_insight(0),)


def test_killed_at_any_moment_it_loads_and_goes_on_to_the_same_pool(tmp_path: Path):
    moments, folder = random.Random(5), tmp_path / "pool"
    held: set[str] = set()
    kills = 0
    for _ in range(4):
        process = subprocess.Popen(
            [sys.executable, "-c", LEARNER, str(folder)], stdout=subprocess.PIPE, text=True
        )
        assert process.stdout is not None
        process.stdout.readline()
        time.sleep(moments.uniform(0, 0.02))
        process.send_signal(signal.SIGKILL)
        kills += process.wait() == -signal.SIGKILL
        process.stdout.close()
        pool = InsightPool.load(folder)
        assert held <= set(pool.ids)
        held = set(pool.ids)
    assert kills >= 1
    subprocess.run([sys.executable, "-c", LEARNER, str(folder)], check=True, capture_output=True)
    expected = [Insight(399 - row, f"text {row}", "because " * (row % 50) + "\u00fc") for row in range(400)]
    assert InsightPool.load(folder).insights == InsightPool(expected, HEADER).insights
    assert len(InsightPool.load(folder)) == 400
    assert json.loads((folder / "header.json").read_text())["counts"] == {"insights": 400}
    assert not list(folder.glob(".*.partial"))
