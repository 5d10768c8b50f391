"""Files that are no journal, damaged, locked, moved, or on a disk that refuses."""

import os
import shutil
import sqlite3
import subprocess
import sys
import tempfile
import threading
from pathlib import Path

import pytest
from journal_calls import BEGIN, call, key, program

from kshot.errors import InputError, RunError
from kshot.models.journal import Journal
from kshot.models.journal.opening import VERSION


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "calls.sqlite"


def test_a_file_that_is_no_sqlite(path: Path) -> None:
    path.write_text("some notes of mine, longer than a header of SQLite" * 20)
    before = path.read_bytes()
    for mode in ("use", "read_only"):
        with pytest.raises(InputError, match="this is no SQLite file, so no journal; choose another place"):
            Journal(path, mode=mode)  # type: ignore[arg-type]
    assert path.read_bytes() == before


def test_another_program_s_file(path: Path) -> None:
    with sqlite3.connect(path) as other:
        other.execute("CREATE TABLE bookmarks (url)")
    other.close()
    before = path.read_bytes()
    for mode in ("use", "read_only"):
        with pytest.raises(InputError, match="another program's"):
            Journal(path, mode=mode)  # type: ignore[arg-type]
    assert path.read_bytes() == before


def test_a_newer_kshot_s_file(path: Path) -> None:
    Journal(path).close()
    with sqlite3.connect(path) as connection:
        connection.execute(f"PRAGMA user_version = {VERSION + 1}")
    connection.close()
    with pytest.raises(InputError, match=f"newer kshot .format {VERSION + 1}, this one knows {VERSION}"):
        Journal(path)


def test_an_empty_file_is_a_beginning(path: Path) -> None:
    path.touch()
    with Journal(path) as journal:
        journal.settle(call(1))
        assert journal.find(key(1)) is not None


def test_places_that_cannot_be(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="this is a folder"):
        Journal(tmp_path)
    (tmp_path / "file").touch()
    with pytest.raises(RunError, match="cannot be made or opened"):
        Journal(tmp_path / "file" / "calls.sqlite")
    with pytest.raises(RunError, match="cannot be made or opened"):
        Journal(tmp_path / ("long" * 100))


def crashed(path: Path) -> None:
    """A journal of a killed process: 20 calls in the file, 20 more in its write-ahead log."""
    code = """
journal = Journal(path)
journal.settle_many([call(i) for i in range(20)])
journal.close()
journal = Journal(path)
for i in range(20, 40): journal.settle(call(i))
os.kill(os.getpid(), 9)
"""
    with program(code, path) as process:
        assert process.wait() == -9
    assert path.with_name("calls.sqlite-wal").stat().st_size > 0


@pytest.mark.parametrize("damage", ["none", "cut", "noise at the end", "log lost", "index lost"])
def test_a_damaged_tail_costs_the_last_replies_at_most(path: Path, damage: str) -> None:
    crashed(path)
    log = path.with_name("calls.sqlite-wal")
    content = log.read_bytes()
    if damage == "cut":
        log.write_bytes(content[:-1000])
    elif damage == "noise at the end":
        log.write_bytes(content[:-3000] + os.urandom(3000))
    elif damage == "log lost":
        log.unlink()
    elif damage == "index lost":
        path.with_name("calls.sqlite-shm").unlink()
    with Journal(path) as journal:
        found = [c.text for c in journal.calls()]
        whole = [f"answer {i}" for i in range(40)]
        assert found == whole[: len(found)]
        least = {"none": 40, "index lost": 40, "cut": 39, "noise at the end": 38, "log lost": 20}
        assert len(found) >= least[damage]
        journal.settle(call(41))
        assert journal.claim([key(40), key(41)]) == {key(40)}


def test_a_damaged_file_says_what_can_be_done(path: Path) -> None:
    with Journal(path) as journal:
        journal.settle_many([call(i) for i in range(2000)])
    content = bytearray(path.read_bytes())
    content[8192:-8192] = os.urandom(len(content) - 16384)
    path.write_bytes(content)
    with pytest.raises(RunError, match=r"is damaged .*sqlite3 FILE \.recover"), Journal(path) as journal:
        list(journal.calls())


def test_others_that_write_are_waited_for(path: Path) -> None:
    Journal(path).close()
    other = sqlite3.connect(path, isolation_level=None, check_same_thread=False)
    other.execute("BEGIN IMMEDIATE")
    with Journal(path, wait_s=0.05) as journal, Journal(path) as patient:
        with pytest.raises(RunError, match=r"other processes held the journal for more than 0\.05 s"):
            journal.settle(call(1))
        assert journal.find(key(1)) is None
        threading.Timer(0.2, lambda: other.execute("COMMIT")).start()
        patient.settle(call(1))
        assert journal.find(key(1)) is not None
        journal.settle(call(2))
    other.close()


def test_a_deleted_file_is_not_written_to_in_silence(path: Path) -> None:
    journal = Journal(path)
    journal.settle(call(1))
    path.rename(path.with_name("away.sqlite"))
    with pytest.raises(RunError, match="moved or deleted while in use"):
        journal.settle(call(2))
    Journal(path).close()
    with pytest.raises(RunError, match="moved or deleted while in use"):
        journal.settle(call(2))
    with pytest.raises(RunError, match="moved or deleted while in use"):
        journal.close()
    journal.close()


def test_a_full_disk_loses_nothing_that_was_written(path: Path) -> None:
    code = """
import resource, signal
journal = Journal(path)
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, (300_000, resource.RLIM_INFINITY))
written = 0
try:
    for i in range(10_000):
        journal.settle(call(i, error=os.urandom(400).hex()))
        written += 1
except Exception as error:
    print(type(error).__name__, error)
resource.setrlimit(resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
found = sum(1 for _ in journal.calls())
journal.settle(call(20_000))  # there is room again
journal.close()
print(written, found)
"""
    process = program(code, path)
    out, _ = process.communicate(timeout=60)
    refused, counts = out.strip().split("\n")
    assert refused.startswith("RunError")
    assert "what was written before is kept" in refused
    written, found = map(int, counts.split())
    assert written == found > 0
    with Journal(path) as journal:
        assert len(list(journal.calls())) == written + 1


def test_a_full_disk_by_sqlite_s_own_count(path: Path) -> None:
    with Journal(path) as journal:
        journal.settle(call(1))
        with journal._file.writing() as connection:  # type: ignore[union-attr]
            connection.execute("PRAGMA max_page_count = 20")
        with pytest.raises(RunError, match=r"the disk is full, .* make room and run the same again"):
            journal.settle_many([call(i) for i in range(2, 3000)])
        assert [c.key for c in journal.calls()] == [key(1)]
        journal.settle(call(2))


@pytest.mark.skipif(sys.platform != "linux", reason="another user's rights")
def test_a_place_where_nothing_can_be_written(path: Path) -> None:
    with Journal(path) as journal:
        journal.settle(call(1))
    assert not path.with_name("calls.sqlite-wal").exists()
    code = (
        BEGIN
        + """
if os.getuid() == 0:
    os.setgroups([]); os.setgid(65534); os.setuid(65534)
with Journal(path, mode="read_only") as journal:
    print(journal.find(request_key(request(1))).text)
try:
    with Journal(path) as journal:
        journal.settle(call(2))
except Exception as error:
    print(type(error).__name__, error)
"""
    )
    with tempfile.TemporaryDirectory() as place:  # the folders above tmp_path are closed to others
        shared = Path(place) / path.name
        shutil.copy(path, shared)
        shared.chmod(0o444)
        shared.parent.chmod(0o555)
        command = [sys.executable, "-c", code, str(shared)]
        found = subprocess.run(command, capture_output=True, text=True, check=False)
        shared.parent.chmod(0o755)
    assert found.returncode == 0, found.stderr
    text, refused = found.stdout.strip().split("\n")
    assert text == "answer 1"
    assert refused.startswith("RunError")
    assert "choose another place (--journal PATH, or KSHOT_JOURNAL)" in refused
